"""What everything else starts from: `data`, a source cut by a split, and `embed`, one vector for each item.

With `evaluate.domain_field`, `domains` says which items are of which domain, before anything is trained.

Embeddings are computed once for all components that use the same encoder. What the encoder had to learn first
is kept beside them, so that tokenizers can hand it on and new items get vectors in the same space. Where the
tokenizer learns from seen items only, its encoder does too.

    data      480 items, views `train`, `valid` and `test`, the protocol
    domains   {"books": [0, 1, …], "films": [210, …]}
    embed.1   embeddings, float32 [480, 64]; the encoder's state
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context, Embedded, Embedder
from genrec_core.contracts.encoder import Encoder, State
from genrec_core.contracts.errors import ContractError, DataError, examples
from genrec_core.contracts.items import Items
from genrec_core.contracts.source import Source
from genrec_core.contracts.split import Split
from genrec_core.contracts.tokenizer import LearnFrom
from genrec_core.data.lines import read_json, write_json
from genrec_core.data.prepared import prepare, save_prepared
from genrec_core.identifiers.new_items import items_to_learn_from
from genrec_core.pipeline.artifacts import DOMAIN_ITEMS, EMBEDDINGS, ENCODER
from genrec_core.pipeline.stages.stage import Stage, StageContext
from genrec_core.store.content import fingerprint, load_arrays, save_arrays


@dataclass(frozen=True, kw_only=True)
class DataStage(Stage):
    """Reads, checks and cuts the data; the artefact holds items, views and the protocol."""

    kind: ClassVar[str] = "data"

    source: Source
    split: Split
    max_history: int
    limit: int | None = None

    def components(self) -> Mapping[str, Component]:
        """The source and the split."""
        return {"data.source": self.source, "data.split": self.split}

    def settings(self) -> Mapping[str, Any]:
        """The history cut, and where only a part is used how much."""
        limit = {} if self.limit is None else {"limit": self.limit}
        return {"max_history": self.max_history, **limit}

    def run(self, work: StageContext) -> None:
        """Prepare the data and keep it."""
        prepared = prepare(self.source, self.split, self.max_history, work.context, self.limit)
        views = prepared.views
        work.context.log(
            "data",
            items=len(prepared.items),
            train=len(views.train.users),
            valid=len(views.valid),
            test=len(views.test),
            notes=list(prepared.notes),
        )
        save_prepared(prepared, work.folder)


@dataclass(frozen=True, kw_only=True)
class DomainsStage(Stage):
    """Says which items are of which domain, so that each request is answered from its own."""

    kind: ClassVar[str] = "domains"

    item_field: str
    views: tuple[str, ...]
    """Views whose examples must name a domain that there is."""

    def components(self) -> Mapping[str, Component]:
        """None: it only reads the data."""
        return {}

    def settings(self) -> Mapping[str, Any]:
        """The field, and who is asked for its values."""
        return {"field": self.item_field, "views": list(self.views)}

    def run(self, work: StageContext) -> None:
        """Keep each domain's items.

        Raises:
            DataError: no item has the field, or an example names no domain or one that no item is of.
        """
        prepared = work.artifacts.prepared(work.inputs["data"])
        domains = prepared.items.by_value(self.item_field)
        for view in (getattr(prepared.views, name) for name in self.views):
            if len(view) and not view.domains:
                raise DataError(
                    f"the examples of the {view.name} view name no domain",
                    hint="a source labels interactions (`domain_field` of core/folder), or leave out "
                    "`evaluate.domain_field`",
                )
            unknown = Counter(label for label in view.domains if label not in domains)
            if unknown:
                raise DataError(
                    f"{unknown.total():,} examples of the {view.name} view are of domains that no item has "
                    f"in `{self.item_field}`: {examples(sorted(unknown))}",
                    hint=f"the items' domains are: {', '.join(sorted(domains)[:10])}",
                )
        write_json(work.folder / DOMAIN_ITEMS, {domain: sorted(items) for domain, items in domains.items()})


def domains_of(inputs: Mapping[str, Path]) -> dict[str, frozenset[int]] | None:
    """Domain → its items, of a stage whose answers are limited to them; None of any other."""
    if "domains" not in inputs:
        return None
    found: dict[str, list[int]] = read_json(inputs["domains"] / DOMAIN_ITEMS)
    return {domain: frozenset(items) for domain, items in found.items()}


@dataclass(frozen=True, kw_only=True)
class EmbedStage(Stage):
    """Encodes the text of every item.

    The artefact holds float32 [N, d], what the encoder learnt, and hashes of the texts of both.
    """

    kind: ClassVar[str] = "embed"
    version: ClassVar[str] = "2"

    encoder: Encoder
    learn_from: LearnFrom = "all"
    """Which items the encoder learns from; see the option of tokenizers."""

    def components(self) -> Mapping[str, Component]:
        """The encoder."""
        return {"encoder": self.encoder}

    def settings(self) -> Mapping[str, Any]:
        """What is learnt from."""
        return {"learn_from": self.learn_from}

    def run(self, work: StageContext) -> None:
        """Learn, encode and keep.

        Raises:
            ContractError: the encoder gave another shape, type or numbers than an encoder may.
        """
        prepared = work.artifacts.prepared(work.inputs["data"])
        chosen = items_to_learn_from(self.learn_from, prepared.items, prepared.views.train)
        texts = self.encoder.texts(prepared.items)
        learnt_from = self.encoder.texts(prepared.items.subset(chosen)) if chosen is not None else texts
        state = self.encoder.fit(learnt_from, work.context)
        save_embedded(work.folder, embedded(self.encoder, texts, state, work.context), texts, learnt_from)


def embedded(encoder: Encoder, texts: Sequence[str], state: State, context: Context) -> Embedded:
    """Texts encoded, and checked.

    Raises:
        ContractError: the encoder gave another shape, type or numbers than an encoder may.
    """
    vectors = encoder.encode(texts, state, context)
    if vectors.ndim != 2 or len(vectors) != len(texts) or vectors.dtype != np.float32:
        raise ContractError(
            f"encoder `{encoder.name}` gave `{vectors.dtype}{list(vectors.shape)}` for {len(texts):,} texts",
            hint="an encoder gives float32, one row a text",
        )
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise ContractError(
            f"encoder `{encoder.name}` gave numbers that are not finite for {len(bad):,} items, "
            f"first for item `{bad[0]}`"
        )
    return Embedded(vectors, state)


def save_embedded(folder: Path, found: Embedded, texts: Sequence[str], learnt_from: Sequence[str]) -> None:
    """Write embeddings with what they were made by."""
    about = {"texts": fingerprint(texts)}
    save_arrays(folder / EMBEDDINGS, {"embeddings": found.vectors}, about)
    save_arrays(folder / ENCODER, found.state, {"texts": fingerprint(learnt_from)})


def stored_embedder(folders: Mapping[str, Path]) -> Embedder:
    """A `Context.embedder` that takes what an `embed` stage left.

    Args:
        folders: fingerprint of an encoder's identity → the artefact of its stage.

    Items with other texts (a part of the catalogue, new items, or items whose text a tokenizer has rewritten)
    are encoded on the spot; what the encoder learns from them is looked up where it was learnt before.
    """

    def embed(encoder: Encoder, items: Items, state: State | None, context: Context) -> Embedded:
        texts = encoder.texts(items)
        folder = folders.get(encoder_key(encoder))
        if state is None and folder is not None:
            learnt, learnt_from = load_arrays(folder / ENCODER)
            vectors, about = load_arrays(folder / EMBEDDINGS)
            asked = fingerprint(texts)
            if asked == about["texts"]:
                return Embedded(vectors["embeddings"], learnt)
            state = learnt if asked == learnt_from["texts"] else None
        state = encoder.fit(texts, context) if state is None else state
        return embedded(encoder, texts, state, context)

    return embed


def encoder_key(encoder: Encoder) -> str:
    """What two encoders that give the same vectors have in common."""
    return fingerprint(encoder.identity())


def distinct_encoders(components: Sequence[Component]) -> dict[str, Encoder]:
    """Every encoder nested in these components once, by its key, in order of first use."""
    found: dict[str, Encoder] = {}
    for component in components:
        for _, inner in component.nested():
            if isinstance(inner, Encoder):
                found.setdefault(encoder_key(inner), inner)
    return found
