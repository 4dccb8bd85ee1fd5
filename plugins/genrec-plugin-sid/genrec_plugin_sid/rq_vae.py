"""`sid/rq-vae`: semantic IDs from a residual-quantised autoencoder (SIDReasoner §3.2.1, eqs. 2 to 5; TIGER).

Everything but the learning is in `semantic_ids`. Here an encoder maps embeddings to latents and a decoder
back, codebooks quantise the latents, and all of it is trained together (`rq_vae_training`). Once trained, an
item's codes are the nearest ones, greedily, with everything frozen: for items of the fit and for new items
alike, also where training assigned by Sinkhorn. What still collides is the collision policy's matter.

Departures from the paper and the code around it:
- Public code trains for thousands of epochs and keeps the weights with the fewest collisions on the items
  it trained on. Here a share of the items is held out and their reconstruction decides, within a minute or
  two for 12,000 items.
- Public code has layers of 2048, 1024, 512, 256, 128 and 64 on embeddings of several thousand numbers. The
  default here is smaller, for sentence embeddings of a few hundred.
- A catalogue too small for 256 codes gets fewer by default, as with `sid/rq-kmeans`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from genrec_core import Context, Items, View, operational
from genrec_plugin_sid.quantiser import FittedArrays, Learnt, distinct_rows
from genrec_plugin_sid.semantic_ids import SemanticIDs

if TYPE_CHECKING:
    from genrec_plugin_sid.nonlinear import NonlinearQuantiser
    from genrec_plugin_sid.rq_vae_training import Recipe

Epsilon = Annotated[float, Field(ge=0)]


class RQVAE(SemanticIDs):
    """Names items by the codes of a residual-quantised autoencoder."""

    class Options(SemanticIDs.Options):
        """The network, its codebooks and its training, besides the options of all semantic IDs."""

        hidden: tuple[Annotated[int, Field(ge=1, le=65_536)], ...] = (512, 256)
        """Widths of the encoder's hidden layers; the decoder mirrors them. Empty for a linear encoder."""

        latent: int = Field(default=64, ge=1, le=65_536)
        """Width of the latents and of the codes."""

        beta: float = Field(default=0.25, ge=0)
        """Weight of the commitment loss, which keeps latents near their codes."""

        init: Literal["kmeans", "random"] = "kmeans"
        """Codebooks to start with: clusters of the first latents, or small random codes (these collapse
        easily)."""

        update: Literal["gradient", "ema"] = "gradient"
        """How codes follow their residuals: by the codebook loss, or as moving averages."""

        decay: float = Field(default=0.99, ge=0, lt=1)
        """What `update: ema` keeps of the past at every step."""

        reset: int = Field(default=1, ge=0)
        """A code that no item took for so many epochs starts again at a random item's residual; 0 for
        never."""

        sinkhorn: Epsilon | tuple[Epsilon, ...] = 0.0
        """Assign codes in training so that a batch uses all of them alike: the softness of the assignment,
        one number or one a level, 0 for the nearest code. LC-Rec has 0.003 at its last level only."""

        learning_rate: float = Field(default=1e-3, gt=0)
        """Of AdamW; constant."""

        weight_decay: float = Field(default=1e-4, ge=0)
        """Of the network's weights; codes have none."""

        batch_size: int = Field(default=128, ge=1)
        """Items a step."""

        epochs: int = Field(default=200, ge=1)
        """Most passes over the items."""

        held_out: float = Field(default=0.1, ge=0, lt=1)
        """Share of the items that training does not see; their reconstruction picks the epoch kept. With 0
        the last one is."""

        patience: int = Field(default=20, ge=1)
        """Training stops after so many epochs without a better one."""

        device: str = operational("auto", "`auto` (a GPU when there is one), `cpu`, `cuda:1` …")

        @model_validator(mode="after")
        def _one_epsilon_a_level(self) -> RQVAE.Options:
            if isinstance(self.sinkhorn, tuple) and len(self.sinkhorn) != self.levels:
                raise ValueError(f"`sinkhorn` lists {len(self.sinkhorn)} values for `levels: {self.levels}`")
            return self

    options: Options

    def learn(self, vectors: NDArray[np.float32], items: Items, train: View, context: Context) -> Learnt:
        """Train network and codebooks, then take the nearest codes.

        Raises:
            GenrecError: more codes are asked for than items have distinct embeddings, or training diverged.
        """
        # Imports torch, which checking and explaining a pipeline must not.
        import torch

        from genrec_core.engine import chosen_device
        from genrec_plugin_sid.nonlinear import NonlinearQuantiser, Scaling
        from genrec_plugin_sid.residual import encode
        from genrec_plugin_sid.rq_vae_training import train as train_rq_vae

        distinct = distinct_rows(vectors)
        sizes = tuple(self.codes_at(level, distinct) for level in range(self.options.levels))
        scaling = Scaling.of(vectors)
        points = torch.from_numpy(scaling.apply(vectors)).to(chosen_device(self.options.device))
        trained = train_rq_vae(points, self._recipe(vectors.shape[1], sizes), context)
        context.log("kept", epoch=trained.epoch, held_out=trained.error)
        codebooks = tuple(book.detach().cpu().numpy() for book in trained.codebooks.levels)
        quantiser = NonlinearQuantiser(scaling, trained.network.cpu(), codebooks)
        return Learnt(quantiser, encode(quantiser.latents(vectors), codebooks))

    def restore(self, state: FittedArrays, settings: Mapping[str, Any]) -> NonlinearQuantiser:
        """The quantiser that identifiers keep."""
        from genrec_plugin_sid.nonlinear import NonlinearQuantiser

        return NonlinearQuantiser.from_state(state)

    def _recipe(self, width: int, sizes: tuple[int, ...]) -> Recipe:
        from genrec_plugin_sid.rq_vae_training import Recipe

        options = self.options
        epsilons = (
            options.sinkhorn if isinstance(options.sinkhorn, tuple) else (options.sinkhorn,) * len(sizes)
        )
        return Recipe(
            sizes=sizes,
            widths=(width, *options.hidden, options.latent),
            beta=options.beta,
            start=options.init,
            update=options.update,
            decay=options.decay,
            reset=options.reset,
            sinkhorn=epsilons,
            learning_rate=options.learning_rate,
            weight_decay=options.weight_decay,
            batch_size=options.batch_size,
            epochs=options.epochs,
            held_out=options.held_out,
            patience=options.patience,
        )
