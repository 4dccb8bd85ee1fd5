"""The spec: everything a pipeline file may say, as checked values and ready components.

    genrec: 1
    name: tiny
    data: {source: core/synthetic}
    tokenizer: sid/rq-kmeans
    train: {sft: {use: core/sft, corpora: [core/next-item]}}

Two places in a file are shorter than what they mean. One model may stand without its slot's name
(`model: core/tiny-causal` is the slot `main`), and a training step's `from` and `to` stand beside the
trainer's options. `shaped` writes both out before anything is checked.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from genrec_core.contracts.backbone import Backbone
from genrec_core.contracts.baseline import Baseline
from genrec_core.contracts.grounder import Grounder
from genrec_core.contracts.observer import Observer
from genrec_core.contracts.options import Options
from genrec_core.contracts.recommender import Recommender
from genrec_core.contracts.source import Source
from genrec_core.contracts.split import Split
from genrec_core.contracts.tokenizer import Tokenizer
from genrec_core.contracts.trainer import Trainer
from genrec_core.registry.problems import OptionsError, Problem, shown

_MAIN = "main"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _name(value: str) -> str:
    """Names become names of folders, so nothing may stand in them that leads out of one."""
    if not _NAME.fullmatch(value):
        hint = "use at most 64 letters, digits, `.`, `_` and `-`, the first a letter or digit"
        raise OptionsError([Problem((), f"{shown(value)} cannot be a name", hint)])
    return value


def _default(plain: Any, **checks: Any) -> Any:
    """A field whose default is written as a file would write it, and is checked and built like one."""
    return Field(default=plain, validate_default=True, **checks)


def _component(name: str) -> Any:
    return _default({"use": name})


Name = Annotated[str, AfterValidator(_name)]


class DataBlock(Options):
    """`data`: where interactions come from and how they are cut."""

    source: Source
    split: Split = _component("core/leave-one-out")
    max_history: int = Field(default=20, ge=1, le=100_000)
    """How many of the newest items before a target may be used, by every system alike."""
    limit: int | None = Field(default=None, ge=1)
    """Use so many users only, to try a pipeline; its name and every result then say so."""


class Step(Options):
    """One step of `train`: a trainer, and the model slots of the pipeline that it reads and writes.

    A trainer with one slot is given one name, one with several a mapping from its own slots; by default a
    trainer's slot reads the pipeline's slot of the same name, and leaves its model where it found it.
    """

    model_config = ConfigDict(populate_by_name=False)

    trainer: Trainer
    reads: Name | dict[Name, Name] | None = Field(default=None, alias="from")
    """The slots whose models are read."""
    writes: Name | dict[Name, Name] | None = Field(default=None, alias="to")
    """The slots that hold the trained models afterwards; those that were read by default."""

    def sources(self) -> dict[str, str]:
        """Trainer slot → pipeline slot that it reads."""
        slots = type(self.trainer).slots
        named = _by_slot(self.reads, slots)
        return {slot: named.get(slot, slot) for slot in slots}

    def targets(self) -> dict[str, str]:
        """Trainer slot that is given back → pipeline slot that holds its model afterwards."""
        slots, sources = self.trainer.changed(), self.sources()
        named = _by_slot(self.writes, slots)
        return {slot: named.get(slot, sources[slot]) for slot in slots}

    def unknown(self) -> list[tuple[str, str]]:
        """What `from` and `to` say about slots that the trainer does not have: key and slot."""
        given = (("from", self.reads, type(self.trainer).slots), ("to", self.writes, self.trainer.changed()))
        return [
            (key, slot)
            for key, value, slots in given
            for slot in (value if isinstance(value, dict) else ())
            if slot not in slots
        ]

    def described_slots(self) -> dict[str, Any]:
        """`from` and `to` as a file would write them."""
        sides = {"from": self.sources(), "to": self.targets()}
        return {key: next(iter(side.values())) if len(side) == 1 else side for key, side in sides.items()}


def _by_slot(value: str | dict[str, str] | None, slots: tuple[str, ...]) -> dict[str, str]:
    if isinstance(value, str):
        return dict.fromkeys(slots[:1], value)
    return value or {}


class EvaluateBlock(Options):
    """`evaluate`: what is measured, and against whom."""

    at: tuple[Annotated[int, Field(ge=1, le=100_000)], ...] = Field(default=(5, 10), min_length=1)
    """Cut-offs k of recall@k and its kin; none may be above the recommender's beams. By default 5 and 10, or
    less where there are fewer beams."""
    baselines: tuple[Baseline, ...] = _default(({"use": "core/popular"},))
    """Recommenders that stand in the same table."""
    filter_viewed: bool = False
    """Take items of the user's history out of every ranking first."""
    domain_field: str = ""
    """Item field that names an item's domain: every system answers each request from the domain of its next
    item alone. Empty: from the whole catalogue."""
    valid: bool = True
    """Evaluate the validation rows too (they cost as much generation as the test rows)."""
    resamples: int = Field(default=1000, ge=0, le=100_000)
    """Bootstrap resamples for the intervals; 0 leaves intervals out."""


class Spec(Options):
    """A pipeline."""

    genrec: Literal[1]
    """Version of this file format."""
    name: Name
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    seeds: tuple[Annotated[int, Field(ge=0, le=2**31 - 1)], ...] = ()
    """Run once with each of these seeds and report mean and spread; `seed` is then not used."""
    data: DataBlock
    model: dict[Name, Backbone] = _default({_MAIN: {"use": "core/tiny-causal"}}, min_length=1)
    """Slot → backbone; most pipelines have the one slot `main`."""
    tokenizer: Tokenizer
    train: dict[Name, Step] = Field(default_factory=dict)
    """Training steps in order; each reads the model, and the identifiers, that the steps before left."""
    recommend: Recommender = _component("core/beam")
    ground: Grounder = _component("core/exact")
    evaluate: EvaluateBlock = _default({})
    observe: tuple[Observer, ...] = ()

    @field_validator("genrec", mode="before")
    @classmethod
    def _whole_number(cls, value: Any) -> Any:
        """In Python `true` and 1.0 equal 1; in a file they are something else."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise OptionsError(
                [Problem((), f"`genrec` is {shown(value)}, but must be the number `1`", "write 1")]
            )
        return value

    @model_validator(mode="after")
    def _one_kind_of_seed(self) -> Self:
        if self.seeds and "seed" in self.model_fields_set:
            raise OptionsError([Problem(("seed",), "`seed` and `seeds` are both given", "keep one of them")])
        if len(set(self.seeds)) < len(self.seeds):
            raise OptionsError([Problem(("seeds",), "a seed is given twice", "give different seeds")])
        return self

    @property
    def cutoffs(self) -> tuple[int, ...]:
        """`evaluate.at`; where a file leaves it out, those of the default that answers reach."""
        at, most = self.evaluate.at, self.recommend.most_candidates()
        if "at" in self.evaluate.model_fields_set or most is None:
            return at
        return tuple(k for k in at if k <= most) or (most,)

    def described(self, seed: int) -> dict[str, Any]:
        """The pipeline as a file would write it, every default filled in, for one seed."""
        models = {slot: backbone.described() for slot, backbone in self.model.items()}
        steps = {
            name: {**step.trainer.described(), **step.described_slots()} for name, step in self.train.items()
        }
        evaluate = self.evaluate.model_dump(mode="json", exclude={"baselines"})
        return {
            "genrec": self.genrec,
            "name": self.name,
            "seed": seed,
            "data": {
                "source": self.data.source.described(),
                "split": self.data.split.described(),
                "max_history": self.data.max_history,
                **({} if self.data.limit is None else {"limit": self.data.limit}),
            },
            "model": models[_MAIN] if list(models) == [_MAIN] else models,
            "tokenizer": self.tokenizer.described(),
            "train": steps,
            "recommend": self.recommend.described(),
            "ground": self.ground.described(),
            "evaluate": {
                **evaluate,
                "at": list(self.cutoffs),
                "baselines": [b.described() for b in self.evaluate.baselines],
            },
            "observe": [observer.described() for observer in self.observe],
        }


def default_blocks() -> dict[str, Any]:
    """Blocks that a pipeline has even if its file leaves them out, so that `--set` can reach into them."""
    return {
        "model": {"use": "core/tiny-causal"},
        "recommend": {"use": "core/beam"},
        "ground": {"use": "core/exact"},
        "evaluate": {"baselines": ["core/popular"]},
    }


def shaped(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a file with the two short forms written out; what is malformed stays as it is.

    A pipeline that is only tried on a part of its data is called so, wherever its name is printed.
    """
    full = dict(values)
    data, name = full.get("data"), full.get("name")
    if isinstance(data, dict) and isinstance(name, str) and type(data.get("limit")) is int:
        mark = f"-limit-{data['limit']}"
        full["name"] = name if name.endswith(mark) else f"{name[: 64 - len(mark)]}{mark}"
    model = full.get("model")
    if isinstance(model, str) or (isinstance(model, dict) and "use" in model):
        full["model"] = {_MAIN: model}
    train = full.get("train")
    if isinstance(train, dict):
        full["train"] = {name: _step(step) for name, step in train.items()}
    elif "train" in full and train is None:
        full["train"] = {}  # `train:` with nothing below it: no training
    return full


def _step(raw: Any) -> Any:
    if not isinstance(raw, dict):
        return {"trainer": raw}
    slots = {key: raw[key] for key in ("from", "to") if key in raw}
    return {"trainer": {key: value for key, value in raw.items() if key not in slots}, **slots}
