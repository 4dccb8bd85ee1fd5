"""Studies' intervals: over users and seeds at once, and conclusions only where zero lies outside."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from tests.benchmarks.leaderboard import Line, standing, tables
from tests.benchmarks.onerec_think import DATA, HOME, RUNGS, TRAINED, f1
from tests.benchmarks.singer import Study, over_seeds
from tests.benchmarks.study import conclusion, interval


def test_an_interval_widens_with_the_spread_of_seeds_that_users_do_not_show():
    alike = np.tile([0.0, 1.0] * 200, (5, 1))
    spread = alike + np.linspace(-1, 1, 5)[:, None]
    assert spread.mean() == alike.mean() == 0.5
    narrow, wide = (np.diff(interval(values))[0] for values in (alike, spread))
    assert wide > 5 * narrow > 0


def test_an_interval_holds_the_mean_and_comes_out_the_same_twice():
    values = np.random.default_rng(0).normal(0.3, 1.0, (5, 300))
    low, high = interval(values)
    assert low < values.mean() < high
    assert interval(values) == (low, high)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.full((5, 10), 0.1), "+0.1000 [+0.1000, +0.1000], ahead of it"),
        (np.full((5, 10), -0.1), "-0.1000 [-0.1000, -0.1000], behind it"),
        (np.zeros((5, 10)), "+0.0000 [+0.0000, +0.0000], no conclusion against it"),
    ],
)
def test_a_conclusion_is_drawn_only_where_the_interval_leaves_out_zero(values, said):
    assert conclusion(values, "it") == said


def test_a_variant_is_compared_with_the_whole_method_seed_by_seed():
    study = Study.__new__(Study)
    noise = np.random.default_rng(1).normal(0, 1, (5, 50))
    study.gains = {
        "under-trained": dict(enumerate(noise + 0.02)),
        "under-trained, align rl": dict(enumerate(noise)),
        "under-trained, reward acc": dict(enumerate(noise)),
    }
    few, more = np.eye(5, 20), np.ones((5, 20))
    study.solved_now = {
        "under-trained": dict(enumerate(more)),
        "under-trained, align rl": dict(enumerate(few)),
        "under-trained, reward acc": dict(enumerate(few)),
    }
    found, line = over_seeds(study, "under-trained, align rl")
    assert found["against the whole method"].startswith("-0.0200 [-0.0200, -0.0200], behind")
    assert "5 seeds" in line
    assert "no conclusion against the start" in line
    assert "newly solved 0.0500 of all prompts" in line
    assert "newly solved, against the whole method" not in found, "other prompts are hard for another start"
    found, _ = over_seeds(study, "under-trained, reward acc")
    assert found["newly solved, against the whole method"].startswith("-0.9500")
    assert "behind under-trained" in found["newly solved, against the whole method"]


@pytest.mark.parametrize(
    ("written", "right", "value"),
    [("A red tent", "a blue tent", 2 / 3), ("", "a tent", 0), ("tent tent", "tent", 2 / 3), ("", "", 0)],
)
def test_a_caption_is_judged_by_the_words_in_common(written, right, value):
    assert f1(written, right) == pytest.approx(value)


@pytest.mark.parametrize("file", [file for file, _ in DATA.values()])
def test_the_rungs_of_onerec_think_are_steps_of_its_pipelines(file):
    steps = yaml.safe_load((HOME / file).read_text())["train"]
    assert set(TRAINED) == set(steps)
    for own, _, _, other in RUNGS.values():
        assert set(own) <= set(steps)
        assert other in {"", *RUNGS}
    assert [corpus["use"] for corpus in steps["align"]["corpora"][:2]] == [
        "onerec-think/next-item",
        "onerec-think/captions",
    ]


PAGE = """
## shop

Protocols aaa (kept) and bbb (filtered).

| | kept | 95 % of Recall@10 | filtered | seconds | parameters |
|---|---|---|---|---|---|
| old | 0.3000/0.2000 | 0.2900 – 0.3100 | 0.3000/0.2000 | 5 + 1 | 1.00 M |
| changed | 0.1000/0.0500 | 0.0900 – 0.1100 | 0.1000/0.0500 | 5 + 1 | 1.00 M |
"""


def test_a_leaderboard_keeps_what_was_not_run_again():
    line = Line(
        "shop", "changed", (0.4, 0.25, 0.38, 0.42), (0.5, 0.3, 0.4, 0.6), (7, 2), 2_000_000, ("aaa", "bbb")
    )
    assert tables([], standing(PAGE)).strip() == PAGE.strip()
    rows = [row for row in tables([line], standing(PAGE)).splitlines() if row.startswith("| ")][1:]
    assert rows[0] == "| changed | 0.4000/0.2500 | 0.3800 – 0.4200 | 0.5000/0.3000 | 7 + 2 | 2.00 M |"
    assert rows[1].startswith("| old | 0.3000/0.2000")
    assert len(rows) == 2


def test_lines_of_another_protocol_stand_apart():
    line = Line("shop", "old", (0.4, 0.25, 0.38, 0.42), (0.5, 0.3, 0.4, 0.6), (7, 2), 0, ("ccc", "ddd"))
    page = tables([line], standing(PAGE))
    assert page.count("| old |") == 2
    assert page.index("Protocols aaa") < page.index("Protocols ccc")
