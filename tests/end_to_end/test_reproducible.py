"""The same pipeline gives the same bytes: anew, twice at once, after damage; a change reruns what it must."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.end_to_end.conftest import SMALL

COLD = """
import atexit, json, sys
from genrec_core.cli import main
atexit.register(lambda: print("\\n" + json.dumps("torch" in sys.modules)))
main(sys.argv[1:])
"""
"""`genrec` in a process of its own; its last line says whether torch was imported."""


def cold(folder, *arguments):
    result = subprocess.run(
        [sys.executable, "-c", COLD, *map(str, arguments)],
        cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_two_fresh_stores_hold_the_same_bytes_and_give_the_same_metrics(undisturbed, place):
    assert cold(place.folder, "run", SMALL) is True
    assert place.metrics() == undisturbed.metrics()
    artefacts = place.artefacts()
    assert artefacts == undisturbed.artefacts()
    weights = [files for name, files in artefacts.items() if name.startswith("train.sft")]
    assert any(name.endswith(".safetensors") for name in weights[0]), "weights are compared too"


def test_a_second_run_reuses_every_stage_and_does_not_import_torch(finished):
    assert cold(finished.folder, "run", SMALL) is False
    assert finished.ran() == set()


def test_two_runs_at_once_on_one_store_both_succeed_and_agree(place, undisturbed):
    first, second = (place.start("--runs", runs) for runs in ("runs", "other"))
    first.wait()
    second.wait()
    assert place.metrics("runs") == place.metrics("other") == undisturbed.metrics()
    assert place.artefacts() == undisturbed.artefacts()
    assert place.ran("runs").isdisjoint(place.ran("other")), "every stage was made once"
    assert not place.leftovers()


def test_one_flipped_byte_of_the_weights_is_named_and_the_model_made_anew(finished, undisturbed):
    (weights,) = finished.folder.glob("store/train.sft-*/models/**/*.safetensors")
    body = bytearray(weights.read_bytes())
    body[len(body) // 2] ^= 1
    weights.write_bytes(bytes(body))
    finished.run()
    assert finished.ran() == {"train.sft"}
    reason = finished.stages()["train.sft"]["reason"]
    assert reason["why"] == "damaged"
    assert weights.name in reason["text"]
    assert finished.metrics() == undisturbed.metrics()
    assert finished.artefacts() == undisturbed.artefacts()


def test_more_beams_rerun_what_depends_on_them_and_explain_says_so_before(finished, undisturbed):
    more = ("--set", "recommend.beams=12")
    explained = json.loads(finished.run(*more, "--explain", "--json"))["stages"]
    told = {stage["stage"]: stage["text"] for stage in explained if stage["runs"]}
    assert set(told) == {"recommend", "ground", "evaluate"}
    assert told["recommend"] == "option `recommend.beams` changed from `10` to `12`"
    assert told["ground"] == "its input `recommend` changed"
    finished.run(*more)
    assert finished.ran() == set(told)
    assert finished.metrics()["baselines"] == undisturbed.metrics()["baselines"]
