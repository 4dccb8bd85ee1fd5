"""Search over a constraint: constrained beam search, and sampling without replacement.

One beam pass, scores are summed log-probabilities without length normalisation, finished identifiers
wait in a pool of their own so that they take no beam from longer ones. On equal terms (same model, same
prompts, `length_penalty=0`, an explicit terminator) the result is that of `transformers.generate` with a
prefix function; with at least as many beams as identifiers it is exact.

    found = search(state, head, Constraint(trie, device), prompts, SearchSettings(beams=20))
    found.nodes[row, 0]      # trie node of the best identifier; trie.items_at(node) are its items

Sampling is the same search ordered by another key: log-probabilities perturbed from the root down by
Gumbel noise. The best K keys are then K identifiers drawn from the model without replacement (stochastic
beam search, Kool et al. 2019), in one pass and never twice the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genrec_core.contracts.errors import GenrecError, examples
from genrec_core.engine.batches import TokenIds
from genrec_core.engine.choices import Scoring
from genrec_core.engine.decoding.constraint import Choices, Constraint, log_probabilities
from genrec_core.engine.decoding.decode_state import DecodeState
from genrec_core.engine.decoding.output_head import OutputHead


@dataclass(frozen=True)
class SearchSettings:
    """How to search.

    Attributes:
        beams: identifiers kept at every step and returned.
        scoring: see `Scoring`.
        noise: draws without replacement instead of taking the best, with this generator.
        temperature: divides logits before normalising; sharpens (< 1) or flattens (> 1) what is drawn.
        depth: stop after this many tokens and return the prefixes reached; None goes to the end.
        prior: float32 [R, M], what every node of the trie adds to the score of whoever stands there, at most
            0 and never more than at its parent (`prior.Prior.nodes`); None adds nothing.
    """

    beams: int = 20
    scoring: Scoring = "full"
    noise: torch.Generator | None = None
    temperature: float = 1.0
    depth: int | None = None
    prior: Tensor | None = None


@dataclass(frozen=True)
class Found:
    """What a search ended with, best first: R rows, K beams.

    Attributes:
        nodes: int64 [R, K], trie nodes where identifiers (or prefixes of the asked depth) end; -1 where a
            row has fewer than K.
        scores: float32 [R, K], log-probabilities of the written tokens, with the prior's share; -inf where
            there is none.
        begun: float [R, H], the model's state where each row's answer begins.
    """

    nodes: Tensor
    scores: Tensor
    begun: Tensor


@dataclass
class _Beams:
    """Running beams, or finished ones: parallel [R, W] tensors, best key first."""

    nodes: Tensor
    scores: Tensor
    keys: Tensor

    def best(self, count: int) -> _Beams:
        """The `count` best by key."""
        keys, order = self.keys.topk(min(count, self.keys.shape[1]), dim=1)
        return _Beams(self.nodes.gather(1, order), self.scores.gather(1, order), keys)

    def joined(self, other: _Beams) -> _Beams:
        """Both, side by side."""
        pairs = ((self.nodes, other.nodes), (self.scores, other.scores), (self.keys, other.keys))
        return _Beams(*(torch.cat(pair, dim=1) for pair in pairs))


@torch.inference_mode()
def search(
    state: DecodeState,
    head: OutputHead,
    constraint: Constraint,
    prompts: Sequence[TokenIds],
    settings: SearchSettings,
    starts: Tensor | None = None,
    prefixes: Sequence[TokenIds] | None = None,
) -> Found:
    """The best (or drawn) identifiers after each prompt.

    Args:
        state: a fresh search state of the model.
        head: the model's output matrix.
        constraint: the legal identifiers; of `Constraint.for_rows`, those that each row may be given.
        prompts: token ids, one row each, any lengths.
        settings: how to search.
        starts: int64 [R], the trie node each row starts from (its catalogue's root, or deeper behind a
            prefix); the first catalogue's root by default.
        prefixes: tokens already written behind each prompt, when `starts` lies below a root.

    Raises:
        GenrecError: no token is legal at some row's start.
    """
    hidden = state.start(prompts, prefixes)
    begun, device = hidden[:, 0], hidden.device
    begin = _start_nodes(constraint, starts, len(prompts), device)
    zeros = torch.zeros(begin.shape, device=device)
    beams = _Beams(begin, zeros, zeros)
    empty = torch.full((len(prompts), settings.beams), -torch.inf, device=device)
    finished = _Beams(torch.full_like(empty, -1, dtype=torch.long), empty, empty)
    steps = 0
    while True:
        steps += 1
        choices, gained = _steps(head, constraint, beams, hidden.flatten(0, 1), settings)
        scores = beams.scores.reshape(-1)[choices.beams] + gained
        keys = _perturbed(scores, beams.keys, choices, settings.noise) if settings.noise else scores
        table, place = _by_row(keys, choices, len(prompts))
        ended = _ended(constraint, choices.nodes, at_depth=steps == settings.depth)
        entry, best = _pick(table, place, settings.beams)
        done = torch.where(ended[entry], best, -torch.inf)
        finished = finished.joined(_Beams(choices.nodes[entry], scores[entry], done)).best(settings.beams)
        if bool(ended[entry].any()):
            entry, best = _pick(table.masked_fill(ended[place], -torch.inf), place, settings.beams)
            # Keys only fall along a path, so a beam below the worst of a full pool can never enter it.
            best = best.masked_fill(best <= finished.keys[:, -1:], -torch.inf)
        alive = best > -torch.inf
        if not bool(alive.any()):
            reached = finished.keys > -torch.inf
            finished.nodes.masked_fill_(~reached, -1)
            return Found(finished.nodes, finished.scores.masked_fill(~reached, -torch.inf), begun)
        width = int(alive.sum(1).max())
        entry, best = entry[:, :width], best[:, :width]
        parents = choices.beams[entry] % beams.nodes.shape[1]
        beams = _Beams(choices.nodes[entry], scores[entry], best)
        hidden = state.advance(parents, choices.tokens[entry], _to_read(constraint, beams, settings))


def _to_read(constraint: Constraint, beams: _Beams, settings: SearchSettings) -> Tensor | None:
    """Bool [R, W]: the beams whose way the model still decides; None for all.

    Normalised over legal tokens alone, a token that nothing can stand beside has the probability 1. A beam
    from which a single identifier goes on need not be read: with three codes for each item of Beauty that is
    most beams before the last.
    """
    if settings.scoring == "full":
        return None
    return (beams.keys > -torch.inf) & ~constraint.decided(beams.nodes)


def _steps(
    head: OutputHead, constraint: Constraint, beams: _Beams, hidden: Tensor, settings: SearchSettings
) -> tuple[Choices, Tensor]:
    """Every step that the beams behind states [R × W, H] may take, and what each adds to its score [C]."""
    choices = constraint.choices(beams.nodes, beams.keys > -torch.inf)
    gained = log_probabilities(head, hidden, choices, settings.scoring, settings.temperature)
    if settings.prior is not None:
        gained += _prior_gain(settings.prior, beams.nodes, choices)
    return constraint.permitted(choices, gained, beams.nodes)


def _prior_gain(prior: Tensor, parents: Tensor, choices: Choices) -> Tensor:
    """What the prior adds for each choice, float32 [C]: the child's share less its parent's."""
    cells = choices.beams // parents.shape[1] * prior.shape[1] + choices.nodes  # two axes take longer
    return prior.reshape(-1)[cells].sub_(prior.gather(1, parents).reshape(-1)[choices.beams])


def _start_nodes(constraint: Constraint, starts: Tensor | None, rows: int, device: torch.device) -> Tensor:
    if starts is None:
        starts = torch.full((rows,), int(constraint.trie.roots[0]), dtype=torch.long)
    starts = starts.to(device)[:, None]
    dead = (starts < 0) | constraint.ended(starts.clamp(min=0))
    if bool(dead.any()):
        bad = dead.squeeze(1).nonzero().squeeze(1).tolist()
        raise GenrecError(
            f"{len(bad)} rows have no legal token to begin with (rows {examples(bad)})",
            hint="no identifier of the row's catalogue begins with the supplied prefix, or none continues it",
        )
    return starts


def _ended(constraint: Constraint, nodes: Tensor, *, at_depth: bool) -> Tensor:
    return torch.ones_like(nodes, dtype=torch.bool) if at_depth else constraint.ended(nodes)


def _by_row(values: Tensor, choices: Choices, rows: int) -> tuple[Tensor, Tensor]:
    """Flat choices as one padded line a row: (values [R, M] with -inf pads, flat entry of each [R, M])."""
    sizes = choices.counts.reshape(rows, -1).sum(1)
    begin = sizes.cumsum(0) - sizes
    across = torch.arange(int(sizes.max()), device=values.device)
    inside = across < sizes[:, None]
    place = torch.where(inside, begin[:, None] + across, 0)
    return torch.where(inside, values[place], -torch.inf), place


def _pick(table: Tensor, place: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """(flat entries, values) [R, ≤ count] of the best of each row."""
    best, picked = table.topk(min(count, table.shape[1]), dim=1)
    return place.gather(1, picked), best


def _perturbed(scores: Tensor, parents: Tensor, choices: Choices, noise: torch.Generator) -> Tensor:
    """Gumbel keys [C] of children whose maximum over each beam is the beam's own key (Kool et al., eq. 9)."""
    uniform = torch.rand(scores.shape, generator=noise, device=scores.device).clamp_(1e-20, 1 - 1e-7)
    raw = scores - torch.log(-torch.log(uniform))
    highest = torch.full((len(choices.counts),), -torch.inf, device=scores.device)
    highest = highest.scatter_reduce(0, choices.beams, raw, "amax")[choices.beams]
    target = parents.reshape(-1)[choices.beams]
    shift = target - raw + torch.log1p(-torch.exp((raw - highest).clamp(max=-1e-7)))
    shift = torch.where(raw == highest, -torch.inf, shift)
    keys = target - shift.relu() - torch.log1p(torch.exp(-shift.abs()))
    return torch.where(raw == highest, target, keys).masked_fill_(raw == -torch.inf, -torch.inf)
