"""What was thought of before is finished, said so and counted; everybody else gets the plain search."""

from __future__ import annotations

import time

import pytest

store = pytest.importorskip("genrec_plugin_onerec_think.store", reason="OneRec-Think is not installed")


def test_prepared_users_are_answered_under_their_prefixes(shop, serve):
    address = str(shop.folder / "ahead.sqlite")
    with store.open_store(address) as ahead:
        prefixes = (("<a_3>",), ("<a_5>",))
        ahead.put([store.ThinkAheadEntry("u003", prefixes, "quiet evenings", made=time.time())])
    run = shop.another("recommend.use=onerec-think/finish", f"recommend.store={address}")
    server = serve(run)
    body = server.ask("POST", "/recommend", {"user": "u003", "k": 5}).body
    assert (body["made_by"], body["thought"]) == ("think-ahead", "quiet evenings")
    assert body["items"]
    assert all(one["identifier"].startswith(("<a_3>", "<a_5>")) for one in body["items"])
    fresh = server.ask("POST", "/recommend", {"user": "u003", "history": ["i012"]}).body
    assert fresh["made_by"] == "think-ahead"
    other = server.ask("POST", "/recommend", {"user": "u004", "k": 5}).body
    assert (other["made_by"], other["thought"]) == ("plain", "")
    counted = server.ask("GET", "/metrics").body
    assert 'genrec_answers_total{made_by="think-ahead"} 2.0' in counted
    assert 'genrec_answers_total{made_by="plain"} 1.0' in counted
