"""`sid/rq-kmeans`: semantic IDs from residual k-means on item embeddings (SINGER §2.1, QARM).

Everything but the learning is in `semantic_ids`. Here the codebook of a level is found by clustering what the
levels before it left over, plainly or with bounds on cluster sizes.

Departure from the paper: a catalogue too small for 256 codes a level gets fewer by default (a quarter of its
distinct embeddings), since with as many centroids as items a level only numbers them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from genrec_core import Context, Items, View, operational
from genrec_plugin_sid.linear import Frame, LinearQuantiser
from genrec_plugin_sid.quantiser import FittedArrays, Learnt, distinct_rows
from genrec_plugin_sid.semantic_ids import SemanticIDs

if TYPE_CHECKING:
    from torch import Tensor

    from genrec_plugin_sid.clusters import Clusters


class RQKMeans(SemanticIDs):
    """Names items by the codes of a residual k-means quantiser."""

    version = "4"

    class Options(SemanticIDs.Options):
        """How codebooks are found, besides the options of all semantic IDs."""

        center: bool = True
        """Take the mean embedding off first; it changes no cluster, only the digits that float32 keeps."""

        components: int | None = Field(default=None, ge=1)
        """Look at so many principal components of the embeddings; by default at the embeddings themselves."""

        whiten: bool = False
        """Scale every principal component to variance one."""

        balance: Literal["none", "constrained"] = "none"
        """Bounds on cluster sizes; `none` is plain k-means, `constrained` gives every code the same number of
        items, give or take one."""

        iterations: int = Field(default=100, ge=1)
        """Most k-means updates a level."""

        tolerance: float = Field(default=1e-7, ge=0)
        """A level is done when an update lowers its error by no more than this share."""

        device: str = operational("auto", "`auto` (a GPU when there is one), `cpu`, `cuda:1` …")

        @model_validator(mode="after")
        def _whitened_components(self) -> RQKMeans.Options:
            if self.whiten and self.components is None:
                raise ValueError("`whiten` scales principal components: write how many, as `components`")
            return self

    options: Options

    def learn(self, vectors: NDArray[np.float32], items: Items, train: View, context: Context) -> Learnt:
        """Cluster the residuals level by level.

        Raises:
            GenrecError: more codes are asked for than a level has distinct residuals, or more components than
                the embeddings have directions.
        """
        # Imports torch, which checking and explaining a pipeline must not.
        from genrec_core.engine import chosen_device
        from genrec_plugin_sid.balanced import balanced_kmeans
        from genrec_plugin_sid.kmeans import kmeans
        from genrec_plugin_sid.residual import fit_levels

        options = self.options
        frame = Frame.of(vectors, center=options.center, components=options.components, whiten=options.whiten)
        find = balanced_kmeans if options.balance == "constrained" else kmeans
        with context.progress("residual k-means", options.levels * options.iterations) as advance:

            def cluster(residuals: Tensor, level: int) -> Clusters:
                clusters = find(
                    residuals,
                    self.codes_at(level, distinct_rows(residuals.cpu().numpy())),
                    context.generator(level),
                    iterations=options.iterations,
                    tolerance=options.tolerance,
                    advance=advance,
                )
                advance(options.iterations - clusters.iterations)
                return clusters

            device = chosen_device(options.device)
            codebooks, codes = fit_levels(frame.apply(vectors), options.levels, cluster, device)
        return Learnt(LinearQuantiser(frame, codebooks), codes)

    def restore(self, state: FittedArrays, settings: Mapping[str, Any]) -> LinearQuantiser:
        """The quantiser that identifiers keep."""
        return LinearQuantiser.from_state(state)
