"""A trie on the model's device: which tokens may follow on every beam, in one gather.

The candidates of a step are ragged (a beam may have one legal token or two hundred), so they are kept
flat: parallel arrays with one entry for each legal (beam, token) pair, rows after one another.

`answer_trie` compiles what may be answered: every item of a catalogue in one form. Decoding walks it and
legal training normalises over it, so both mean the same by "legal". Where one answer is the beginning of
another, an end token tells them apart; nowhere else is it part of an answer.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec_core.contracts.samples import IDENTIFIER
from genrec_core.engine.choices import Scoring
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.rendering.renderer import Renderer
from genrec_core.identifiers.spelling import refuse_unreadable_answers
from genrec_core.identifiers.trie import Ints, Trie, compile_trie, forest, runs


@dataclass(frozen=True)
class Choices:
    """Every legal next step of a batch of beams: C flat entries.

    Attributes:
        beams: int64 [C], flat index of the beam (row × width + beam), ascending.
        nodes: int64 [C], the trie node that the step leads to.
        tokens: int64 [C], the token it writes.
        counts: int64 [B × W], entries of each beam.
    """

    beams: Tensor
    nodes: Tensor
    tokens: Tensor
    counts: Tensor


@dataclass(frozen=True)
class Restriction:
    """Which items each of R rows may be answered with, over a trie of N items.

    Attributes:
        counts: int64 [S, N + 1], how many of the trie's first n items are in each of S sets of allowed ones.
        sets: int64 [R], the set of each row.
        named: int64, ascending: row × (N + 1) + place in the trie's items, of every item that the row itself
            names: those of its set that it may not be answered with all the same, or those that alone it may.
        only: bool [R], whether the named items are the ones allowed; then the row's set does not count.
        excluding: whether nothing else is asked than that each row leaves out the items it names.
    """

    counts: Tensor
    sets: Tensor
    named: Tensor
    only: Tensor
    excluding: bool = False

    def allows(self, rows: Tensor, starts: Tensor, leaves: Tensor) -> Tensor:
        """Whether some item of the run `starts … starts + leaves` is allowed, bool of their shape."""
        of = self.sets[rows]
        left = self.counts[of, starts + leaves] - self.counts[of, starts]
        if not len(self.named):
            return (left > 0) & ~self.only[rows]
        begin = rows * self.counts.shape[1] + starts
        named = torch.searchsorted(self.named, begin + leaves) - torch.searchsorted(self.named, begin)
        return torch.where(self.only[rows], named, left - named) > 0


KEPT_SETS = 16
"""Sets of allowed items whose counts a constraint keeps."""
PAIRS_A_CHOICE = 4
"""Pairs of beam and excluded item that are looked at for each choice at most; beyond, every choice is."""
FEW = 64
"""A set of less than one in so many items is named item by item: rows may each have one of their own."""


class Constraint:
    """The compiled trie as tensors.

    Args:
        trie: one catalogue or a forest of them.
        device: where the model lives.
    """

    def __init__(self, trie: Trie, device: torch.device) -> None:
        self.trie, self.device = trie, device
        self.depth = trie.depth()
        self._first = torch.from_numpy(trie.first).to(device).long()
        self._count = torch.from_numpy(trie.count).to(device).long()
        self._tokens = torch.from_numpy(trie.tokens).to(device).long()
        self._starts = torch.from_numpy(trie.starts).to(device).long()
        self._leaves = torch.from_numpy(trie.leaves).to(device).long()
        self._depths = torch.from_numpy(trie.depths).to(device).long()
        self._decided = torch.from_numpy(_decided(trie)).to(device)
        self._restriction: Restriction | None = None
        self._counts: dict[frozenset[int] | None, Tensor] = {}
        self._counting = threading.Lock()

    @cached_property
    def _by_item(self) -> tuple[Ints, Ints]:
        """Items ascending, and the place of each in the trie's own order."""
        order = np.argsort(self.trie.items, kind="stable").astype(np.int32)
        return self.trie.items[order], order

    @cached_property
    def _paths(self) -> Tensor:
        """Int64 [N, depth + 1]: the node at each depth above every place in the trie's items, -1 below."""
        trie, end = self.trie, np.flatnonzero(self.trie.ends)
        nodes = np.full((len(trie.items), self.depth + 1), -1, dtype=np.int64)
        at, places = np.repeat(end, trie.ends[end]), runs(trie.starts[end], trie.ends[end])
        while len(at):
            nodes[places, trie.depths[at]] = at
            above = trie.parents[at].astype(np.int64)
            at, places = above[above >= 0], places[above >= 0]
        return torch.from_numpy(nodes).to(self.device)

    def for_rows(
        self, exclude: Sequence[Sequence[int]], only: Sequence[frozenset[int] | None] | None = None
    ) -> Constraint:
        """The same trie for a batch whose rows may not be answered with everything; nothing is compiled.

        A node is legal for a row while an item below it is allowed, so as many answers come back as exist. An
        item that shares its answer with an allowed one keeps it writable.

        Args:
            exclude: item indices left out for each row; those without an answer here change nothing.
            only: item indices that alone are allowed for each row, less those excluded; None for all. What a
                large set allows is counted once and kept, so rows with the same rule share one set.
        """
        if only is None or all(kept is None for kept in only):
            return self._excluding(exclude)
        items = len(self.trie.items)
        few = [kept is not None and len(kept) * FEW < items for kept in only]
        counted = [None if small else kept for kept, small in zip(only, few, strict=True)]
        distinct, device = list(dict.fromkeys(counted)), self._first.device
        keys: list[NDArray[np.int64]] = []
        for row, (left_out, kept) in enumerate(zip(exclude, only, strict=True)):
            named = set(left_out) if kept is None else kept.intersection(left_out)
            if few[row] and kept is not None:
                named = kept.difference(left_out)
            places, _ = self._places(np.fromiter(named, dtype=np.int64, count=len(named)))
            keys.append(np.sort(places) + row * (items + 1))
        restricted = copy.copy(self)
        restricted._restriction = Restriction(
            torch.stack([self._counted(one) for one in distinct]) if distinct else torch.zeros((0, 1)),
            torch.tensor([distinct.index(one) for one in counted], dtype=torch.long, device=device),
            torch.from_numpy(np.concatenate([*keys, np.zeros(0, dtype=np.int64)])).to(device),
            torch.tensor(few, dtype=torch.bool, device=device),
        )
        return restricted

    def _excluding(self, exclude: Sequence[Sequence[int]]) -> Constraint:
        """The same trie for rows that are asked nothing else than to leave some items out."""
        rows = np.repeat(np.arange(len(exclude)), [len(left_out) for left_out in exclude])
        places, counts = self._places(
            np.fromiter(chain.from_iterable(exclude), dtype=np.int64, count=len(rows))
        )
        keys = np.unique(places + np.repeat(rows, counts) * (len(self.trie.items) + 1))
        device = self._first.device
        restricted = copy.copy(self)
        restricted._restriction = Restriction(
            self._counted(None)[None],
            torch.zeros(len(exclude), dtype=torch.long, device=device),
            torch.from_numpy(keys).to(device),
            torch.zeros(len(exclude), dtype=torch.bool, device=device),
            excluding=True,
        )
        return restricted

    def _places(self, named: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places in the trie's own order of some items, one item after another, and how many each has."""
        items, order = self._by_item
        first, last = (np.searchsorted(items, named, side) for side in ("left", "right"))
        return order[runs(first, last - first)].astype(np.int64), last - first

    def _counted(self, allowed: frozenset[int] | None) -> Tensor:
        """How many of the trie's first n items a set allows, int64 [N + 1]; None allows all."""
        with self._counting:  # sessions of several threads share a trie
            if allowed not in self._counts:
                items = self.trie.items
                kept = np.ones(len(items), dtype=np.bool_)
                if allowed is not None:
                    kept = np.isin(items, np.fromiter(allowed, dtype=np.int64, count=len(allowed)))
                while len(self._counts) >= KEPT_SETS:
                    self._counts.pop(next(iter(self._counts)))
                counts = torch.from_numpy(np.concatenate([[0], np.cumsum(kept)]))
                self._counts[allowed] = counts.long().to(self._first.device)
            return self._counts[allowed]

    def permitted(self, choices: Choices, gained: Tensor, nodes: Tensor) -> tuple[Choices, Tensor]:
        """The choices that the rows' items allow, with their values; probabilities stay those of the trie.

        Args:
            choices: the legal steps from `nodes`.
            gained: of each, what it adds to the score. Of one that is left in though it is not allowed, -inf.
            nodes: int64 [B, W], where the beams stand.
        """
        restriction = self._restriction
        if restriction is None:
            return choices, gained
        if restriction.excluding and len(restriction.named) * nodes.shape[1] <= PAIRS_A_CHOICE * len(gained):
            return choices, self._without_excluded(restriction, choices, gained, nodes)
        starts, leaves = self._starts[choices.nodes], self._leaves[choices.nodes]
        kept = restriction.allows(choices.beams // nodes.shape[1], starts, leaves)
        beams = choices.beams[kept]
        counts = torch.bincount(beams, minlength=len(choices.counts))
        return Choices(beams, choices.nodes[kept], choices.tokens[kept], counts), gained[kept]

    def _without_excluded(
        self, restriction: Restriction, choices: Choices, gained: Tensor, nodes: Tensor
    ) -> Tensor:
        """Gains with -inf where a step leads to a node under which every item is left out.

        Instead of every choice, the few items that are left out are looked at: on which beam of its row each
        lies, and to which of the beam's choices. A node that all its items lead to is lost.
        """
        rows = restriction.named // restriction.counts.shape[1]
        places = restriction.named % restriction.counts.shape[1]
        begin = self._starts[nodes][rows]
        live = choices.counts.reshape(nodes.shape)[rows] > 0
        over = live & (begin <= places[:, None]) & (places[:, None] < begin + self._leaves[nodes][rows])
        which, beams = over.nonzero(as_tuple=True)
        rows, places = rows[which], places[which]
        parents = nodes[rows, beams]
        below = self._paths[places, self._depths[parents] + 1]
        offsets = (choices.counts.cumsum(0) - choices.counts)[rows * nodes.shape[1] + beams]
        led_to = (offsets + below - self._first[parents])[below >= 0]
        entry, counts = led_to.unique(return_counts=True)  # type: ignore[no-untyped-call]
        lost = entry[counts == self._leaves[choices.nodes[entry]]]
        return gained.index_fill(0, lost, -torch.inf)

    def choices(self, nodes: Tensor, live: Tensor) -> Choices:
        """The legal steps from `nodes` int64 [B, W]; beams that are not `live` have none."""
        counts = (self._count[nodes] * live).reshape(-1)
        beams = torch.repeat_interleave(torch.arange(len(counts), device=nodes.device), counts)
        shift = self._first[nodes].reshape(-1) - (counts.cumsum(0) - counts)
        children = torch.arange(len(beams), device=nodes.device) + shift[beams]
        return Choices(beams, children, self._tokens[children], counts)

    def decided(self, nodes: Tensor) -> Tensor:
        """Bool of the same shape: whether one identifier alone goes on from these nodes, or ends there."""
        return self._decided[nodes]

    def ended(self, nodes: Tensor) -> Tensor:
        """Bool of the same shape: whether identifiers end at these nodes."""
        return self._count[nodes] == 0


def _decided(trie: Trie) -> NDArray[np.bool_]:
    """Of every node, whether no node from it on has several children."""
    decided: NDArray[np.bool_] = trie.count == 0
    for depth in range(trie.depth(), -1, -1):
        alone = np.flatnonzero((trie.depths == depth) & (trie.count == 1))
        decided[alone] = decided[trie.first[alone]]
    return decided


def log_probabilities(
    head: OutputHead, hidden: Tensor, choices: Choices, scoring: Scoring, temperature: float = 1.0
) -> Tensor:
    """Log-probability float32 [C] of each choice given the hidden states [B × W, H] of the beams.

    Logits are divided by `temperature` before they are normalised.
    """
    if scoring == "full":
        logits = _logits(head, hidden, choices, temperature)
        return logits - head.normaliser(hidden, temperature)[choices.beams]
    several = choices.counts > 1
    if bool((several | (choices.counts == 0)).all()):
        return _among(_logits(head, hidden, choices, temperature), choices)
    # A token that nothing can stand beside is certain, whatever the model thinks of it.
    entries = several[choices.beams].nonzero().squeeze(1)
    beams, counts = choices.beams[entries], choices.counts * several
    open_ = Choices(beams, choices.nodes[entries], choices.tokens[entries], counts)
    logs = _among(_logits(head, hidden, open_, temperature), open_)
    return torch.zeros(len(choices.beams), device=hidden.device).index_copy_(0, entries, logs)


def _logits(head: OutputHead, hidden: Tensor, choices: Choices, temperature: float) -> Tensor:
    """Logits float32 [C] of choices, divided by the temperature."""
    logits = head.logits_at(hidden, choices.beams, choices.counts, choices.tokens)
    return logits if temperature == 1.0 else logits / temperature


def _among(logits: Tensor, choices: Choices) -> Tensor:
    """Log-probabilities [C] of choices among those of their beam, from logits [C]; overwrites `logits`."""
    counts = choices.counts
    highest = torch.segment_reduce(logits, "max", lengths=counts, unsafe=True, initial=-torch.inf)
    logits -= highest.repeat_interleave(counts)
    summed = torch.segment_reduce(logits.exp(), "sum", lengths=counts, unsafe=True, initial=0.0)
    return logits.sub_(summed.log_().repeat_interleave(counts))


def answer_end(renderer: Renderer, stop_text: str = "") -> int:
    """The token that ends an answer, wherever one continues another: in training, decoding and validation.

    Args:
        renderer: of the model.
        stop_text: what the task writes behind answers (`Sample.stop_text`); empty is the end of text.
    """
    return int(renderer.literal_ids(stop_text)[0]) if stop_text else renderer.model.end_id


def answer_trie(renderer: Renderer, end_id: int, form: str = IDENTIFIER) -> Trie:
    """The trie of all answers in a form; items that have none in it are left out.

    Raises:
        GenrecError: the text tokenizer cannot write an answer: all that hold its unknown token would be one.
    """
    ids = renderer.answer_ids(form)
    if form != IDENTIFIER:  # identifiers met the vocabulary when they were tokenised
        unknown = renderer.model.text_tokenizer.unk_token_id
        refuse_unreadable_answers(renderer.catalogue, form, ids, unknown)
    named = [item for item, tokens in enumerate(ids) if tokens]
    return compile_trie([ids[item] for item in named], named, terminator=end_id, terminate="ambiguous")


class AnswerTries:
    """Identifiers as tries side by side, one for each way in which tasks end their answers.

    A mixture may hold tasks that end an answer with the end of text and others that go on behind it. Numbers
    of nodes stay as they are when another way is added, so samples can be rendered one after another.

    Args:
        renderer: of the model.
    """

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._tries: dict[int, Trie] = {}

    def catalogue(self, stop_text: str) -> int:
        """Which of the forest's catalogues a task's answers are in."""
        end = answer_end(self._renderer, stop_text)
        if end not in self._tries:
            self._tries[end] = answer_trie(self._renderer, end)
        return list(self._tries).index(end)

    @property
    def trie(self) -> Trie:
        """All of them as one forest."""
        return forest(list(self._tries.values()))
