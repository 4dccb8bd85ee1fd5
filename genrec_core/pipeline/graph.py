"""The graph: a pipeline as stages in the order they run, each with what it reads.

    data → embed → tokenize → model → train.sft → recommend → ground
         → baseline.popular → rank.popular → evaluate

Encoders nested anywhere in the pipeline get one `embed` stage each, however often they are named, and so do
baselines: one `baseline` stage, before the first that reads what was learnt. The oracle joins the baselines
by itself where the data knows its own distribution.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from genrec_core.contracts.baseline import Baseline
from genrec_core.contracts.component import Component
from genrec_core.contracts.grounder import Grounder
from genrec_core.contracts.tokenizer import LearnFrom
from genrec_core.evaluation.evaluate import ORACLE
from genrec_core.pipeline.artifacts import ModelAt
from genrec_core.pipeline.load import Pipeline
from genrec_core.pipeline.stages.baseline import (
    BaselineStage,
    RankStage,
    baseline_key,
    distinct_baselines,
)
from genrec_core.pipeline.stages.data import (
    DataStage,
    DomainsStage,
    EmbedStage,
    distinct_encoders,
    encoder_key,
)
from genrec_core.pipeline.stages.evaluate import EvaluateStage, ValidateStage
from genrec_core.pipeline.stages.identifiers import ModelStage, TokenizeStage
from genrec_core.pipeline.stages.recommend import GroundStage, RecommendStage, TuneStage
from genrec_core.pipeline.stages.stage import Stage
from genrec_core.pipeline.stages.train import TrainStage
from genrec_core.pipeline.wiring import TOKENIZE, model_stage, slots_asked
from genrec_core.registry.registry import Registry

DATA = "data"
DOMAINS = "domains"
TUNE = "tune"
EVALUATE = "evaluate"
VALIDATE = "validate"


class Graph:
    """Builds the stages of one pipeline.

    Args:
        pipeline: which.
        registry: knows the oracle.
        validation: only what it takes to judge it by validation rows; test rows are not answered.

    Attributes:
        stages: name → stage, in an order in which every stage comes after what it reads.
    """

    def __init__(self, pipeline: Pipeline, registry: Registry, *, validation: bool = False) -> None:
        self.pipeline, self.spec, self.validation = pipeline, pipeline.spec, validation
        self.baselines = {} if validation else named_baselines(pipeline, registry)
        self.fits = self._fits()
        self._fitted: set[str] = set()
        self.stages: dict[str, Stage] = {stage.name: stage for stage in self._stages()}

    def _stages(self) -> Iterator[Stage]:
        data = self.spec.data
        yield DataStage(
            name=DATA,
            source=data.source,
            split=data.split,
            max_history=data.max_history,
            limit=data.limit,
        )
        evaluate, views = self.spec.evaluate, ("test", "valid")
        if evaluate.domain_field:
            asked = (
                views if evaluate.valid or self.validation or self.spec.recommend.undecided() else views[:1]
            )
            yield DomainsStage(
                name=DOMAINS, item_field=evaluate.domain_field, views=asked, inputs={"data": DATA}
            )
        yield from self._embeds()
        yield from self._fitting(self.spec.tokenizer)
        yield TokenizeStage(
            name=TOKENIZE, tokenizer=self.spec.tokenizer, inputs=self._reading(self.spec.tokenizer)
        )
        yield from self._models()
        yield from self._answers()
        yield from self._verdict()

    def _embeds(self) -> Iterator[Stage]:
        spec = self.spec
        trainers = [step.trainer for step in spec.train.values()]
        users: list[Component] = [
            spec.tokenizer,
            *trainers,
            spec.recommend,
            spec.ground,
            *self.baselines.values(),
        ]
        encoders, named_by = distinct_encoders(users), distinct_encoders([spec.tokenizer])
        self.embeds: dict[str, str] = {}
        for number, (key, encoder) in enumerate(encoders.items(), 1):
            name = "embed" if len(encoders) == 1 else f"embed.{number}"
            self.embeds[key] = name
            learn_from: LearnFrom = spec.tokenizer.options.learn_from if key in named_by else "all"
            yield EmbedStage(name=name, encoder=encoder, learn_from=learn_from, inputs={"data": DATA})

    def _fits(self) -> dict[str, str]:
        """Key of each baseline → name of the stage that fits it; those in the table come first."""
        spec = self.spec
        keys = {baseline_key(baseline): name for name, baseline in reversed(self.baselines.items())}
        named = dict(zip(self.baselines, _short_names(list(self.baselines)), strict=True))
        fits = {key: f"baseline.{named[name]}" for key, name in keys.items()}
        trainers = [step.trainer for step in spec.train.values()]
        users = [spec.tokenizer, *trainers, spec.recommend, spec.ground, *self.baselines.values()]
        for key, baseline in distinct_baselines(users).items():
            short, taken = f"baseline.{baseline.name.rpartition('/')[2]}", set(fits.values())
            numbered = (short if number == 1 else f"{short}-{number}" for number in itertools.count(1))
            fits.setdefault(key, next(name for name in numbered if name not in taken))
        return fits

    def _fitting(self, component: Component) -> Iterator[Stage]:
        """Stages of the baselines that a component is or names, those that no earlier component named."""
        for key, baseline in distinct_baselines([component]).items():
            if self.fits[key] not in self._fitted:
                self._fitted.add(self.fits[key])
                yield BaselineStage(
                    name=self.fits[key], baseline=baseline, inputs=self._reading(baseline, of_itself=True)
                )

    def _models(self) -> Iterator[Stage]:
        wiring, identifiers = self.pipeline.wiring, TOKENIZE
        for slot, backbone in self.spec.model.items():
            name = model_stage(self.spec, slot)
            inputs = {"identifiers": identifiers, **self._reading(backbone)}
            yield ModelStage(name=name, backbone=backbone, inputs=inputs)
            identifiers = name
        for name, step in self.spec.train.items():
            yield from self._fitting(step.trainer)
            reads = wiring.steps[name]
            models = {own: reads.models[slot] for own, slot in step.sources().items()}
            asked = {slot: reads.models[slot] for slot in slots_asked(step.trainer)}
            yield TrainStage(
                name=f"train.{name}",
                trainer=step.trainer,
                models=models,
                asked=asked,
                inputs={
                    **model_inputs(models, asked),
                    "identifiers": reads.identifiers,
                    **self._reading(step.trainer),
                },
            )

    def _answers(self) -> Iterator[Stage]:
        spec, last = self.spec, self.pipeline.wiring.last
        views = ("test", "valid") if spec.evaluate.valid else ("test",)
        views = ("valid",) if self.validation else views
        models = {slot: last.models[slot] for slot in type(spec.recommend).slots}
        prompts = self.pipeline.prompts
        asked = {slot: last.models[slot] for slot in slots_asked(spec.recommend, *prompts.values())}
        for component in (spec.recommend, spec.ground):
            yield from self._fitting(component)
        inputs = {
            "identifiers": last.identifiers,
            **model_inputs(models, asked),
            **self._reading(spec.recommend),
            **self._limits(),
        }
        tuned = {}
        if spec.recommend.undecided():
            tuned = {"tuned": TUNE}
            yield TuneStage(
                name=TUNE,
                recommender=spec.recommend,
                prompts=prompts,
                models=models,
                asked=asked,
                filter_viewed=spec.evaluate.filter_viewed,
                inputs=inputs,
            )
        yield RecommendStage(
            name="recommend",
            recommender=spec.recommend,
            prompts=prompts,
            models=models,
            asked=asked,
            views=views,
            filter_viewed=spec.evaluate.filter_viewed,
            rules=spec.ground if type(spec.ground).allowed is not Grounder.allowed else None,
            inputs={**inputs, **tuned},
        )
        yield self._grounding(views)

    def _grounding(self, views: tuple[str, ...]) -> Stage:
        spec, last = self.spec, self.pipeline.wiring.last
        asked = {slot: last.models[slot] for slot in slots_asked(spec.ground)}
        return GroundStage(
            name="ground",
            asked=asked,
            grounder=spec.ground,
            views=views,
            depth=max(spec.cutoffs),
            filter_viewed=spec.evaluate.filter_viewed,
            inputs={
                "candidates": "recommend",
                "identifiers": last.identifiers,
                **model_inputs({}, asked),
                **self._reading(spec.ground),
                **self._limits(),
            },
        )

    def _verdict(self) -> Iterator[Stage]:
        evaluate = self.spec.evaluate
        judged = {
            "data": DATA,
            "identifiers": self.pipeline.wiring.last.identifiers,
            "rankings": "ground",
        }
        if self.validation:
            yield ValidateStage(
                name=VALIDATE,
                at=self.spec.cutoffs,
                filter_viewed=evaluate.filter_viewed,
                resamples=evaluate.resamples,
                domain_field=evaluate.domain_field,
                inputs=judged,
            )
            return
        short = _short_names(list(self.baselines))
        stage_of = {name: f"rank.{one}" for name, one in zip(self.baselines, short, strict=True)}
        for name, baseline in self.baselines.items():
            yield from self._fitting(baseline)
            yield RankStage(
                name=stage_of[name],
                baseline=baseline,
                depth=max(self.spec.cutoffs),
                filter_viewed=evaluate.filter_viewed,
                inputs={"data": DATA, "fitted": self.fits[baseline_key(baseline)], **self._limits()},
            )
        yield EvaluateStage(
            name=EVALUATE,
            baselines=tuple(self.baselines),
            at=self.spec.cutoffs,
            filter_viewed=evaluate.filter_viewed,
            valid=evaluate.valid,
            resamples=evaluate.resamples,
            domain_field=evaluate.domain_field,
            inputs={**judged, **{f"baseline:{name}": stage for name, stage in stage_of.items()}},
        )

    def _reading(self, component: Component, *, of_itself: bool = False) -> dict[str, str]:
        """The data, the embeddings of every encoder nested in a component, and what its baselines learnt."""
        names = [self.embeds[key] for key in distinct_encoders([component]) if key in self.embeds]
        own = baseline_key(component) if of_itself and isinstance(component, Baseline) else ""
        names += [self.fits[key] for key in distinct_baselines([component]) if key != own]
        return {"data": DATA, **{name: name for name in names}}

    def _limits(self) -> dict[str, str]:
        """The stage that says which items may be answered with, where not all may."""
        return {DOMAINS: DOMAINS} if self.spec.evaluate.domain_field else {}

    def embed_stages(self) -> Mapping[str, str]:
        """Key of an encoder → name of the stage that keeps its embeddings."""
        return {
            encoder_key(stage.encoder): stage.name
            for stage in self.stages.values()
            if isinstance(stage, EmbedStage)
        }


def model_inputs(models: Mapping[str, ModelAt], asked: Mapping[str, ModelAt]) -> dict[str, str]:
    """Role → stage of the models that a stage works on and of those that its components ask."""
    own = {f"model.{slot}": at.stage for slot, at in models.items()}
    return own | {f"slot.{slot}": at.stage for slot, at in asked.items()}


def named_baselines(pipeline: Pipeline, registry: Registry) -> dict[str, Baseline]:
    """Baselines by the name they have in the metrics; a second of one kind is `core/item-knn#2`."""
    spec = pipeline.spec
    listed = list(spec.evaluate.baselines)
    if type(spec.data.source).has_oracle and all(baseline.name != ORACLE for baseline in listed):
        oracle = registry.build("baseline", ORACLE)
        assert isinstance(oracle, Baseline)
        listed.append(oracle)
    named: dict[str, Baseline] = {}
    for baseline in listed:
        count = sum(other.name == baseline.name for other in named.values()) + 1
        named[baseline.name if count == 1 else f"{baseline.name}#{count}"] = baseline
    return named


def _short_names(names: list[str]) -> list[str]:
    """In stage names: `popular` where that is clear, else `core-popular`."""
    last = [name.rpartition("/")[2] for name in names]
    return [
        (short if last.count(short) == 1 else name).replace("/", "-").replace("#", "-")
        for name, short in zip(names, last, strict=True)
    ]
