"""Adapters: a low-rank correction of every linear layer of a network (LoRA, Hu et al. 2021), by peft.

    W x  becomes  W x + (alpha / rank) B A x,   A [rank, in] random, B [out, rank] zero

Only A and B are trained, in float32, so gradients and the optimiser's state are a hundredth of the model's.
When training ends they are merged into W, and the network is an ordinary one again: nothing that saves, loads
or decodes it knows of adapters. The embedding and the output matrix get none. They may be one matrix, and a
correction of one use would be lost or counted twice when the other is read back; the rows of new tokens are
trained as what they are (`freezing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import Field

from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.options import Options


class AdapterSettings(Options):
    """Adapters of `trainable: adapters`."""

    rank: int = Field(default=16, ge=1, le=4096)
    """Rank of each correction."""
    alpha: float = Field(default=32.0, gt=0)
    """Corrections are multiplied by `alpha / rank`."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of a layer's inputs that its correction does not see while training."""
    layers: tuple[str, ...] = ()
    """Last part of the names of the linear layers that get one, such as `q_proj`; by default all of them but
    the output layer."""


@contextmanager
def adapted(network: Any, settings: AdapterSettings, seed: int) -> Iterator[None]:
    """Give a network adapters for the length of a block, and merge them into its weights at the end.

    Every other weight must be frozen already. After an error the adapters are taken out unmerged.

    Raises:
        GenrecError: no linear layer has one of the names that `layers` gives.
    """
    # Options are read, and checked, without torch and peft.
    import torch
    from peft import LoraConfig
    from peft.tuners.lora import LoraModel

    names = linear_layers(network)
    chosen = [name for name in names if not settings.layers or name.rpartition(".")[2] in settings.layers]
    if not chosen:
        kinds = sorted({name.rpartition(".")[2] for name in names})
        raise GenrecError(
            f"no linear layer of `{type(network).__name__}` is called `{'`, `'.join(settings.layers)}`",
            hint=f"its linear layers are: {', '.join(kinds)}",
        )
    config = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules=chosen
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        tuner = LoraModel(network, config, "default")
    for name, parameter in network.named_parameters():
        if ".lora_" in name:
            parameter.data = parameter.data.float()
    try:
        yield
    except BaseException:
        tuner.unload()
        raise
    tuner.merge_and_unload(safe_merge=True)
    network.__dict__.pop("peft_config", None)


def linear_layers(network: Any) -> list[str]:
    """Names of the linear layers, the output layer left out; also those that GPT-2 calls convolutions."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    head = network.get_output_embeddings()
    return [
        name
        for name, module in network.named_modules()
        if isinstance(module, (nn.Linear, Conv1D)) and module is not head
    ]
