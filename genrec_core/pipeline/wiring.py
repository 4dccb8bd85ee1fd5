"""Wiring: which model, which identifiers and which prompt each part of a pipeline reads.

Steps of `train` run in order. A step takes the models of the slots it reads and leaves its own in the slots
it writes; a trainer that learns identifiers leaves those too, for every later step. What the recommender then
finds is what was left last. All of this is known before anything runs, and so is what cannot work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from genrec_core.contracts.component import Component
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.errors import examples
from genrec_core.contracts.recommender import Recommender
from genrec_core.pipeline.artifacts import ModelAt
from genrec_core.pipeline.spec import Spec, Step
from genrec_core.registry.problems import OptionPath, Problem, did_you_mean

TOKENIZE = "tokenize"


@dataclass(frozen=True)
class Reads:
    """What a training step or the recommender starts from.

    Attributes:
        models: slot of the pipeline → where its model is.
        identifiers: name of the stage that left the identifiers.
    """

    models: Mapping[str, ModelAt]
    identifiers: str


@dataclass(frozen=True)
class Wiring:
    """Who reads what.

    Attributes:
        steps: name of a training step → what stands before it.
        last: what stands after training: what the recommender reads.
        prompts: slot of the recommender → corpus that writes its prompts; a slot that is missing gets the
            default, `core/next-item`.
    """

    steps: Mapping[str, Reads]
    last: Reads
    prompts: Mapping[str, Corpus]

    @property
    def learns_identifiers(self) -> bool:
        """Whether a training step makes the identifiers that the recommender uses."""
        return self.last.identifiers.startswith("train.")


def wire(spec: Spec) -> tuple[Wiring, list[Problem]]:
    """The wiring of a pipeline, and what is wrong with it."""
    slots, problems = _first_models(spec)
    problems += _unasked(("tokenizer",), {}, spec.tokenizer)
    # Each model's stage leaves the identifiers as its vocabulary tells them apart.
    identifiers, steps = model_stage(spec, list(spec.model)[-1]), dict[str, Reads]()
    for name, step in spec.train.items():
        wrong = _misread(name, step, slots)
        problems += wrong + _unasked(("train", name), slots, step.trainer)
        if step.trainer.needs_corpora and not step.trainer.options.corpora:
            message = f"trainer `{step.trainer.name}` has no corpora, so there is nothing to learn"
            problems.append(
                Problem(("train", name, "corpora"), message, "write corpora: [{use: core/next-item}]")
            )
        steps[name] = Reads(dict(slots), identifiers)
        if wrong:
            continue
        sources = step.sources()
        for own, slot in step.targets().items():
            slots[slot] = ModelAt(f"train.{name}", slots[sources[own]].backbone, own)
        if step.trainer.learns_identifiers:
            identifiers = f"train.{name}"
    for slot in type(spec.recommend).slots:
        if slot not in slots:
            message = (
                f"recommender `{spec.recommend.name}` reads a model from the slot `{slot}`, which is empty"
            )
            problems.append(Problem(("recommend",), message, f"add the slot to `model`: {{{slot}: …}}"))
    problems += _unasked(("recommend",), slots, spec.recommend)
    problems += _unasked(("ground",), slots, spec.ground)
    problems += _unreadable_items(spec)
    problems += _too_few_candidates(spec)
    prompts, unfit = _prompts(spec)
    return Wiring(steps, Reads(slots, identifiers), prompts), problems + unfit


def model_stage(spec: Spec, slot: str) -> str:
    """The name of the stage that makes the first model of a slot."""
    return "model" if list(spec.model) == [slot] else f"model.{slot}"


def slots_asked(*components: Component) -> tuple[str, ...]:
    """Slots of the pipeline that these components, and those nested in them, ask through `Context.models`."""
    every = [inner for one in components for inner in (one, *(inner for _, inner in one.nested()))]
    return tuple(dict.fromkeys(slot for component in every for slot in component.model_slots()))


def _first_models(spec: Spec) -> tuple[dict[str, ModelAt], list[Problem]]:
    """The models before training: those of `model`, and the one that the tokenizer owns."""
    slots = {slot: ModelAt(model_stage(spec, slot), backbone) for slot, backbone in spec.model.items()}
    own = type(spec.tokenizer).slot
    if not own:
        return slots, []
    if own in slots:
        message = f"the slot `{own}` belongs to the tokenizer `{spec.tokenizer.name}`"
        hint = f"give the backbone as the tokenizer's option `{own}` and leave it out here"
        return slots, [Problem(("model", own), message, hint)]
    return {**slots, own: ModelAt(TOKENIZE, getattr(spec.tokenizer.options, own))}, []


def _misread(name: str, step: Step, slots: Mapping[str, ModelAt]) -> list[Problem]:
    """What is wrong with the slots that a step reads and writes."""
    own, problems = type(step.trainer).slots, []
    for key, value, known in (("from", step.reads, own), ("to", step.writes, step.trainer.changed())):
        if isinstance(value, str) and len(known) > 1:
            message = f"trainer `{step.trainer.name}` has the slots {examples(known)}, and one name is given"
            problems.append(Problem(("train", name, key), message, f"write a block: {{{known[0]}: {value}}}"))
    for key, slot in step.unknown():
        message = f"trainer `{step.trainer.name}` has no model slot `{slot}` here"
        problems.append(Problem(("train", name, key, slot), message, did_you_mean(slot, own)))
    for slot in step.sources().values():
        if slot not in slots:
            path = ("train", name, "from") if step.reads else ("train", name)
            message = f"no model is in the slot `{slot}` here"
            problems.append(Problem(path, message, did_you_mean(slot, slots)))
    return problems


def _unasked(
    path: tuple[str | int, ...], slots: Mapping[str, ModelAt], component: Component
) -> list[Problem]:
    """Slots that a component would ask and that hold no model at its stage."""
    when = "before the tokenizer, no slot holds a model" if not slots else f"there are {examples(slots)}"
    return [
        Problem(path, f"a component here asks the model in the slot `{slot}`, which is empty", when)
        for slot in slots_asked(component)
        if slot not in slots
    ]


def _unreadable_items(spec: Spec) -> list[Problem]:
    """Models that read histories by item, where identifiers are words or are made anew by training."""
    asking = [slot for slot, backbone in spec.model.items() if backbone.needs_codes()]
    learning = [name for name, step in spec.train.items() if step.trainer.learns_identifiers]
    why = ""
    if not spec.tokenizer.writes_codes():
        why = f"tokenizer `{spec.tokenizer.name}` writes words, which stand in other texts too"
    elif learning:
        why = f"the step `{learning[0]}` of `train` gives items other identifiers than those it was made for"
    return [
        Problem(
            ("model", slot, "positions"),
            f"the model reads histories by item, which needs identifiers of codes, and {why}",
            "write `positions: token`, or use a tokenizer of semantic IDs",
        )
        for slot in asking
        if why
    ]


def _too_few_candidates(spec: Spec) -> list[Problem]:
    """A cut-off that the recommender's answers do not reach: its recall would count what was never asked."""
    deepest, most = max(spec.cutoffs), spec.recommend.most_candidates()
    if most is None or deepest <= most:
        return []
    message = (
        f"`at` looks at the first {deepest} items, and recommender `{spec.recommend.name}` writes only "
        f"{most} candidates"
    )
    hint = f"write `recommend.beams: {deepest}` or more, or leave out the cut-offs above {most}"
    return [Problem(("evaluate", "at"), message, hint)]


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


def _named_prompt(options: Recommender.Options, slot: str) -> tuple[Corpus, OptionPath] | None:
    if slot in options.prompts:
        return options.prompts[slot], ("recommend", "prompts", slot)
    return (options.prompt, ("recommend", "prompt")) if options.prompt else None


def _learnt_prompt(spec: Spec, slot: str) -> tuple[Corpus | None, OptionPath]:
    """The first corpus of the last step that trained this slot, or else of the last step."""
    own = [name for name, step in spec.train.items() if slot in step.targets().values()]
    last = next(reversed(own or list(spec.train)), "")
    corpora = spec.train[last].trainer.options.corpora if last else ()
    return (corpora[0] if corpora else None), ("train", last, "corpora", 0)
