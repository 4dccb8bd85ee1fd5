"""The loss: cross-entropy on learnt tokens, with the output layer computed for those alone.

A prompt of a hundred tokens with an answer of four needs four rows of logits, not a hundred, and with a
large vocabulary the output layer is most of a small model's work. A hook on the output layer picks the
hidden states it is given, so this works for every architecture, whatever it does to its logits afterwards.

A causal model predicts token t + 1 at position t; a decoder is given the labels shifted by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from genrec_core.engine.training.collator import IGNORED
from genrec_core.engine.training.legal import LegalLoss


def learnt_losses(
    network: Any,
    batch: Mapping[str, Tensor],
    label_smoothing: float = 0.0,
    forward: Any = None,
    legal: LegalLoss | None = None,
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of every learnt token of a batch.

    Args:
        network: a transformers causal or encoder-decoder model.
        batch: what `Collator.batch` gives, on the network's device.
        label_smoothing: share of the target's probability that is spread over the vocabulary.
        forward: called instead of the network when something is wrapped around it.
        legal: normalises identifiers over the tokens that may stand there, see the module `legal`; by
            default everything is normalised over the whole vocabulary.

    Returns:
        Losses and weights of the M learnt tokens, float32 [M] each, rows of the batch after one another.
    """
    labels = batch["labels"]
    encoder_decoder = bool(network.config.is_encoder_decoder)
    if encoder_decoder:
        targets, nodes = labels, batch["nodes"]
        inputs = {
            "input_ids": batch["input_ids"],
            "attention_mask": batch["attention_mask"],
            "decoder_input_ids": _shifted(labels, network.config),
        }
    else:
        targets = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=IGNORED)
        nodes = torch.nn.functional.pad(batch["nodes"][:, 1:], (0, 1), value=-1)
        inputs = {"input_ids": batch["input_ids"]}
    places = (targets.reshape(-1) != IGNORED).nonzero().squeeze(1)
    led = nodes.reshape(-1)[places] if legal else torch.full_like(places, -1)
    free, bound = (led < 0).nonzero().squeeze(1), (led >= 0).nonzero().squeeze(1)
    states: list[Tensor] = []

    def pick(_: Any, arguments: tuple[Tensor, ...]) -> tuple[Tensor]:
        hidden = arguments[0]
        states.append(hidden.reshape(-1, hidden.shape[-1]).index_select(0, places))
        return (states[0].index_select(0, free),)

    hook = network.get_output_embeddings().register_forward_pre_hook(pick)
    try:
        logits = (forward or network)(**inputs, use_cache=False).logits
    finally:
        hook.remove()
    losses = torch.nn.functional.cross_entropy(
        logits.float().reshape(len(free), -1),
        targets.reshape(-1)[places[free]],
        reduction="none",
        label_smoothing=label_smoothing,
    )
    if legal and len(bound):
        restricted = legal(states[0].index_select(0, bound), led[bound], label_smoothing)
        losses = torch.cat([losses, restricted])[torch.cat([free, bound]).argsort()]
    return losses, batch["weights"][places // targets.shape[1]]


def batch_loss(
    network: Any,
    batch: Mapping[str, Tensor],
    label_smoothing: float = 0.0,
    forward: Any = None,
    legal: LegalLoss | None = None,
) -> Tensor:
    """The batch's part of its step's weighted mean loss, a scalar; arguments as for `learnt_losses`."""
    losses, weights = learnt_losses(network, batch, label_smoothing, forward, legal)
    return (losses * weights).sum() / batch["denominator"].clamp(min=torch.finfo(torch.float32).tiny)


def _shifted(labels: Tensor, config: Any) -> Tensor:
    """Decoder inputs: labels one place to the right after the start token."""
    shifted = labels.new_full(labels.shape, config.decoder_start_token_id)
    shifted[:, 1:] = labels[:, :-1]
    return shifted.masked_fill(shifted == IGNORED, config.pad_token_id)
