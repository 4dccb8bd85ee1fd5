"""An exported folder recommends what the run does, by `generate` in a fresh process and by `genrec run`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from genrec_contrib_export.exporting import export_run
from genrec_contrib_export.shipped import logits_processor
from transformers import AutoTokenizer

from genrec_core import GenrecError, Request
from genrec_core.cli import main
from genrec_core.pipeline.run_reader import open_run
from genrec_core.registry.discovery import load_plugins
from genrec_core.testing.chat_checkpoint import TEMPLATE, save_chat_checkpoint

TINY = "model: {use: core/tiny-causal, hidden: 16, layers: 1, heads: 2, intermediate: 32, vocabulary: 400}\n"


def recommended(run, history):
    """(item, score) of the ten best, by the run itself."""
    items = run.catalogue.items
    with run.open() as session:
        indices = tuple(items.index_of(item) for item in history)
        ((_, ranked),) = session.answers([Request("", indices)])
    pairs = zip(ranked.items[:10].tolist(), ranked.scores[:10].tolist(), strict=True)
    return [(items.ids[item], score) for item, score in pairs]


def by_folder(folder, *arguments):
    """`recommend.py` in a fresh process, which ends badly if it imported anything of GenRec."""
    command = [sys.executable, "-c", WITHOUT_GENREC, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


WITHOUT_GENREC = """
import runpy, sys
sys.path.insert(0, ".")
runpy.run_path("recommend.py", run_name="__main__")
assert not [name for name in sys.modules if name.startswith("genrec")]
"""


def test_generate_gives_the_runs_top_ten_after_a_reload_in_a_fresh_process(any_exported):
    run, exported = any_exported
    assert (exported.checked, exported.examples) == (3, 3)
    examples = json.loads((exported.folder / "examples.json").read_text())
    for example in examples:
        assert len(example["items"]) == 10
        pairs = [(one["item"], one["score"]) for one in example["items"]]
        found = recommended(run, example["history"])
        assert [item for item, _ in found] == [item for item, _ in pairs]
        assert [score for _, score in found] == pytest.approx([score for _, score in pairs], abs=1e-5)


def test_the_folder_needs_nothing_of_genrec(exported, tied):
    history = ["i012", "i040", "i007", "i003", "i100", "i101", "i102"]
    ended = by_folder(exported.folder, "--history", ",".join(history), "-k", "10")
    assert ended.returncode == 0, ended.stderr
    rows = [line.split() for line in ended.stdout.splitlines()]
    expected = recommended(tied, history)
    assert [item for _, item in rows] == [item for item, _ in expected]
    assert [float(score) for score, _ in rows] == pytest.approx([s for _, s in expected], abs=1e-3)


def test_genrec_reads_the_folder_back(any_exported, shop):
    run, exported = any_exported
    again = shop.run(file=exported.folder / "pipeline.yaml")
    assert again.pipeline.spec.model["main"].name == "core/pretrained"
    assert again.pipeline.spec.tokenizer.name == "core/given"
    example = json.loads((exported.folder / "examples.json").read_text())[0]
    found, expected = recommended(again, example["history"]), recommended(run, example["history"])
    assert [item for item, _ in found] == [item for item, _ in expected]
    assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-4)
    assert again.metrics["test"] == pytest.approx(run.metrics["test"], abs=1e-6)
    assert again.metrics["protocol"]["hash"] == run.metrics["protocol"]["hash"]


def test_settings_weights_and_identifiers_are_what_the_run_has(exported, tied):
    settings = json.loads((exported.folder / "generation_config.json").read_text())
    names = ("num_beams", "length_penalty", "do_sample", "max_new_tokens")
    assert {name: settings[name] for name in names} == {
        "num_beams": 12, "length_penalty": 0.0, "do_sample": False, "max_new_tokens": 4,
    }  # fmt: skip
    rows = [json.loads(line) for line in (exported.folder / "identifiers.jsonl").read_text().splitlines()]
    assert [row["item_id"] for row in rows] == list(tied.catalogue.items.ids)
    assert tuple(rows[17]["tokens"]) == tied.catalogue.identifiers.tokens(17)
    assert not [file.name for file in exported.folder.iterdir() if file.suffix in (".bin", ".pkl", ".pt")]


def test_the_card_says_how_good_measured_how_and_what_is_missing(exported, tied):
    text = (exported.folder / "README.md").read_text()
    head = yaml.safe_load(text.split("---")[1])
    assert head["library_name"] == "transformers"
    assert f"| this model | {tied.metrics['test']['recall@5']:.4f}" in text
    assert "| popular |" in text
    assert f"Protocol `{tied.metrics['protocol']['hash']}`" in text
    assert "240 items" in text
    assert "what the run recommends in 3 of 3 examples" in text
    assert "no flashrec.json: identifiers have 2 and 3 tokens, and FlashRec reads one length" in text


def test_the_command_says_what_was_written(shop, tied, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["export", str(tied.folder), "--to", str(shop.folder / "commanded"), "--examples", "0"])
    assert not ended.value.code
    out = capsys.readouterr().out
    assert f"written to {shop.folder / 'commanded'}" in out
    assert "note: no flashrec.json" in out
    with pytest.raises(SystemExit) as ended:
        main(["export", str(tied.folder), "--to", str(shop.folder / "commanded")])
    assert ended.value.code == 2
    assert "is not empty\n  → name a new folder with --to" in capsys.readouterr().err
    assert not [file for file in shop.folder.iterdir() if file.name.startswith(".commanded")]


def test_what_generate_cannot_do_is_named(shop):
    run = shop.run(
        "recommend.prior=core/popular", "recommend.prior_weight=1.0", "train.sft.corpora.0.target=title"
    )
    exported = export_run(run, shop.folder / "prior", examples=0)
    assert "the run adds a baseline's distribution (`prior`), `generate` does not" in exported.notes
    assert "does not\n" in (exported.folder / "README.md").read_text()


def test_codes_of_one_length_have_a_catalogue_for_flashrec(shop):
    run = shop.run("tokenizer.collisions=keep", "tokenizer.begin=<|item|>", "tokenizer.end=<|/item|>")
    exported = export_run(run, shop.folder / "flashrec", examples=1)
    assert exported.checked == 1
    catalogue = json.loads((exported.folder / "flashrec.json").read_text())
    identifiers = run.catalogue.identifiers
    assert len(catalogue) == len(identifiers.distinct())
    begin, first, second, end = identifiers.tokens(0)
    assert (begin, end) == ("<|item|>", "<|/item|>")
    assert f"{first[3:-1]},{second[3:-1]},1" in catalogue
    assert set(catalogue.values()) == {1}
    assert "--sid-codebook-sizes 16,16,2" in exported.flashrec.flags


def test_a_chat_model_keeps_its_template_and_is_asked_in_it(shop, tmp_path):
    checkpoint = save_chat_checkpoint(tmp_path / "chat", "qwen3", ("Copper Pocket Metronome",))
    file = shop.folder / "chat.yaml"
    model = f"model: {{use: core/pretrained, path: {checkpoint}}}\n"
    file.write_text((shop.folder / "pipeline.yaml").read_text().replace(TINY, model))
    run = shop.run(file=file)
    exported = export_run(run, shop.folder / "chat", examples=1)
    assert (exported.checked, exported.notes[:-1]) == (1, [])
    text_tokenizer = AutoTokenizer.from_pretrained(exported.folder)
    assert text_tokenizer.chat_template == TEMPLATE
    example = json.loads((exported.folder / "examples.json").read_text())[0]
    prompt = text_tokenizer.decode(example["prompt"])
    assert prompt.startswith("<|im_start|>user\nBought so far: ")
    assert prompt.endswith("<|im_end|>\n<|im_start|>assistant\n")


def test_the_logits_processor_is_short(exported):
    text = (exported.folder / "logits_processor.py").read_text()
    assert len(text.splitlines()) < 100
    assert text == Path(logits_processor.__file__).read_text()


def test_a_run_of_several_models_is_refused(shop, tied, tmp_path):
    opened = open_run(tied.folder, load_plugins()[0])
    recommender = type(opened.pipeline.spec.recommend)
    kept = recommender.slots
    try:
        recommender.slots = ("main", "finisher")
        with pytest.raises(GenrecError) as refused:
            export_run(opened, tmp_path / "several")
    finally:
        recommender.slots = kept
    assert refused.value.message == "the run recommends with the models main, finisher; one folder holds one"
    assert not list(tmp_path.iterdir())
