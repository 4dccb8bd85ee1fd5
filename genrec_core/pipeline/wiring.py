"""Wiring: which model, which identifiers and which prompt each part of a pipeline reads.

Steps of `train` run in order. A step takes the model of the slot it reads and leaves its own in the slot it
writes; a trainer that learns identifiers leaves those too, for every later step. What the recommender then
finds is what was left last. All of this is known before anything runs, and so is what cannot work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.model import Backbone
from genrec_core.pipeline.spec import Spec
from genrec_core.registry.problems import Problem, did_you_mean

TOKENIZE = "tokenize"


@dataclass(frozen=True)
class Reads:
    """What a training step or the recommender starts from, as names of stages.

    Attributes:
        models: slot → stage that left the model.
        identifiers: stage that left the identifiers.
    """

    models: Mapping[str, str]
    identifiers: str


@dataclass(frozen=True)
class Wiring:
    """Who reads what.

    Attributes:
        steps: name of a training step → what it reads.
        last: what the recommender reads.
            backbones: stage that leaves a model → backbone that loads it.
        prompt: the corpus that writes prompts; None means the default of `core/next-item`.
    """

    steps: Mapping[str, Reads]
    last: Reads
    backbones: Mapping[str, Backbone]
    prompt: Corpus | None


def wire(spec: Spec) -> tuple[Wiring, list[Problem]]:
    """The wiring of a pipeline, and what is wrong with it."""
    slots = {slot: model_stage(spec, slot) for slot in spec.model}
    backbones = {model_stage(spec, slot): backbone for slot, backbone in spec.model.items()}
    identifiers = TOKENIZE
    steps: dict[str, Reads] = {}
    problems: list[Problem] = []
    for name, step in spec.train.items():
        if step.reads not in slots:
            hint = did_you_mean(step.reads, slots)
            problems.append(
                Problem(("train", name, "from"), f"no model is in the slot `{step.reads}` here", hint)
            )
            continue
        steps[name] = Reads({step.reads: slots[step.reads]}, identifiers)
        backbones[f"train.{name}"] = backbones[slots[step.reads]]
        slots[step.slot] = f"train.{name}"
        if step.trainer.learns_identifiers:
            identifiers = f"train.{name}"
    for slot in type(spec.recommend).slots:
        if slot not in slots:
            message = (
                f"recommender `{spec.recommend.name}` reads a model from the slot `{slot}`, which is empty"
            )
            problems.append(Problem(("recommend",), message, f"add the slot to `model`: {{{slot}: …}}"))
    prompt, wrong = _prompt(spec)
    return Wiring(steps, Reads(slots, identifiers), backbones, prompt), problems + wrong


def model_stage(spec: Spec, slot: str) -> str:
    """The name of the stage that makes the first model of a slot."""
    return "model" if list(spec.model) == [slot] else f"model.{slot}"


def _prompt(spec: Spec) -> tuple[Corpus | None, list[Problem]]:
    """The corpus that the recommender asks by: its own, else the first of the last training step."""
    corpus: Corpus | None = spec.recommend.options.prompt
    path: tuple[str | int, ...] = ("recommend", "prompt")
    if corpus is None:
        last = next(reversed(spec.train), "")
        corpora = spec.train[last].trainer.options.corpora if last else ()
        corpus = corpora[0] if corpora else None
        path = ("train", last, "corpora", 0)
    if corpus is None or type(corpus).prompt is not Corpus.prompt:
        return corpus, []
    message = f"corpus `{corpus.name}` is no recommendation task, so it cannot write the prompt"
    hint = "name one that is: recommend: {use: core/beam, prompt: core/next-item}"
    return corpus, [Problem(path, message, hint)]
