"""What is missing or cannot work is found by `genrec check`, and before a run, with its line."""

from __future__ import annotations

import importlib.util
import json

import pytest

SOURCE = "data: {source: {use: core/synthetic, items: 240, users: 40}}\n"
RL = (
    "train:\n"
    "  sft: {use: core/sft, corpora: [core/next-item]}\n"
    "  rl: {use: core/grpo, corpora: [core/next-item], reward: core/hit}\n"
)
TEACHER = "{use: core/local-teacher, path: /no/such/teacher}"
KNN = "evaluate: {baselines: [core/item-knn]}\n"


@pytest.fixture
def written(genrec, tmp_path):
    """Writes a pipeline with these blocks; gives its name."""

    def write(**blocks):
        head = "genrec: 1\nname: before\n" + SOURCE + "tokenizer: quick/numbers\n"
        (tmp_path / "before.yaml").write_text(head + "".join(blocks.values()))
        return "before.yaml"

    return write


@pytest.fixture
def without(monkeypatch):
    """Makes modules look as if they were not installed."""
    find = importlib.util.find_spec

    def hide(*names):
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *rest: None if name in names else find(name, *rest)
        )

    return hide


@pytest.mark.parametrize(
    ("module", "blocks", "where", "who", "install"),
    [
        ("trl", RL, "7:13", "trainer `core/grpo`", "genrec-core[rl]"),
        ("accelerate", RL, "6:14", "trainer `core/sft`", "genrec-core[engine]"),
        ("scipy", KNN, "5:24", "baseline `core/item-knn`", "genrec-core[engine]"),
        ("gguf", "model: {use: core/gguf, path: model.gguf}\n", "5:14", "backbone `core/gguf`", "engine"),
    ],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_package_that_is_not_installed_is_named_with_its_extra_before_anything_runs(
    genrec, written, without, tmp_path, command, module, blocks, where, who, install
):
    (tmp_path / "model.gguf").touch()
    file = written(blocks=blocks)
    without(module)
    shown = genrec(command, file)
    assert shown.code == 2
    assert f"before.yaml:{where}: {who} needs the module `{module}`, which is not installed" in shown.err
    assert install in shown.err
    assert not (tmp_path / "store").exists() or not [*(tmp_path / "store").glob("data/*")]


def test_where_the_engine_is_not_installed_a_pipeline_is_checked_and_the_note_says_what_runs_it(
    genrec, written, without
):
    file = written(blocks=RL)
    without("torch", "transformers", "trl")
    shown = genrec("check", file)
    assert shown.code == 0
    assert "to run it here: pip install 'genrec-core[engine]'" in shown.out


@pytest.mark.parametrize(
    ("block", "what"),
    [
        ("model: {use: core/pretrained, path: /no/such/model}\n", "`/no/such/model` is not there"),
        ("model: {use: core/pretrained, path: ./model}\n", "model` is not there"),
        ("model: {use: core/pretrained, path: a/b/c}\n", "c` is not there"),
        ("model: {use: core/gguf, path: /no/such/model.gguf}\n", "model.gguf` is not there"),
    ],
)
def test_a_local_model_that_is_not_there_is_refused_with_its_line(genrec, written, block, what):
    shown = genrec("check", written(block=block))
    assert shown.code == 2
    assert "before.yaml:5:" in shown.err
    assert what in shown.err


def test_a_name_on_the_hub_is_not_looked_for_here(genrec, written):
    block = "model: {use: core/pretrained, path: Qwen/Qwen3-0.6B}\n"
    assert genrec("check", written(block=block)).code == 0


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"model_type": "vit"}, "says `model_type: vit`"),
        ({"model_type": "my-own", "auto_map": {"AutoModel": "code.Model"}}, "says `model_type: my-own`"),
        ({}, "says `model_type: None`"),
        (None, "cannot load the model"),
    ],
)
def test_a_local_model_of_a_kind_that_cannot_be_decoded_is_refused(genrec, written, tmp_path, config, says):
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    shown = genrec("check", written(block=f"model: {{use: core/pretrained, path: {folder}}}\n"))
    assert shown.code == 2
    assert says in shown.err


def test_a_local_language_model_passes(genrec, written, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "qwen3"}')
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "tokenizer.json").touch()
    assert genrec("check", written(block=f"model: {{use: core/pretrained, path: {tmp_path}}}\n")).code == 0


@pytest.mark.parametrize(
    ("options", "trainable", "needed"),
    [
        ("", "all", "2.2 GB for weights, gradients and optimiser of 137 million float32 weights"),
        (
            ", dtype: bfloat16",
            "adapters",
            "0.5 GB for weights, gradients and optimiser of 137 million bfloat16",
        ),
    ],
)
def test_the_memory_of_a_training_step_is_told_by_the_heads_of_its_files(
    genrec, written, tmp_path, options, trainable, needed
):
    """137 million weights: [151936, 896] and [896, 896]; 16 bytes each, or 2 and a gradient of the tokens."""
    shapes = {"model.embed_tokens.weight": [151936, 896], "model.layers.0.mlp.up_proj.weight": [896, 896]}
    head = json.dumps({name: {"dtype": "F32", "shape": shape} for name, shape in shapes.items()}).encode()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "qwen2", "vocab_size": 151936}')
    (tmp_path / "model" / "model.safetensors").write_bytes(len(head).to_bytes(8, "little") + head)
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    file = written(
        model=f"model: {{use: core/pretrained, path: model{options}}}\n",
        train=f"train: {{sft: {{use: core/sft, corpora: [core/next-item], trainable: {trainable}}}}}\n",
    )
    for command in (["check", file], ["run", file, "--explain"]):
        shown = genrec(*command)
        assert shown.code == 0, shown.err
        assert f"train.sft: about {needed}" in shown.out
        assert "activations come on top" in shown.out


def test_adapters_without_their_package_are_refused_with_the_extra(genrec, written, without):
    without("peft")
    file = written(train="train: {sft: {use: core/sft, corpora: [core/next-item], trainable: adapters}}\n")
    shown = genrec("check", file)
    assert shown.code == 2
    assert "`trainable: adapters` needs the module `peft`, which is not installed" in shown.err
    assert "pip install 'genrec-core[lora]'" in shown.err


FIELDS = {
    "an answer": (
        "train: {sft: {use: core/sft, corpora: [core/next-item]}}\n"
        "recommend: {use: core/beam, prompt: {use: core/next-item, target: nosuch}}\n",
        "`target: nosuch` is no field of items",
    ),
    "a rule's field": (
        "train: {sft: {use: core/sft, corpora: [core/next-item]}}\n"
        "ground: {use: core/rules, never: {nosuch: x}}\n",
        "a rule names the field `nosuch`, which items do not have",
    ),
    "a rule's value": (
        "train: {sft: {use: core/sft, corpora: [core/next-item]}}\n"
        "ground: {use: core/rules, boost: [{field: title, value: nosuch, by: 1.0}]}\n",
        "no item has the value `nosuch` in the field `title`",
    ),
}


@pytest.mark.parametrize("case", FIELDS)
def test_a_field_that_items_lack_is_said_behind_the_data_and_not_after_training(
    genrec, written, case, tmp_path
):
    blocks, says = FIELDS[case]
    file = written(model="model: {use: core/tiny-causal, hidden: 16, layers: 1, heads: 2}\n", rest=blocks)
    assert genrec("check", file).code == 0  # the data is not read
    shown = genrec("run", file, "--runs", tmp_path / "runs", "--store", tmp_path / "store")
    assert (shown.code, says in shown.err, "before.yaml:" in shown.err) == (2, True, True), shown.err
    made = {folder.name.split("-")[0] for folder in (tmp_path / "store").glob("*-*")}
    assert made == {"data"}
