"""Runs to ask: a quick one without torch, and a small real one; each is made once."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import genrec_core as genrec
from tests.pipeline.conftest import PIPELINE, QUICK

SMALL = Path(__file__).parents[1] / "end_to_end" / "small.yaml"
BRANDS = ("Zorg", "Acme", "Nils")


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A run of quick components; users u0 … u19 have each five of twelve items."""
    folder = tmp_path_factory.mktemp("quick")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(QUICK))
        patch.setenv("GENREC_PLUGINS", "quick")
        places = {"store": folder / "store", "runs": folder / "runs"}
        run = genrec.run(yaml.safe_load(PIPELINE), {"recommend.beams": 12}, quiet=True, **places)
        yield run
        run.close()


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    """A data folder: the synthetic items, each with a brand, a price and tags."""
    from genrec_core import Context, Dataset, Items
    from genrec_core.builtin.synthetic import Synthetic
    from genrec_core.data.folder_writer import write_folder

    made = Synthetic(items=240, users=120).load(Context(seed=3))
    numbers = range(len(made.items))
    fields = {
        **made.items.fields,
        "brand": [BRANDS[n % 3] if n < 9 else "Other" for n in numbers],
        "price": [float(n) for n in numbers],
        "tags": [["new", "sale"] if n == 5 else ["new"] if n < 40 else None for n in numbers],
    }
    folder = tmp_path_factory.mktemp("shop") / "data"
    items = Items(made.items.ids, fields)
    write_folder(Dataset(items, made.users, made.sequences, made.times), folder)
    return folder


@pytest.fixture(scope="session")
def small(tmp_path_factory, shop):
    """A small run of real components over the shop."""
    folder = tmp_path_factory.mktemp("small")
    changes = {
        "data.source": {"use": "core/folder", "path": str(shop)},
        "train.sft.epochs": 1,
        "train.sft.evaluate_every": 1,
        "evaluate.valid": False,
    }
    with genrec.run(SMALL, changes, store=folder / "store", runs=folder / "runs", quiet=True) as run:
        yield run
