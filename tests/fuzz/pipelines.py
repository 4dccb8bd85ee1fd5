"""Fuzzer of pipeline files and option values: broken text, broken structure, values out of range.

Nothing is run. An input is loaded, wired and made into a graph, as `genrec check` does. What is accepted must
hold the oracle: it says the same after it was written down and read back, and no number in it lies outside of
what any option can mean.
"""

from __future__ import annotations

import functools
import random
import sys
import tempfile
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from genrec_core.contracts.component import Component
from genrec_core.contracts.options import LARGEST, SMALLEST, Options
from genrec_core.pipeline.graph import Graph
from genrec_core.pipeline.load import load_pipeline
from genrec_core.registry.discovery import load_plugins
from genrec_core.registry.registry import Registry
from tests.fuzz.common import broken_text, main
from tests.pipeline.conftest import PIPELINE, QUICK

FULL = """\
genrec: 1
name: full
seed: 7
data: {source: {use: core/synthetic, items: 240, users: 80}, split: core/leave-one-out, max_history: 10}
model: {use: core/tiny-causal, hidden: 32, layers: 1}
tokenizer: {use: sid/rq-kmeans, encoder: {use: core/ngrams, dims: 32}, levels: 2, codes: 8}
train:
  sft: {use: core/sft, corpora: [{use: core/next-item, weight: 1.0}, {use: sid/item-text}], epochs: 1}
  rl: {use: core/grpo, corpora: [{use: core/next-item}], reward: core/hit, group: 4, prompts: 8}
recommend: {use: core/beam, beams: 20}
ground: {use: core/exact}
evaluate: {at: [5, 10], baselines: [core/popular, {use: core/item-knn, neighbours: 20}], resamples: 50}
"""

WORDS = r"""
~ null Null true TRUE false 0 1 -1 2 3.5 -0.0 +1 00 012 0o17 0x7f 1_000 1e5 1E5 1e-320 1e-31 1e308 -1e308 1e16
2147483648 9223372036854775807 9223372036854775808 18446744073709551615 -9223372036854775808 .nan .inf １２ 1:
'' 'x' '1' "\x00" "\udc80" "\e[2J" [] [1] [[]] {} {a:1} [core/beam] core/beam core/none ../x /dev/zero
~nobody/x ~nobody-here/x *a &a !x '!!python/name:os.system'
"""
LONGER = ("{use: core/beam}", "{use: 3}", '"a\\nError: b"', "\u202ex", "a\x1b[2Jb", "- a", "? a", "", " ")
HUGE = ("x" * 300, "/" + "y" * 5000, "[" * 60, "{a: " * 60)
VALUES = (*WORDS.split(), *LONGER, *HUGE)
"""Values as a file writes them."""
PATHS = (
    "~nobody-here/x",
    "..",
    "/",
    "/dev/zero",
    ".",
    "x.gguf",
    "x.npy",
    "x.parquet",
    '"\\udc80"',
    "'a\tb'",
    '"x\\0y"',
)
"""Paths that lead nowhere good, for options that name files."""
PATH_OPTIONS = frozenset({"path", "file", "files", "vectors", "checkpoint", "given", "store"})


INSIDE = {"teacher": "{use: sidreasoner/item-enrichment, teacher: {use: NAME}}"}
"""Kinds that stand inside another component."""


@functools.cache
def registry() -> Registry:
    """The registry with the test plugin and everything installed."""
    if str(QUICK) not in sys.path:
        sys.path.insert(0, str(QUICK))
    return load_plugins({})[0]


@functools.cache
def places() -> tuple[tuple[str, str], ...]:
    """Every option of every component as (what to set first, path of the option)."""
    where = {
        "source": "data.source", "split": "data.split", "encoder": "tokenizer.encoder",
        "tokenizer": "tokenizer", "corpus": "train.sft.corpora.0", "backbone": "model",
        "trainer": "train.sft", "reward": "train.rl.reward", "recommender": "recommend", "grounder": "ground",
        "baseline": "evaluate.baselines.0", "loss": "train.sft.loss",
        "teacher": "train.sft.corpora.0.teacher",
    }  # fmt: skip
    own = "genrec name seed seeds data.max_history train evaluate.at evaluate.resamples evaluate.baselines x"
    found = [("", path) for path in own.split()]
    for entry in registry():
        if entry.kind in where:
            path = where[entry.kind]
            cls = registry().resolve(entry.kind, entry.name)
            before = INSIDE.get(entry.kind, "{use: NAME}").replace("NAME", entry.name)
            begin = path.removesuffix(f".{entry.kind}") if entry.kind in INSIDE else path
            found += [(f"{begin}={before}", f"{path}.{option}") for option in _options(cls.Options)]
    return tuple(found)


@functools.cache
def files() -> tuple[tuple[str, str], ...]:
    """The options that name files."""
    return tuple(place for place in places() if place[1].rsplit(".", 1)[-1] in PATH_OPTIONS)


def _options(options: type[Options]) -> Iterator[str]:
    for name, field in options.model_fields.items():
        yield name
        for one in (field.annotation, *typing.get_args(field.annotation)):
            if isinstance(one, type) and issubclass(one, Options) and not issubclass(one, Component):
                yield from (f"{name}.{inner}" for inner in _options(one))


def check(draw: random.Random) -> tuple[str, Callable[[], str]]:
    """One input: a pipeline whose text was broken, or one with options set to odd values."""
    if draw.random() < 0.4:
        text = broken_text(draw.choice((PIPELINE, FULL)), VALUES, draw)
        return text, lambda: attempt(text, ())
    changes: list[str] = []
    for _ in range(draw.choice((1, 1, 2, 3))):
        before, path = draw.choice(files() if draw.random() < 0.15 else places())
        changes += [before] if before and draw.random() < 0.9 else []
        paths = path.rsplit(".", 1)[-1] in PATH_OPTIONS and draw.random() < 0.7
        changes.append(f"{path}={draw.choice(PATHS if paths else VALUES)}")
    return "\n".join(changes), lambda: attempt(FULL, changes)


def attempt(text: str, changes: typing.Sequence[str]) -> str:
    """Load a pipeline as `genrec check` does; what the oracle has against one that was accepted."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "p.yaml"
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        pipeline = load_pipeline(file, registry(), changes)
        Graph(pipeline, registry())
        described = pipeline.spec.described(pipeline.spec.seed)
        wrong = [value for value in _numbers(described) if value and not SMALLEST <= abs(value) <= LARGEST]
        if wrong:
            return f"accepted the number {wrong[0]}"
        file.write_text(yaml.safe_dump(described, sort_keys=False, allow_unicode=True), encoding="utf-8")
        again = load_pipeline(file, registry())
        if again.spec.described(again.spec.seed) != described:
            return "written down and read back it is another pipeline"
        pipeline.refuse_missing_files()
        pipeline.refuse_unusable()
    return ""


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for entry in value.values():
            yield from _numbers(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _numbers(entry)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


if __name__ == "__main__":
    main(check, "Fuzz pipeline files and option values.")
