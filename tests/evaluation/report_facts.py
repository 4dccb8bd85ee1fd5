"""A whole report's facts, small but with every section in it."""

from __future__ import annotations

import math

import numpy as np

from genrec_core.contracts.candidates import How, Ranked
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import View
from genrec_core.evaluation.evaluate import (
    CatalogueFacts,
    EvaluationInputs,
    EvaluationResult,
    EvaluationSettings,
    evaluate,
)
from genrec_core.evaluation.metrics import identifier_groups
from genrec_core.evaluation.rankings import Rankings
from genrec_core.evaluation.report.facts import ReportFacts, StageFacts, shown_examples
from genrec_core.identifiers.diagnosis.diagnosis import IdentifierInputs, examine
from genrec_core.identifiers.health import health

ITEMS, USERS, BEAMS = 240, 900, 20
ADJECTIVES = ("Copper", "Folding", "Quiet", "Alpine", "Northern", "Paper", "Coastal", "Winter")
NOUNS = ("lantern", "kettle", "notebook", "tent", "radio", "scarf", "compass", "blanket", "lamp", "basket")
PROTOCOL = {
    "split": "core/leave-one-out",
    "max_history": 20,
    "candidates": "all items",
    "filter_viewed": False,
    "targets": "5f0c2a9b",
    "hash": "3b1f9ac07d52",
}


def catalogue() -> Catalogue:
    titles = [f"{ADJECTIVES[i % 8]} {NOUNS[i // 8 % 10]} no. {i // 80 + 1} <b>&" for i in range(ITEMS)]
    codes = [(f"<a_{i % 16}>", f"<b_{i // 16 % 12}>", f"<c_{min(i % 7, 4)}>") for i in range(ITEMS)]
    codes[5], codes[21] = codes[4], codes[4]
    return Catalogue(Items(tuple(f"i{i}" for i in range(ITEMS)), {"title": titles}), Identifiers.of(codes))


def view(generator: np.random.Generator) -> View:
    weights = 1 / np.arange(1, ITEMS + 1)
    rows = [
        generator.choice(ITEMS, size, p=weights / weights.sum()) for size in generator.integers(2, 40, USERS)
    ]
    targets = generator.choice(ITEMS, USERS, p=weights / weights.sum()).astype(np.int32)
    return View("test", tuple(f"user {u}" for u in range(USERS)), Sequences.of(rows), targets, 20)


def rankings(test: View, skill: float, generator: np.random.Generator, *, written: bool) -> Rankings:
    def rows():
        for target in test.targets.tolist():
            items = generator.permutation(ITEMS)[:BEAMS].astype(np.int32)
            if generator.random() < skill and target not in items:
                items[min(BEAMS - 1, int(generator.exponential(4)))] = target
            scores = -np.arange(len(items), dtype=np.float32)
            if not written:
                yield Ranked.direct(items, scores)
                continue
            reached = np.full(BEAMS, How.DIRECT, dtype=np.uint8)
            reached[generator.random(BEAMS) < 0.06] = How.STRUCTURAL
            reached[generator.random(BEAMS) < 0.03] = How.NONE
            kept = np.flatnonzero(reached)
            yield Ranked(
                items[kept],
                scores[kept],
                reached[kept],
                BEAMS,
                BEAMS - len(kept),
                kept.astype(np.int32),
                reached,
            )

    return Rankings.of(rows(), BEAMS)


def evaluated(
    seed: int = 3, skill: float = 0.42, **changes: object
) -> tuple[EvaluationResult, EvaluationInputs]:
    generator = np.random.default_rng(seed)
    test = view(generator)
    facts = CatalogueFacts(
        ITEMS, np.bincount(test.rows.values, minlength=ITEMS), identifier_groups(catalogue().identifiers)
    )
    skills = {"core/popular": 0.08, "core/item-knn": 0.27, "core/oracle": 0.62}
    inputs = EvaluationInputs(
        test=test,
        catalogue=facts,
        protocol={**PROTOCOL, **changes},
        model=rankings(test, skill, generator, written=True),
        baselines={name: rankings(test, s, generator, written=False) for name, s in skills.items()},
    )
    return evaluate(inputs, EvaluationSettings(resamples=300)), inputs


def diagnosis():
    shop = catalogue()
    places = np.random.default_rng(2).standard_normal((ITEMS, 8)).astype(np.float32)
    return examine(IdentifierInputs(shop.identifiers, shop.items, lambda: places, "core/ngrams"))


def _stage(name: str) -> StageFacts:
    if name in ("data", "embed.tokenizer", "tokenize", "model"):
        return StageFacts(name, "reused", "found in the store", "0f9c")
    return StageFacts(name, "run", "options changed" if name == "train.sft" else "an input changed", "77ab")


def report_facts() -> ReportFacts:
    result, inputs = evaluated()
    shown = shown_examples(inputs.test, inputs.model, result.ranks["model"], catalogue())
    metrics = {
        **result.metrics,
        "identifiers": health(catalogue().identifiers),
        "cost": {
            "data": {"seconds": 0.8},
            "embed.tokenizer": {"seconds": 2.1},
            "tokenize": {"seconds": 3.4},
            "model": {"seconds": 1.2},
            "train.sft": {"seconds": 148.0, "tokens": 4_200_000, "peak_mb": 812.0},
            "recommend": {"seconds": 21.5, "peak_mb": 640.0},
            "ground": {"seconds": 0.2},
            "evaluate": {"seconds": 0.1},
        },
    }
    steps = np.arange(0, 2000, 20)
    noise = np.random.default_rng(1).normal(0, 0.05, len(steps))
    loss = [(float(s), 4.2 * math.exp(-s / 500) + 1.1 + n) for s, n in zip(steps, noise, strict=True)]
    valid = [(float(s), 0.11 * (1 - math.exp(-s / 600))) for s in range(0, 2000, 200)]
    return ReportFacts(
        name="tiny-sid",
        run_id="20260101-120000-3b1f",
        metrics=metrics,
        pipeline_yaml="genrec: 1\nname: tiny-sid\nseed: 7\ntokenizer: {use: sid/rq-kmeans, levels: 3}\n",
        plan=[_stage(name) for name in metrics["cost"]],
        curves={"sft": {"loss": loss, "valid_recall@10": valid}},
        examples=shown,
        notes=("3 users with fewer than three interactions have no test row: `u1`, `u7`, `u9`",),
        diagnosis=diagnosis(),
        made="genrec-core 0.1.0",
    )
