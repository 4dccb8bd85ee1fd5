"""A whole run is killed while its teacher answers; the next one asks only for what is missing."""

from __future__ import annotations

import subprocess
import sys
import time

from genrec_contrib_teachers.stub_server import StubServer, Trouble
from genrec_plugin_grlm.extractive import Extractive

from genrec_core import Context, Message

PIPELINE = """\
genrec: 1
name: killed
seed: 1
data:
  source: {{use: core/synthetic, items: 240, users: 60}}
  split: {{use: core/leave-one-out}}
  max_history: 5
model: {{use: core/tiny-causal}}
tokenizer:
  use: grlm/terms
  terms: 3
  teacher: {{use: teachers/openai, model: m, base_url: "{url}", pause: 0.01, concurrency: 4}}
train: {{sft: {{use: core/sft, corpora: [{{use: core/next-item}}]}}}}
recommend: {{use: core/beam, beams: 5}}
evaluate: {{at: [5]}}
"""
ENOUGH = 100


def run(folder, url, *only):
    """A process that runs the pipeline."""
    (folder / "pipeline.yaml").write_text(PIPELINE.format(url=url))
    code = "from genrec_core.cli import main; main()"
    arguments = ["run", "pipeline.yaml", *only, "--runs", "runs", "--store", "store"]
    return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=folder, stdout=subprocess.DEVNULL)


def test_a_killed_run_asks_only_for_what_was_not_kept(tmp_path):
    def answered(texts, tried):
        return Extractive().complete([(Message("user", texts[0]),)], Context())[0]

    def stuck_after_enough(texts, tried):
        return Trouble(stall=60.0) if first.answered.total() >= ENOUGH else answered(texts, tried)

    with StubServer(stuck_after_enough) as first:
        process = run(tmp_path, first.url)
        while process.poll() is None and len(list(tmp_path.glob("store/answers/*/*.json"))) < ENOUGH:
            time.sleep(0.02)
        process.kill()
        process.wait()
    kept = len(list(tmp_path.glob("store/answers/*/*.json")))
    with StubServer(answered) as second:
        assert run(tmp_path, second.url, "--only", "tokenize").wait() == 0
    assert ENOUGH <= kept < 240
    assert second.asked.total() == 240 - kept
    assert set(second.asked.values()) == {1}
    assert len(set(first.answered) & set(second.asked)) <= 4, "only what was under way may be asked again"
