"""`sid/rq-kmeans`: semantic IDs from residual k-means on item embeddings (SINGER §2.1, QARM).

Embed every item, quantise the embeddings level by level (`residual`), tell apart the items that got the same
codes (`collisions`), write codes as tokens (`naming`). Everything that names a new item later is kept in the
identifiers: codebooks, the paths given so far, and how tokens are written.

Departure from the paper: a catalogue too small for 256 codes a level gets fewer by default (a quarter of its
distinct embeddings), since with as many centroids as items a level only numbers them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from genrec_core import Context, Encoder, GenrecError, Identifiers, Items, Tokenizer, View
from genrec_plugin_sid.collisions import POLICIES, Paths, PolicyName
from genrec_plugin_sid.naming import MOST_LEVELS, Naming, check_template

if TYPE_CHECKING:
    from torch import Tensor

    from genrec_plugin_sid.kmeans import Clusters
    from genrec_plugin_sid.residual import Quantiser

USUAL_CODES = 256


class RQKMeans(Tokenizer):
    """Names items by the codes of a residual k-means quantiser."""

    class Options(Tokenizer.Options):
        """What to embed with, how finely to quantise, what to do about collisions, how to write codes."""

        encoder: Encoder = Field(default={"use": "core/ngrams"}, validate_default=True)
        """Gives the embeddings."""

        levels: int = Field(default=3, ge=1, le=MOST_LEVELS)
        """Number of residual levels, so of code tokens in an identifier."""

        codes: Annotated[int, Field(ge=1)] | tuple[Annotated[int, Field(ge=1)], ...] | None = None
        """Codes at each level: one number or one a level. A level that has fewer distinct residuals is an
        error. By default 256, or a quarter of the distinct residuals where there are fewer than 1,024."""

        balance: Literal["none", "constrained"] = "none"
        """Bounds on cluster sizes; `none` is plain k-means, `constrained` gives every code the same number of
        items, give or take one."""

        unit: bool = False
        """Scale embeddings to length one first, so that clusters follow the cosine."""

        iterations: int = Field(default=100, ge=1)
        """Most k-means updates a level."""

        tolerance: float = Field(default=1e-7, ge=0)
        """A level is done when an update lowers its error by no more than this share."""

        collisions: PolicyName = "suffix"
        """`suffix` numbers items that share all codes with one more token; `keep` lets them share."""

        template: Annotated[str, AfterValidator(check_template)] = "<{level}_{code}>"
        """How a code is written; levels are letters."""

        begin: str = Field(default="", pattern=r"^\S*$")
        """Token before every identifier."""

        end: str = Field(default="", pattern=r"^\S*$")
        """Token after every identifier."""

        @model_validator(mode="after")
        def _one_size_a_level(self) -> RQKMeans.Options:
            if isinstance(self.codes, tuple) and len(self.codes) != self.levels:
                raise ValueError(f"`codes` lists {len(self.codes)} sizes for `levels: {self.levels}`")
            return self

    options: Options

    def fit(self, items: Items, train: View, context: Context) -> Identifiers:
        """Cluster the items' embeddings and name every item by its codes.

        Raises:
            GenrecError: more codes are asked for than a level has distinct residuals.
        """
        vectors = self._vectors(items, context)
        quantiser, codes, unexplained = self._quantise(vectors, context)
        for level, share in enumerate(unexplained):
            used = len(np.unique(codes[:, level]))
            context.log(
                "level", level=level, codes=len(quantiser.codebooks[level]), used=used, unexplained=share
            )
        paths = POLICIES[self.options.collisions](codes, _no_paths(self.options.levels))
        sizes = tuple(len(book) for book in quantiser.codebooks)
        options = self.options
        naming = Naming(sizes, self._rank_tokens(sizes, paths), options.template, options.begin, options.end)
        settings = {
            "naming": naming.settings(),
            "collisions": options.collisions,
            "unit": options.unit,
            "encoder": _encoder_identity(options.encoder),
        }
        return _identifiers(naming, paths, quantiser, settings)

    def extend(self, identifiers: Identifiers, items: Items, context: Context) -> Identifiers:
        """Name new items with the frozen codebooks; no old identifier moves.

        Raises:
            GenrecError: the identifiers are not of this tokenizer and encoder, the encoder cannot embed items
                alone, or rank tokens ran out.
        """
        from genrec_plugin_sid.residual import Quantiser

        settings = identifiers.settings
        self._check_fitted_here(identifiers)
        naming = Naming.from_settings(settings["naming"])
        quantiser = Quantiser.from_state(identifiers.state)
        settled: Paths = identifiers.state["paths"]
        codes = quantiser.encode(self._vectors(items, context))
        paths = POLICIES[settings["collisions"]](codes, settled)
        if paths[:, -1].max(initial=-1) >= naming.ranks > 0:
            raise GenrecError(
                f"{int((paths[:, -1] >= naming.ranks).sum()):,} new items need a collision rank beyond the "
                f"`{naming.ranks}` tokens that the model has learnt",
                hint="fit the tokenizer again on the whole catalogue",
            )
        return _identifiers(naming, np.concatenate([settled, paths]), quantiser, settings)

    def _vectors(self, items: Items, context: Context) -> NDArray[np.float32]:
        vectors = context.embed(self.options.encoder, items)
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(bad):
            raise GenrecError(
                f"encoder `{self.options.encoder.name}` gave {len(bad):,} embeddings that are not finite, "
                f"the first for item `{items.ids[int(bad[0])]}`",
                hint="look at the text of that item, or use another encoder",
            )
        if not self.options.unit:
            return vectors
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)

    def _quantise(
        self, vectors: NDArray[np.float32], context: Context
    ) -> tuple[Quantiser, NDArray[np.int32], list[float]]:
        # Imports torch, which checking and explaining a pipeline must not.
        from genrec_plugin_sid.balanced import balanced_kmeans
        from genrec_plugin_sid.kmeans import kmeans
        from genrec_plugin_sid.residual import fit_levels

        options = self.options
        find = balanced_kmeans if options.balance == "constrained" else kmeans
        with context.progress("residual k-means", options.levels * options.iterations) as advance:

            def cluster(residuals: Tensor, level: int, k: int) -> Clusters:
                clusters = find(
                    residuals,
                    k,
                    context.generator(level),
                    iterations=options.iterations,
                    tolerance=options.tolerance,
                    advance=advance,
                )
                advance(options.iterations - clusters.iterations)
                return clusters

            return fit_levels(vectors, self._size, options.levels, cluster)

    def _size(self, level: int, residuals: Tensor) -> int:
        """How many codes a level gets; see the option."""
        from genrec_plugin_sid.residual import distinct_rows

        asked = self.options.codes
        distinct = distinct_rows(residuals.numpy())
        if asked is None:
            return min(USUAL_CODES, max(distinct // 4, min(distinct, 2)))
        size = asked[level] if isinstance(asked, tuple) else asked
        if size > distinct:
            raise GenrecError(
                f"level {level + 1} of {self.options.levels} asks for `{size}` codes, but its "
                f"{len(residuals):,} items have only {distinct:,} distinct residuals",
                hint="write smaller `codes`, fewer `levels`, or leave `codes` out",
            )
        return size

    def _rank_tokens(self, sizes: tuple[int, ...], paths: Paths) -> int:
        """Rank tokens to learn: as many as the last level has codes, or twice what is needed now."""
        if self.options.collisions == "keep":
            return 0
        return max(sizes[-1], 2 * (int(paths[:, -1].max(initial=-1)) + 1))

    def _check_fitted_here(self, identifiers: Identifiers) -> None:
        fitted = identifiers.settings.get("encoder")
        mine = _encoder_identity(self.options.encoder)
        if "paths" not in identifiers.state or fitted is None:
            raise GenrecError(
                f"tokenizer `{self.name}` did not make these identifiers: they hold no codebooks",
                hint="extend them with the tokenizer that made them",
            )
        if not self.options.encoder.inductive:
            raise GenrecError(
                f"encoder `{self.options.encoder.name}` looks at all texts together, so vectors of new items "
                "lie in another space than the codebooks",
                hint="fit again on the whole catalogue, or use an encoder that embeds each text alone, "
                "like {use: core/ngrams, basis: random}",
            )
        if fitted != mine:
            raise GenrecError(
                f"the codebooks were fitted on embeddings of `{fitted}`, these would come from `{mine}`",
                hint="use the encoder, with the options, that the identifiers were made with",
            )


def _identifiers(naming: Naming, paths: Paths, quantiser: Quantiser, settings: Any) -> Identifiers:
    return Identifiers.of(
        naming.write(paths),
        new_tokens=naming.all_tokens(),
        state=quantiser.state() | {"paths": paths},
        settings=settings,
    )


def _no_paths(levels: int) -> Paths:
    return np.zeros((0, levels + 1), dtype=np.int32)


def _encoder_identity(encoder: Encoder) -> dict[str, Any]:
    """What tells two encoders apart however each was made: class, version, options."""
    kind = type(encoder)
    identity = encoder.identity()
    return {
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "version": identity["version"],
        "options": identity["options"],
    }
