"""Drawing: independent samples of the constrained policy, all of one prompt behind a single reading of it.

At every node the next token is drawn among the legal ones alone, so every draw is an item's answer. Draws are
independent, hence may repeat; for draws without replacement see `engine.decoding.beam`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.decoding.batches import TokenIds
from genrec_core.engine.decoding.beam import Found, SearchSettings
from genrec_core.engine.decoding.constraint import Choices, Constraint, log_probabilities
from genrec_core.engine.decoding.decode_state import DecodeState
from genrec_core.engine.decoding.output_head import OutputHead


@torch.inference_mode()
def draw(
    state: DecodeState,
    head: OutputHead,
    constraint: Constraint,
    prompts: Sequence[TokenIds],
    settings: SearchSettings,
    starts: Tensor,
) -> Found:
    """`settings.beams` answers behind each prompt.

    Args:
        state: a fresh search state with room for as many beams.
        head: the model's output matrix.
        constraint: the legal answers.
        prompts: token ids, one row each.
        settings: number of draws, normalisation, temperature and noise.
        starts: int64 [R], the trie node each row starts from.

    Raises:
        GenrecError: there is no noise to draw with, or a row has no legal token.
    """
    if settings.noise is None:
        raise GenrecError("drawing needs noise", hint="give the settings a generator")
    hidden = state.start(prompts).expand(-1, settings.beams, -1)
    if bool((starts < 0).any()):
        raise GenrecError(
            "a row has no legal token to begin with",
            hint="no answer of the row's catalogue begins with the supplied prefix",
        )
    nodes = starts.to(hidden.device)[:, None].expand(-1, settings.beams).clone()
    scores = torch.zeros(nodes.shape, device=hidden.device)
    parents, tokens = torch.zeros_like(nodes), torch.zeros_like(nodes)
    steps = 0
    while bool((live := ~constraint.ended(nodes)).any()):
        if steps:
            hidden = state.advance(parents, tokens)
            parents = torch.arange(settings.beams, device=hidden.device).expand(len(prompts), -1)
        steps += 1
        choices = constraint.choices(nodes, live)
        flat = hidden.reshape(-1, hidden.shape[-1])
        gained = log_probabilities(head, flat, choices, settings.scoring, settings.temperature)
        drawn = _one_each(gained, choices, settings.noise)
        beams = choices.beams[drawn]
        nodes.view(-1)[beams] = choices.nodes[drawn]
        scores.view(-1)[beams] += gained[drawn]
        tokens = torch.zeros_like(nodes)
        tokens.view(-1)[beams] = choices.tokens[drawn]
    return Found(nodes, scores, steps)


def _one_each(gained: Tensor, choices: Choices, noise: torch.Generator) -> Tensor:
    """One entry of each beam's, drawn in proportion to its probability among them (Gumbel's maximum)."""
    uniform = torch.rand(gained.shape, generator=noise, device=gained.device).clamp_(1e-20, 1 - 1e-7)
    keys = gained - torch.log(-torch.log(uniform))
    highest = torch.full((len(choices.counts),), -torch.inf, device=keys.device)
    highest = highest.scatter_reduce(0, choices.beams, keys, "amax")
    return (keys == highest[choices.beams]).nonzero().squeeze(1)
