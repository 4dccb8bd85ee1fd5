"""`genrec bundle` and `genrec unbundle`, as they are typed."""

from __future__ import annotations

import json
import shutil


def test_a_run_is_bundled_unbundled_and_asked(genrec, tmp_path):
    assert genrec("run", "pipeline.yaml").code == 0
    before = genrec("recommend", "runs/quick", "--history", "i0,i1", "--json").out
    shown = genrec("bundle", "runs/quick/latest", "--out", "shop.zip")
    assert shown.code == 0
    assert shown.out.startswith("shop.zip: 4 artefacts, ")
    for name in ("runs", "store"):
        shutil.rmtree(tmp_path / name)
    packed = genrec("recommend", "shop.zip", "--history", "i0,i1")
    assert (packed.code, "→ genrec unbundle shop.zip\n" in packed.err) == (2, True)
    assert genrec("unbundle", "shop.zip").out == "shop: unpacked, and every file is as it was written\n"
    assert genrec("recommend", "shop", "--history", "i0,i1", "--json").out == before
    assert genrec("unbundle", "shop").out == "shop: every file is as it was written\n"


def test_the_default_name_says_which_run_it_is(genrec, tmp_path):
    assert genrec("run", "pipeline.yaml").code == 0
    run = (tmp_path / "runs" / "quick" / "latest").resolve().name
    told = json.loads(genrec("bundle", "runs/quick", "--json").out)
    assert told["path"] == f"quick-{run}.zip"
    assert (tmp_path / told["path"]).stat().st_size > told["bytes"] > 1000
