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
from genrec_core.contracts.recommender import Recommender
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
        prompts: slot of the recommender → corpus that writes its prompts; a slot that is missing gets the
            default, `core/next-item`.
    """

    steps: Mapping[str, Reads]
    last: Reads
    backbones: Mapping[str, Backbone]
    prompts: Mapping[str, Corpus]

    @property
    def learns_identifiers(self) -> bool:
        """Whether a training step makes the identifiers that the recommender uses."""
        return self.last.identifiers.startswith("train.")


def wire(spec: Spec) -> tuple[Wiring, list[Problem]]:
    """The wiring of a pipeline, and what is wrong with it."""
    slots = {slot: model_stage(spec, slot) for slot in spec.model}
    backbones = {model_stage(spec, slot): backbone for slot, backbone in spec.model.items()}
    identifiers = list(backbones)[-1]  # each model's stage leaves them as its vocabulary tells them apart
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
    prompts, wrong = _prompts(spec)
    return Wiring(steps, Reads(slots, identifiers), backbones, prompts), problems + wrong


def model_stage(spec: Spec, slot: str) -> str:
    """The name of the stage that makes the first model of a slot."""
    return "model" if list(spec.model) == [slot] else f"model.{slot}"


def _prompts(spec: Spec) -> tuple[dict[str, Corpus], list[Problem]]:
    """The corpus that each slot of the recommender is asked by.

    It is the one that the recommender names for the slot, else the one it names for all, else the first
    corpus of the last training step that left a model in the slot, else that of the last step.
    """
    options, slots = spec.recommend.options, type(spec.recommend).slots
    prompts: dict[str, Corpus] = {}
    problems = [
        Problem(
            ("recommend", "prompts", slot),
            f"recommender `{spec.recommend.name}` has no model slot `{slot}`",
            did_you_mean(slot, slots),
        )
        for slot in options.prompts
        if slot not in slots
    ]
    for slot in slots:
        corpus, path = _named_prompt(options, slot) or _learnt_prompt(spec, slot)
        if corpus is None:
            continue
        prompts[slot] = corpus
        if type(corpus).prompt is Corpus.prompt:
            message = f"corpus `{corpus.name}` is no recommendation task, so it cannot write the prompt"
            hint = "name one that is: recommend: {use: core/beam, prompt: core/next-item}"
            problem = Problem(path, message, hint)
            problems += [problem] if problem not in problems else []
    return prompts, problems


Path = tuple[str | int, ...]


def _named_prompt(options: Recommender.Options, slot: str) -> tuple[Corpus, Path] | None:
    if slot in options.prompts:
        return options.prompts[slot], ("recommend", "prompts", slot)
    return (options.prompt, ("recommend", "prompt")) if options.prompt else None


def _learnt_prompt(spec: Spec, slot: str) -> tuple[Corpus | None, Path]:
    """The first corpus of the last step that trained this slot, or else of the last step."""
    own = [name for name, step in spec.train.items() if step.slot == slot]
    last = next(reversed(own or list(spec.train)), "")
    corpora = spec.train[last].trainer.options.corpora if last else ()
    return (corpora[0] if corpora else None), ("train", last, "corpora", 0)
