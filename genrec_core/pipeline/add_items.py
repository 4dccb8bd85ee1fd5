"""Adding items to a finished run: nothing is trained, and the run stays as it is.

A run whose catalogue was extended is a run folder of its own. Its plan names the same models as the run it
comes from, and longer artefacts in the places of its data, embeddings and identifiers; so everything that
opens runs works on it, more items can be added to it, and the same items added twice are the same run.

    runs/shop/20261121-090000              trained on 480 items
    runs/shop/20261121-090000+5be01c7d     the same models, 492 items: pipeline.yaml plan.json items.json

`items.json` is a summary of what became of the new items:

    {"known": 480, "new": 12, "sharing": {"1": 12, "2": 9}, "colliding": 0,
     "unlike": [{"item": "n7", "cosine": 0.0}], "unlike_below": 0.31,
     "items": [{"item": "n1", "title": "Blue tent", "identifier": "<a_3><b_2>", "shared": 2,
                "companions": ["i17"], "nearest": [{"item": "i17", "title": "Red tent", "cosine": 0.91}]}]}
"""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.encoder import Encoder
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.contracts.options import regular_file
from genrec_core.contracts.processes import one_process
from genrec_core.data.lines import write_records
from genrec_core.data.new_items import appended
from genrec_core.evaluation.report.facts import item_title
from genrec_core.identifiers.new_items import extended, nearest_known, new_item_report, unlike_known
from genrec_core.identifiers.spelling import meet_vocabulary
from genrec_core.pipeline.artifacts import EMBEDDINGS, ENCODER
from genrec_core.pipeline.graph import DATA, model_inputs
from genrec_core.pipeline.plan import Plan, plan_of
from genrec_core.pipeline.run_folder import (
    ITEMS,
    NEW_ITEMS,
    PIPELINE,
    PLAN,
    plan_record,
    way_to,
    write_pipeline,
    write_readable,
)
from genrec_core.pipeline.run_log import RunLog
from genrec_core.pipeline.run_reader import RunReader
from genrec_core.pipeline.runner import RunEnvironment, Runner
from genrec_core.pipeline.stages.data import distinct_encoders, embedded, encoder_key
from genrec_core.pipeline.stages.identifiers import SEED_NAME
from genrec_core.pipeline.stages.new_items import EmbedNewStage, ExtendStage, NewItemsStage
from genrec_core.pipeline.stages.stage import Stage, stage_seed
from genrec_core.pipeline.wiring import TOKENIZE
from genrec_core.store.content import fingerprint, load_arrays
from genrec_core.store.references import Claim, artefacts_of, note_run

_MODEL_STAGES = ("model", "train", "baseline", "tune")
"""Kinds of stages whose artefacts an extended run shares with the run it comes from."""

_LOOKED_UP = 20
"""New items whose nearest known ones are named: for all of many it would take as long as a training."""


@dataclass(frozen=True)
class ExtendedCatalogue:
    """A catalogue with new items behind the known ones.

    Attributes:
        items: all of them.
        identifiers: of all.
        known: how many were there before.
        vectors: embeddings by the tokenizer's encoder, float32 [all, d]; None if it has none.
        folder: the run folder; None when nothing was kept.
    """

    items: Items
    identifiers: Identifiers
    known: int
    vectors: NDArray[np.float32] | None
    folder: Path | None = None


def preview(opened: RunReader, new: Items) -> ExtendedCatalogue:
    """What `add_items` would give; nothing is written.

    Raises:
        GenrecError: the run's tokenizer cannot name these items.
    """
    tokenizer, known = opened.pipeline.spec.tokenizer, len(opened.catalogue.items)
    items = appended(opened.catalogue.items, new)
    arriving = items.subset(range(known, len(items)))
    seeded = any(one.is_seeded() for one in (tokenizer, *(inner for _, inner in tokenizer.nested())))
    own = {tokenizer.slot: opened.model(tokenizer.slot)} if tokenizer.slot else {}
    context = Context(seed=stage_seed(opened.plan["seed"], SEED_NAME) if seeded else 0, models=own)
    identifiers = extended(tokenizer, opened.catalogue.identifiers, arriving, context)
    for slot, model in opened.models.items():
        backbone = opened.pipeline.wiring.last.models[slot].backbone
        identifiers = meet_vocabulary(Catalogue(items, identifiers), model, backbone.options.max_merged)
    vectors = None
    for stage, encoder in _embeds(opened)[:1]:
        folder = opened.artefact(stage)
        old, state = load_arrays(folder / EMBEDDINGS)[0]["embeddings"], load_arrays(folder / ENCODER)[0]
        arrived = embedded(encoder, encoder.texts(arriving), state, context)
        vectors = np.concatenate([old, arrived.vectors])
    return ExtendedCatalogue(items, identifiers, known, vectors)


@one_process
def add_items(
    opened: RunReader, new: Items, environment: RunEnvironment, out: Path | None = None
) -> ExtendedCatalogue:
    """Add items to a run: their artefacts in the store, and a run folder that names them.

    Args:
        opened: the run, which stays as it is.
        new: read by `data.new_items`, so that they fit the run's catalogue.
        environment: how to work; the store is that of the run.
        out: the new run folder; by default beside the run's, called after what it holds.

    Raises:
        GenrecError: the tokenizer cannot name these items, an artefact is gone, or `out` holds other things.
    """
    environment = replace(environment, store=opened.store)
    with Claim(opened.store) as claim:
        with claim.planning():
            plan = _plan(opened, new)
            claim.take([*plan.artefacts(opened.store), *artefacts_of(opened.plan, opened.store)])
        home = out or _beside(opened.folder, plan.entry(TOKENIZE).key)
        _refuse_taken(home, plan.entry(TOKENIZE).key)
        kept = artefacts_of({"stages": _shared(opened)}, opened.store)
        note_run(opened.store, home, home.parent, [*plan.artefacts(opened.store), *kept])
        return _added(opened, new, environment, plan, home)


def _added(
    opened: RunReader, new: Items, environment: RunEnvironment, plan: Plan, home: Path
) -> ExtendedCatalogue:
    known = len(opened.catalogue.items)
    done = Runner(environment, RunLog(None, console=environment.console), {}).carry_out(
        plan, [entry.stage.name for entry in plan.entries]
    )
    vectors = None
    for stage, _ in _embeds(opened)[:1]:
        vectors = load_arrays(done.folders[stage] / EMBEDDINGS)[0]["embeddings"]
    catalogue = opened.artifacts.catalogue(done.folders[DATA], done.folders[TOKENIZE])
    extended = ExtendedCatalogue(catalogue.items, catalogue.identifiers, known, vectors, home)
    home = home.absolute()
    record = plan_record(done.plan, home, environment.store.root, environment.versions, done.outcomes)
    _write(home, opened, extended, record, new)
    return extended


def summary(extended: ExtendedCatalogue) -> dict[str, Any]:
    """What became of the new items, as JSON values."""
    found = new_item_report(extended.identifiers, extended.known)
    items = []
    for place, item in enumerate(range(extended.known, len(extended.items))):
        entry = {
            "item": extended.items.ids[item],
            "title": _title(extended, item),
            "identifier": extended.identifiers.text(item),
            "shared": int(found.shared[place]),
            "companions": [extended.items.ids[other] for other in found.companions[place]],
        }
        if extended.vectors is not None and place < _LOOKED_UP:
            entry["nearest"] = [
                {
                    "item": extended.items.ids[other],
                    "title": _title(extended, other),
                    "cosine": round(cosine, 4),
                }
                for other, cosine in nearest_known(extended.vectors, extended.known, item)
            ]
        items.append(entry)
    unlike: dict[str, Any] = {}
    if extended.vectors is not None:
        strange, bar = unlike_known(extended.vectors, extended.known)
        unlike = {
            "unlike": [
                {"item": extended.items.ids[item], "cosine": round(cosine, 4)} for item, cosine in strange
            ],
            "unlike_below": round(bar, 4),
        }
    return {
        "known": extended.known,
        "new": len(items),
        **unlike,
        "sharing": {str(length): count for length, count in enumerate(found.counts, 1)},
        "colliding": found.colliding,
        "items": items,
    }


def _plan(opened: RunReader, new: Items) -> Plan:
    """The three kinds of stages, reading what the run left under their own names."""
    last = opened.pipeline.wiring.last
    models = {slot: last.models[slot] for slot in type(opened.pipeline.spec.recommend).slots}
    stages: list[Stage] = [NewItemsStage(name=DATA, items=new, inputs={"data": DATA})]
    for name, encoder in _embeds(opened):
        stages.append(EmbedNewStage(name=name, encoder=encoder, inputs={"data": DATA, "embeddings": name}))
    tokenizer = opened.pipeline.spec.tokenizer
    owned = {tokenizer.slot: last.models[tokenizer.slot]} if tokenizer.slot else {}
    inputs = {"data": DATA, "identifiers": opened.identifiers_stage, **model_inputs(models, owned)}
    stages.append(ExtendStage(name=TOKENIZE, tokenizer=tokenizer, models=models, asked=owned, inputs=inputs))
    for name in {DATA, *inputs.values(), *(name for name, _ in _embeds(opened))}:
        opened.artefact(name)  # verified, or an error that says how to make it again
    keys = {stage["name"]: stage["fingerprint"] for stage in opened.plan["stages"]}
    return plan_of(opened.pipeline.spec.name, stages, opened.plan["seed"], opened.store, {}, keys)


def _embeds(opened: RunReader) -> list[tuple[str, Encoder]]:
    """The tokenizer's encoders, with the stages that keep their embeddings."""
    stages = {
        fingerprint(stage["ingredients"]["components"]["encoder"]): stage["name"]
        for stage in opened.plan["stages"]
        if stage["kind"] == "embed"
    }
    encoders = distinct_encoders([opened.pipeline.spec.tokenizer])
    changed = [encoder.name for key, encoder in encoders.items() if key not in stages]
    if changed:
        raise GenrecError(
            f"encoder `{changed[0]}` is not the version that the run `{opened.folder}` was made with",
            hint=f"genrec run {opened.folder / PIPELINE}",
        )
    return [(stages[encoder_key(encoder)], encoder) for encoder in encoders.values()]


def _write(
    home: Path, opened: RunReader, extended: ExtendedCatalogue, record: dict[str, Any], new: Items
) -> None:
    """The run folder: the pipeline, the new items, and a plan that shares the models.

    It is made beside its place and renamed, so that who is killed between two files can start again. One that
    is there already holds the same and is written over file by file.
    """
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenrecError(
            f"the folder `{home.parent}` cannot be made: {error.strerror}", hint="name another one with --out"
        ) from error
    for left in home.parent.glob(f".{glob.escape(home.name)}.*"):
        shutil.rmtree(left, ignore_errors=True)  # of a command that was killed
    folder = home if (home / PLAN).exists() else home.with_name(f".{home.name}.{os.getpid()}")
    folder.mkdir(exist_ok=True)
    write_pipeline(folder / PIPELINE, opened.pipeline.spec.described(opened.plan["seed"]))
    write_records(folder / NEW_ITEMS, _records(new))
    write_readable(folder / ITEMS, summary(extended))
    replaced = {stage["name"] for stage in record["stages"]}
    kept = [{**stage, "outcome": "reused"} for stage in _shared(opened) if stage["name"] not in replaced]
    stages = [*record["stages"], *kept]
    grown = {"from": way_to(home, opened.folder.resolve()), "identifiers": TOKENIZE}
    moved = {
        way: {"to": way_to(home, opened.folder.resolve() / file["to"]), "was": file["was"]}
        for way, file in opened.plan.get("moved", {}).items()
    }
    write_readable(
        folder / PLAN, {**record, "stages": stages, "grown": grown, **({"moved": moved} if moved else {})}
    )
    if folder != home:
        folder.rename(home)


def _shared(opened: RunReader) -> list[dict[str, Any]]:
    """Stages of a run whose artefacts a run that grew from it reads as they are."""
    return [stage for stage in opened.plan["stages"] if stage["kind"] in _MODEL_STAGES]


def _records(items: Items) -> Iterator[dict[str, Any]]:
    for place, item in enumerate(items.ids):
        values = {name: column[place] for name, column in items.fields.items()}
        yield {"item_id": item, **{name: value for name, value in values.items() if value is not None}}


def _beside(folder: Path, key: str) -> Path:
    """`<run>+<hash>` beside a run; a run that has extended before keeps the name of the first."""
    name = folder.resolve().name.partition("+")[0]  # `latest` is only a link
    return folder.with_name(f"{name}+{key[:8]}")


def _refuse_taken(home: Path, key: str) -> None:
    """The same items may be added again, which changes nothing; other things are not written over."""
    if not home.exists() or (home.is_dir() and not any(home.iterdir())):
        return
    try:
        stages = orjson.loads(regular_file(home / PLAN).read_bytes())["stages"]
        same = any(stage["fingerprint"] == key for stage in stages)
    except (OSError, ValueError, KeyError, TypeError):
        same = False  # no run folder
    if not same:
        raise GenrecError(
            f"`{home}` is there already and holds something else", hint="name a new folder with --out"
        )


def _title(extended: ExtendedCatalogue, item: int) -> str:
    return item_title(Catalogue(extended.items, extended.identifiers), item)
