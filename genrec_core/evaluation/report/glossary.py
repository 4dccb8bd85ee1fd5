"""Glossary: what the words of a report mean, those that occur in it."""

from __future__ import annotations

from genrec_core.evaluation.evaluate import ORACLE
from genrec_core.evaluation.report.facts import ReportFacts
from genrec_core.evaluation.report.rendering import Section, core_section

_TERMS = (
    ("Recall@k", "share of examples whose next item is among the first k", "always"),
    ("NDCG@k", "the same, a hit at rank r counting 1 / log2(r + 1)", "always"),
    ("MRR", "mean of 1 / rank, 0 where the item was not found", "always"),
    ("Coverage@k", "share of the catalogue that is among anyone's first k", "always"),
    ("95 % interval", "how far a figure moves when the test examples are drawn again", "always"),
    ("p", "how often such draws would turn the sign of a difference", "always"),
    ("Inflated", "counts every item that shares the target's identifier as a hit", "model"),
    ("VR@k", "valid rate: candidates that are some item's identifier, of the first k", "model"),
    (
        "DHR@k",
        "direct-hit rate: candidates that are an item's identifier, of those that led to one",
        "model",
    ),
    ("Cold, seen", "whether training ever shows the item", "slices"),
    (
        "Head, middle, tail",
        "items with the first, second and last third of training interactions",
        "slices",
    ),
    ("Oracle", "ranks by the true distribution of made data: nothing can be better", "oracle"),
    ("Perplexity", "how many codes used evenly would be as varied", "identifiers"),
    ("Collision", "two items with one identifier", "identifiers"),
    ("Leaves", "distinct identifiers that begin with one prefix", "doctor"),
    ("Protocol hash", "equal for figures measured on the same rows in the same way", "always"),
)
"""Term, meaning, and what must be in a run for the report to use it."""


def glossary(facts: ReportFacts) -> Section:
    """Terms with their meanings; every report has some."""
    health, test = facts.metrics.get("identifiers") or {}, facts.metrics.get("test", {})
    occurs = {
        "model": bool(test),
        "identifiers": bool(health),
        "doctor": facts.diagnosis is not None,
        "oracle": ORACLE in facts.metrics.get("baselines", {}),
        "slices": bool(facts.metrics.get("slices")),
        "always": True,
    }
    entries = [(term, meaning) for term, meaning, where in _TERMS if occurs[where]]
    return core_section("glossary", "Glossary", "", entries=entries)
