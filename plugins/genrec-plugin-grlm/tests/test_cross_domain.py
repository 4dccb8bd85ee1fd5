"""A world of two domains in which transfer is real: what a person takes next depends on what they took last,
in whichever domain that was, and the words for it are the same in both.

Every item is a theme and a colour in one domain. Each step moves a person to the next theme, keeps the colour
and picks the domain by chance, mostly the first. Whoever sees the second domain alone does not know how many
steps lie between two of its items; whoever sees both can read the theme off the last one.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from genrec_core.cli import main

PLUGIN = Path(__file__).resolve().parents[1]
THEMES = ("tent", "lamp", "rope", "boat", "bird", "star", "tree", "fish")
COLOURS = ("red", "blue", "green")
DOMAINS = {"first": "book", "second": "film"}
USERS, LENGTH, RARE = 120, 14, 0.3


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two data folders over the same users."""
    folder = tmp_path_factory.mktemp("world")
    generator = np.random.default_rng(5)
    taken = {name: {} for name in DOMAINS}
    for user in range(USERS):
        start, colour = generator.integers(len(THEMES)), generator.integers(len(COLOURS))
        for step in range(LENGTH):
            name = "second" if generator.random() < RARE else "first"
            item = f"{(start + step) % len(THEMES)}-{colour}"
            taken[name].setdefault(f"u{user}", []).append((item, float(step + 1)))
    for name, noun in DOMAINS.items():
        (folder / name).mkdir()
        items = [
            {"item_id": f"{t}-{c}", "title": f"{colour} {theme}", "terms": [theme, colour, noun]}
            for t, theme in enumerate(THEMES)
            for c, colour in enumerate(COLOURS)
        ]
        rows = [
            {"user_id": user, "item_ids": [i for i, _ in pairs], "timestamps": [t for _, t in pairs]}
            for user, pairs in taken[name].items()
        ]
        for file, lines in (("items", items), ("sequences", rows)):
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (folder / name / f"{file}.jsonl").write_text(text)
    return folder


def metrics(world, tmp_path, *changes):
    sets = [part for change in changes for part in ("--set", change)]
    folders = ["--runs", str(tmp_path / "runs"), "--store", str(tmp_path / "store")]
    with pytest.raises(SystemExit) as ended:
        main(["run", str(PLUGIN / "cross_domain.yaml"), *sets, *folders])
    assert not ended.value.code
    (run,) = (tmp_path / "runs").iterdir()
    return json.loads((run / "latest" / "metrics.json").read_text())


def test_a_rare_domain_gains_from_the_other_one(world, tmp_path):
    parts = [f"data.source.parts.{name}.path={world / name}" for name in DOMAINS]
    # Everything before a held-out item is read, so that the rare domain loses no training row to the other.
    both = metrics(world, tmp_path / "both", "data.split.training=before-held-out", *parts)
    alone = metrics(
        world,
        tmp_path / "alone",
        f"data.source={{use: core/folder, path: {world / 'second'}}}",
        "data.split={use: core/leave-one-out}",
    )
    judged = both["slices"]["domain"]["second"]
    # The same last items of the second domain are judged in both runs.
    assert judged["n"] == alone["counts"]["test"]["examples"]
    assert judged["systems"]["model"]["recall@5"] > alone["test"]["recall@5"] + 0.25
