"""Vocabulary: identifiers' new tokens become single tokens of a language model.

They are added as ordinary tokens, not special ones, so that decoding never strips them, and without any
handling of neighbouring spaces. Their rows in the embedding and output matrices start by one of five
recipes:

    random     normal, with the standard deviation of the rows that are there
    mean       the mean of the rows that are there
    spelling   the mean of the rows of the pieces that spell the token: good for words, weak for codes
    items      the mean of the rows that spell the texts of the items that carry the token: gives a code
               the meaning of what it names; a token that no item carries gets `mean`
    vectors    what the tokenizer says its tokens mean (`Identifiers.state["tokens.vectors"]`), turned by a
               random rotation: codes that name like items start alike. A token without a vector gets
               `random`

Rows that were there before keep every bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from tokenizers import AddedToken
from torch import Tensor, nn

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.errors import GenrecError, examples
from genrec_core.engine.choices import Initialisation
from genrec_core.engine.models.model import Model

TOKEN_VECTORS = "tokens.vectors"
"""Where identifiers keep one vector for each of their new tokens, float [len(new_tokens), d]."""

ITEMS_PER_TOKEN = 64
"""At most so many items, evenly chosen, describe one token."""


def extend(
    model: Model,
    catalogue: Catalogue,
    *,
    initialisation: Initialisation = "random",
    seed: int = 0,
    multiple: int = 1,
) -> list[int]:
    """Add the catalogue's new tokens to a model, in place.

    Args:
        model: the model to extend.
        catalogue: its identifiers name the tokens, its items describe them.
        initialisation: how the new rows start, see above.
        seed: for `random`.
        multiple: round the number of rows up to a multiple of this (tensor cores like 64).

    Returns:
        The id of each of `catalogue.identifiers.new_tokens`; a token that was in the vocabulary before
        keeps its id and its row.

    Raises:
        GenrecError: a token cannot be read as one token.
    """
    tokens = list(catalogue.identifiers.new_tokens)
    known = model.text_tokenizer.get_vocab()
    new = [token for token in tokens if token not in known]
    # Describing texts must be cut into pieces before the tokens exist: after, each spells itself.
    pieces = _pieces(model, new, catalogue, initialisation)
    _add(model, tokens)
    ids = model.token_ids(new)
    _resize(model, multiple)
    given = _given(catalogue, new, tokens) if initialisation == "vectors" else None
    for slot, matrix in enumerate(matrices(model.network)):
        if given is None:
            rows = _initial(matrix, ids, pieces, initialisation, seed + slot)
        else:
            rows = _turned(_initial(matrix, ids, pieces, "random", seed + slot), given, seed)
        with torch.no_grad():
            matrix[torch.tensor(ids, dtype=torch.long, device=matrix.device)] = rows.to(matrix)
    return model.token_ids(tokens)


def matrices(network: Any) -> list[nn.Parameter]:
    """The input embedding and, when it is not tied to that, the output matrix."""
    inputs = network.get_input_embeddings().weight
    head = network.get_output_embeddings()
    return [inputs] if head is None or head.weight is inputs else [inputs, head.weight]


def _add(model: Model, tokens: list[str]) -> None:
    model.text_tokenizer.add_tokens([AddedToken(token, normalized=False, special=False) for token in tokens])
    broken = [token for token, ids in zip(tokens, model.tokenise(tokens), strict=True) if len(ids) != 1]
    if broken:
        raise GenrecError(
            f"{len(broken):,} new tokens are not read as one token: {examples(broken)}",
            hint="write tokens without spaces at their ends, such as `<a_1>`",
        )


def _resize(model: Model, multiple: int) -> None:
    """Grow the matrices if the vocabulary needs it; rows beyond the vocabulary start at the mean."""
    old = model.network.get_input_embeddings().weight.shape[0]
    needed = -(-len(model.text_tokenizer) // multiple) * multiple
    if needed <= old:
        return
    with torch.random.fork_rng():  # transformers draws the new rows; we overwrite them
        model.network.resize_token_embeddings(needed, mean_resizing=False)
    with torch.no_grad():
        for matrix in matrices(model.network):
            matrix[old:] = matrix[:old].mean(dim=0)


def _pieces(
    model: Model, tokens: list[str], catalogue: Catalogue, initialisation: Initialisation
) -> list[list[int]]:
    """Token ids that describe each new token; empty for recipes that need none."""
    if initialisation == "spelling":
        return model.tokenise(tokens)
    if initialisation != "items" or not tokens:
        return [[] for _ in tokens]
    identifiers = catalogue.identifiers
    owners = np.repeat(np.arange(len(identifiers)), identifiers.lengths)
    by_code = np.argsort(identifiers.codes, kind="stable")
    bounds = np.searchsorted(identifiers.codes[by_code], np.arange(len(identifiers.vocabulary) + 1))
    place = {token: code for code, token in enumerate(identifiers.vocabulary)}
    chosen: list[Sequence[int]] = []
    for token in tokens:
        code = place.get(token)
        carriers = [] if code is None else owners[by_code[bounds[code] : bounds[code + 1]]].tolist()
        chosen.append(carriers[:: max(1, -(-len(carriers) // ITEMS_PER_TOKEN))])
    wanted = sorted({item for items in chosen for item in items})
    texts = model.tokenise([catalogue.items.text(item) for item in wanted])
    spelt = dict(zip(wanted, texts, strict=True))
    return [[piece for item in items for piece in spelt[item]] for items in chosen]


def _initial(
    matrix: Tensor, ids: list[int], pieces: list[list[int]], initialisation: Initialisation, seed: int
) -> Tensor:
    """First values of the new rows, float32 [len(ids), d]."""
    fresh = torch.ones(matrix.shape[0], dtype=torch.bool)
    fresh[ids] = False
    old = matrix.detach().float().cpu()[fresh]
    if initialisation == "random":
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(len(ids), matrix.shape[1], generator=generator) * old.std()
    rows = old.mean(dim=0).repeat(len(ids), 1)
    every = matrix.detach().float().cpu()
    for row, described in enumerate(pieces):
        if described:
            rows[row] = every[torch.tensor(described)].mean(dim=0)
    return rows


def _given(catalogue: Catalogue, new: list[str], tokens: list[str]) -> Tensor:
    """The tokenizer's vectors of the new tokens, float32 [len(new), d]; zeros where it gives none.

    Raises:
        GenrecError: it gives none at all.
    """
    vectors = catalogue.identifiers.state.get(TOKEN_VECTORS)
    if vectors is None:
        raise GenrecError(
            "the identifiers' tokens have no vectors to start from",
            hint="`initialisation: vectors` needs a tokenizer with codebooks, such as sid/rq-kmeans",
        )
    place = {token: row for row, token in enumerate(tokens)}
    return torch.from_numpy(np.asarray(vectors, dtype=np.float32))[[place[token] for token in new]]


def _turned(rows: Tensor, vectors: Tensor, seed: int) -> Tensor:
    """Vectors in random directions of the network's space, as long as random `rows` [T, H] are on average.

    Distances keep their proportions up to a random projection where the vectors are wider than the network.
    """
    known = (vectors != 0).any(dim=1)
    if not bool(known.any()):
        return rows
    wide = max(vectors.shape[1], rows.shape[1])
    generator = torch.Generator().manual_seed(seed)
    rotation, _ = torch.linalg.qr(torch.randn(wide, wide, generator=generator))
    turned = vectors[known] @ rotation[: vectors.shape[1], : rows.shape[1]]
    started = rows.clone()
    started[known] = turned * (rows.square().mean().sqrt() / turned.square().mean().sqrt())
    return started
