"""Soft identifiers: gradients of the recommender's loss flow into the generator (IDGenRec, eq. 5).

A written identifier is discrete, so nothing flows through it. Instead the generator is read along the
identifier that it wrote: its distribution over the vocabulary at every step, times the recommender's
embedding matrix, is an average embedding, and stands where the token's own embedding stood.

    distribution [1/4, 3/4] over two tokens, embeddings [[1], [3]]   →   2.5

The paper says *logits*; the public code takes log-probabilities, whose sum is far from one. Here they are
probabilities: soft identifiers that are certain are the identifiers themselves, and a constant added to all
logits changes nothing. The generator is read, not asked to write again, so what stands at a place is always
its distribution over what stands there now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from genrec_core.contracts.samples import IDENTIFIER
from genrec_core.engine import Model, Rendered
from genrec_plugin_idgenrec.generator import Generator

IGNORED = -100
"""The label of a token that is not learnt."""


@dataclass(frozen=True)
class Batch:
    """Rendered samples as tensors, and where identifiers of their prompts stand.

    Attributes:
        ids: int64 [B, P], what the recommender's (first) stack reads, padded on the right.
        mask: int64 [B, P], 1 where something is read.
        labels: int64 [B, T], `IGNORED` where nothing is learnt: of the decoder, or beside `ids` for a causal
            model.
        weights: float32 [B], what each sample counts.
        items: U distinct items that stand softly in some prompt.
        places: int64 [S, 2], row and place in `ids` of every soft token.
        sources: int64 [S, 2], beside `places`: which of `items`, and which token of its identifier.
    """

    ids: Tensor
    mask: Tensor
    labels: Tensor
    weights: Tensor
    items: list[int]
    places: Tensor
    sources: Tensor

    @property
    def learnt(self) -> float:
        """Summed weight of the learnt tokens."""
        counts = (self.labels != IGNORED).sum(dim=1)
        return float((counts * self.weights).sum())


def batch_of(rows: Sequence[tuple[Rendered, float]], model: Model, newest: int) -> Batch:
    """A batch of rendered samples and their weights, on the recommender's device.

    Args:
        rows: samples rendered for the recommender.
        model: the recommender.
        newest: of each prompt, so many identifiers, the last ones, are soft; the others stay as they are.
    """
    causal = model.family == "causal"
    read, labels, items = [], [], dict[int, int]()
    places, sources = list[tuple[int, int]](), list[tuple[int, int]]()
    for row, (rendered, _) in enumerate(rows):
        cut = len(rendered.ids) if causal else rendered.prompt_length
        read.append(rendered.ids[:cut])
        begin = 0 if causal else rendered.prompt_length
        pairs = zip(rendered.ids[begin:], rendered.learn[begin:], strict=True)
        labels.append([token if learnt else IGNORED for token, learnt in pairs])
        asked = [
            span
            for span in rendered.spans
            if span.item is not None and span.form == IDENTIFIER and span.end <= rendered.prompt_length
        ]
        for span in asked[max(0, len(asked) - newest) :]:
            assert span.item is not None
            source = items.setdefault(span.item, len(items))
            places += [(row, place) for place in range(span.start, span.end)]
            sources += [(source, step) for step in range(span.end - span.start)]
    device = model.device
    return Batch(
        ids=_padded(read, model.pad_id).to(device),
        mask=_padded([[1] * len(row) for row in read], 0).to(device),
        labels=_padded(labels, IGNORED).to(device),
        weights=torch.tensor([weight for _, weight in rows], dtype=torch.float32, device=device),
        items=list(items),
        places=torch.tensor(places, dtype=torch.long, device=device).reshape(-1, 2),
        sources=torch.tensor(sources, dtype=torch.long, device=device).reshape(-1, 2),
    )


def identifier_logits(generator: Generator, items: Sequence[int], written: Sequence[Sequence[int]]) -> Tensor:
    """The generator's logits along identifiers, [U, T, V]; rows of padding behind short ones mean nothing.

    Args:
        generator: of the catalogue; gradients flow into its model.
        items: U items.
        written: token ids of each one's identifier.
    """
    model, prompts = generator.model, [generator.prompt(item) for item in items]
    targets = _padded(written, model.pad_id).to(model.device)
    if model.family == "seq2seq":
        out = model.network(
            input_ids=_padded(prompts, model.pad_id).to(model.device),
            attention_mask=_padded([[1] * len(prompt) for prompt in prompts], 0).to(model.device),
            decoder_input_ids=_shifted(targets, model.network.config),
            use_cache=False,
        )
        logits: Tensor = out.logits
        return logits
    rows = [[*prompt, *tokens] for prompt, tokens in zip(prompts, written, strict=True)]
    out = model.network(
        input_ids=_padded(rows, model.pad_id).to(model.device),
        attention_mask=_padded([[1] * len(row) for row in rows], 0).to(model.device),
        use_cache=False,
    )
    before = torch.tensor([len(prompt) - 1 for prompt in prompts], device=model.device)[:, None]
    steps = (before + torch.arange(targets.shape[1], device=model.device)).clamp(max=out.logits.shape[1] - 1)
    return out.logits.gather(1, steps[..., None].expand(-1, -1, out.logits.shape[2]))


def soft_embeddings(logits: Tensor, table: Tensor, temperature: float = 1.0) -> Tensor:
    """Average embeddings [..., H] under softmax(logits / temperature) [..., V] and a table [V, H]."""
    return (logits.float() / temperature).softmax(dim=-1).to(table.dtype) @ table


def embedding_table(model: Model) -> Tensor:
    """Every token's embedding [V, H] as the model's own embedding layer gives it, scale included."""
    layer = model.network.get_input_embeddings()
    table: Tensor = layer(torch.arange(layer.weight.shape[0], device=model.device))
    return table


def token_losses(model: Model, batch: Batch, soft: Tensor | None = None) -> Tensor:
    """Summed weighted cross-entropy of a batch's learnt tokens (eq. 4, or eq. 5 with soft embeddings).

    Args:
        model: the recommender.
        batch: with S soft places.
        soft: embeddings [U, T, H] of the batch's items; without them every token is what it is.
    """
    network = model.network
    embeddings = network.get_input_embeddings()(batch.ids)
    if soft is not None and len(batch.places):
        row, place = batch.places.unbind(1)
        item, step = batch.sources.unbind(1)
        embeddings = embeddings.index_put((row, place), soft[item, step].to(embeddings.dtype))
    inputs: dict[str, Any] = {"inputs_embeds": embeddings, "attention_mask": batch.mask, "use_cache": False}
    labels = batch.labels
    if model.family == "seq2seq":
        logits = network(**inputs, decoder_input_ids=_shifted(labels, network.config)).logits
    else:
        logits, labels = network(**inputs).logits[:, :-1], labels[:, 1:]
    losses = cross_entropy(logits.float().transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
    return (losses.sum(dim=1) * batch.weights).sum()


def _shifted(labels: Tensor, config: Any) -> Tensor:
    """Decoder inputs: labels one place to the right behind the start token."""
    shifted = labels.new_full(labels.shape, config.decoder_start_token_id)
    shifted[:, 1:] = labels[:, :-1]
    return shifted.masked_fill(shifted == IGNORED, config.pad_token_id)


def _padded(rows: Sequence[Sequence[int]], fill: int) -> Tensor:
    """Rows of different lengths as int64 [B, longest], filled on the right."""
    padded = torch.full((len(rows), max(map(len, rows))), fill, dtype=torch.long)
    for number, row in enumerate(rows):
        padded[number, : len(row)] = torch.tensor(row, dtype=torch.long)
    return padded
