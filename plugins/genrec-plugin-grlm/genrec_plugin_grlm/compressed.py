"""`grlm/compressed`: fewer words: every term replaced by one of K core terms (paper, appendix E).

All distinct terms are embedded, K-means finds K centroids, and each term becomes the core term of its nearest
centroid. The paper calls the centroids core terms; a centroid is no word, so here its core term is the term
nearest to it. Identifiers keep their length, and a term may then stand in one twice.

    terms   nail-polish nail-lacquer balm salve        K = 2
    core    nail-polish nail-polish  balm balm

Items that could be told apart before may share an identifier afterwards; how many do, before and after, is
logged. Terms of new items are mapped by the same centroids. Where there are no more than K terms, each stands
for itself, also when the encoder gives two of them the same vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from genrec_plugin_sid.unit import unit_rows
from numpy.typing import NDArray
from pydantic import Field

from genrec_core import Context, Encoder, GenrecError, Identifiers, Items, Tokenizer, View

INNER = "terms"
"""Beginning of the names of the state that belongs to the tokenizer inside."""
ENCODER = "encoder"
TERM = "term"

Matrix = NDArray[np.float32]


class Compressed(Tokenizer):
    """Another tokenizer's terms, replaced by core terms."""

    version = "2"

    class Options(Tokenizer.Options):
        """Whose terms, and how many remain."""

        tokenizer: Tokenizer
        """Makes the terms."""
        core_terms: int = Field(ge=1)
        """K, how many distinct terms may remain."""
        encoder: Encoder = Field(default={"use": "core/ngrams"}, validate_default=True)
        """Embeds single terms; the paper uses the model that embedded the items."""
        iterations: int = Field(50, ge=1)
        """Most updates of K-means."""

    options: Options

    def writes_codes(self) -> bool:
        """Terms are words."""
        return False

    def fit(self, items: Items, train: View, context: Context) -> Identifiers:
        """The inner tokenizer's identifiers in core terms.

        Raises:
            GenrecError: the inner tokenizer makes codes, not terms.
        """
        made = self.options.tokenizer.fit(items, train, context)
        if made.new_tokens:
            raise GenrecError(
                f"`{self.options.tokenizer.name}` names items by codes that the model learns as new tokens, "
                "and a code has no meaning to compress by",
                hint="put a tokenizer of terms inside, such as grlm/terms",
            )
        terms = made.vocabulary
        vectors, learnt = self._embedded(terms, None, context)
        centroids, core = self._core(terms, vectors, context)
        whole = len(terms) <= self.options.core_terms
        mapped = _core_terms(terms, vectors, centroids, core, whole=whole)
        rows = [_replaced(made.tokens(item), mapped) for item in range(len(made))]
        state = {f"{INNER}.{name}": array for name, array in made.state.items()}
        state |= {f"{ENCODER}.{name}": array for name, array in learnt.items()} | {"centroids": centroids}
        settings = {"core": core, "whole": whole, INNER: dict(made.settings)}
        found = Identifiers.of(rows, separator=made.separator, state=state, settings=settings)
        context.log(
            "compressed",
            terms_before=len(terms),
            terms_after=len(found.vocabulary),
            sharing_before=sharing(made),
            sharing_after=sharing(found),
            identifiers_before=len(made.distinct()),
            identifiers_after=len(found.distinct()),
        )
        return found

    def extend(self, identifiers: Identifiers, items: Items, context: Context) -> Identifiers:
        """The old identifiers, then the new items' terms mapped by the same centroids."""
        own = identifiers.settings[INNER]
        inner = replace(identifiers, state=identifiers.learnt(INNER), settings=own)
        grown = self.options.tokenizer.extend(inner, items, context)
        fresh = [grown.tokens(item) for item in range(len(identifiers), len(grown))]
        terms = tuple(dict.fromkeys(term for row in fresh for term in row))
        vectors, _ = self._embedded(terms, identifiers.learnt(ENCODER), context)
        core, whole = identifiers.settings["core"], identifiers.settings["whole"]
        mapped = _core_terms(terms, vectors, identifiers.state["centroids"], core, whole=whole)
        rows = [identifiers.tokens(item) for item in range(len(identifiers))]
        rows += [_replaced(row, mapped) for row in fresh]
        state = {f"{INNER}.{name}": array for name, array in grown.state.items()}
        state |= {n: a for n, a in identifiers.state.items() if not n.startswith(f"{INNER}.")}
        settings = {"core": core, "whole": whole, INNER: dict(grown.settings)}
        return Identifiers.of(rows, separator=identifiers.separator, state=state, settings=settings)

    def _embedded(
        self, terms: Sequence[str], state: dict[str, NDArray[Any]] | None, context: Context
    ) -> tuple[Matrix, dict[str, NDArray[Any]]]:
        """Unit vectors of terms, float32 [V, d], and what the encoder learnt."""
        found = context.embedded(self.options.encoder, Items(tuple(terms), {TERM: list(terms)}), state)
        return unit_rows(found.vectors), dict(found.state)

    def _core(self, terms: Sequence[str], vectors: Matrix, context: Context) -> tuple[Matrix, list[str]]:
        """Centroids [≤ K, d], and the term that stands for each."""
        if len(terms) <= self.options.core_terms:
            return vectors, list(terms)
        # Checking and explaining a pipeline must not import torch.
        import torch
        from genrec_plugin_sid.kmeans import kmeans

        points = torch.from_numpy(vectors)
        with context.progress("core terms", self.options.iterations) as advance:
            clusters = kmeans(
                points,
                self.options.core_terms,
                context.generator(0),
                iterations=self.options.iterations,
                advance=advance,
            )
        centroids = clusters.centroids.numpy()
        return centroids, [terms[place] for place in _nearest(centroids, vectors)]


def sharing(identifiers: Identifiers) -> int:
    """How many items share their identifier with another."""
    sizes = [len(identifiers.items_of(tokens)) for tokens in identifiers.distinct()]
    return sum(size for size in sizes if size > 1)


def _core_terms(
    terms: Sequence[str], vectors: Matrix, centroids: Matrix, core: Sequence[str], *, whole: bool
) -> dict[str, str]:
    """Each term's core term: the nearest centroid's; where all were kept (`whole`), a core term's own."""
    mapped = dict(zip(terms, (core[code] for code in _nearest(vectors, centroids)), strict=True))
    return mapped | {term: term for term in set(core).intersection(terms)} if whole else mapped


def _nearest(points: Matrix, centres: Matrix) -> list[int]:
    """The nearest centre of each point, the lower one of two equally near."""
    import torch
    from genrec_plugin_sid.clusters import nearest

    codes, _ = nearest(torch.from_numpy(points), torch.from_numpy(np.ascontiguousarray(centres)))
    found: list[int] = codes.tolist()
    return found


def _replaced(tokens: Sequence[str], mapped: dict[str, str]) -> tuple[str, ...]:
    return tuple(mapped[token] for token in tokens)
