"""Decoder: samples in, candidate identifiers out.

It binds a model to a catalogue: prompts come from the one renderer, constraints are compiled once for each
form an answer can take (identifier, title …), requests are batched by length, and results come back in
the order asked, a window at a time, so that memory does not grow with the number of requests.

    decoder = Decoder(model, catalogue, DecoderSettings(beams=10))    # open once: tries are kept
    for answer in decoder.candidates(samples): ...                    # ask as often as you like
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec_core.contracts.candidates import BeamColumns, Candidate, Candidates
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.samples import IDENTIFIER, Sample
from genrec_core.contracts.views import Request
from genrec_core.engine.batches import WINDOW, by_tokens
from genrec_core.engine.choices import Scoring, Search
from genrec_core.engine.decoding.beam import Found, SearchSettings, search
from genrec_core.engine.decoding.constraint import Constraint, answer_end, answer_trie
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.decoding.prior import Prior
from genrec_core.engine.decoding.support import decode_state_for
from genrec_core.engine.models.dense_head import DenseHead
from genrec_core.engine.models.model import Model
from genrec_core.engine.rendering.renderer import Renderer
from genrec_core.identifiers.trie import Trie


@dataclass(frozen=True)
class DecoderSettings:
    """How to search.

    Attributes:
        beams: identifiers kept at every step and returned.
        search: `beam`, or `exhaustive`: every identifier is scored (as many beams as identifiers).
        scoring: `full` or `legal`, see `Scoring`.
        batch_tokens: prompt and beam tokens of one batch; changes speed and memory, not results.
        dense: what the log-softmax of the model's dense head counts beside the log-probability of what was
            found; the items found are ranked by both.
    """

    beams: int = 20
    search: Search = "beam"
    scoring: Scoring = "full"
    batch_tokens: int = 16384
    dense: float = 0.0


_SCORED = 128
"""Requests whose scores of all items are computed together."""

KEPT_TRIES = 8
"""Compiled tries that a model keeps: forms of answers times catalogues."""
_COMPILING = threading.Lock()


class Decoder:
    """Constrained generation of one model over one catalogue."""

    def __init__(
        self, model: Model, catalogue: Catalogue, settings: DecoderSettings, prior: Prior | None = None
    ) -> None:
        self.model, self.catalogue, self.settings, self.prior = model, catalogue, settings, prior
        self.renderer = Renderer(model, catalogue)
        self.head = OutputHead(model.network)
        self._constraints: dict[tuple[str, str], Constraint] = {}
        self._rows: Tensor | None = None
        if settings.dense and model.dense is None:
            raise GenrecError(
                "the model has no dense head to rank by",
                hint="train it with `dense: {}` in core/sft, or leave out `dense` here",
            )

    def constraint(self, form: str = IDENTIFIER, stop_text: str = "") -> Constraint:
        """The compiled answers in one form, with an end token where one answer continues another.

        `stop_text` is what follows answers instead of the end of text, see `answer_end`. What is compiled
        never changes, so every decoder of the same model and catalogue shares it.
        """
        if (form, stop_text) not in self._constraints:
            self._constraints[form, stop_text] = self._compiled(form, stop_text)
        return self._constraints[form, stop_text]

    def _compiled(self, form: str, stop_text: str) -> Constraint:
        items, identifiers, device = self.catalogue.items, self.catalogue.identifiers, self.head.weight.device
        key = (id(items), id(identifiers), form, stop_text, device)
        with _COMPILING:  # sessions of several threads share a model
            if key not in self.model.compiled:
                while len(self.model.compiled) >= KEPT_TRIES:
                    self.model.compiled.pop(next(iter(self.model.compiled)))
                trie = answer_trie(self.renderer, answer_end(self.renderer, stop_text), form)
                # Items and identifiers are kept with it: no other object can get their `id` meanwhile.
                self.model.compiled[key] = (Constraint(trie, device), items, identifiers)
            found: Constraint = self.model.compiled[key][0]
            return found

    def candidates(
        self,
        samples: Iterable[Sample],
        requests: Sequence[Request] = (),
        *,
        exclude: Iterable[Sequence[int]] | None = None,
        only: Iterable[frozenset[int] | None] | None = None,
    ) -> Iterator[Candidates]:
        """The best identifiers for each sample's prompt, in order.

        Args:
            samples: with the form of their answers.
            requests: whom each sample is for, where there is a prior.
            exclude: beside the samples, item indices that may not be answered. The search leaves them out, so
                as many beams come back as without; an item that shares its answer with another stays in.
            only: beside the samples, the item indices that alone may be answered, None for all.

        Raises:
            GenrecError: a sample has no constrained answer.
        """
        remaining, done = iter(samples), 0
        excluded = None if exclude is None else iter(exclude)
        allowed = None if only is None else iter(only)
        while window := list(islice(remaining, WINDOW)):
            yield from self.answers(
                window,
                [self.renderer.prompt(sample) for sample in window],
                requests[done : done + len(window)],
                exclude=None if excluded is None else list(islice(excluded, len(window))),
                only=None if allowed is None else list(islice(allowed, len(window))),
            )
            done += len(window)

    def answers(
        self,
        samples: Sequence[Sample],
        prompts: Sequence[Sequence[int]],
        requests: Sequence[Request] = (),
        *,
        exclude: Sequence[Sequence[int]] | None = None,
        only: Sequence[frozenset[int] | None] | None = None,
    ) -> list[Candidates]:
        """The best identifiers behind token-id prompts that belong to `samples`, in order.

        `exclude` and `only` as in `candidates`; a row to which nothing is left gets no beams.

        Raises:
            GenrecError: a sample has no constrained answer.
        """
        free = next((sample for sample in samples if not sample.answer_form), None)
        if free is not None:
            raise GenrecError(
                f"task `{free.task}` has no constrained answer to decode",
                hint="set the sample's `answer_form` to `identifier` or to an item field",
            )
        found: dict[int, Candidates] = {}
        lengths, kinds = list(map(len, prompts)), list(map(_answered, samples))
        for batch in by_tokens(lengths, self.settings.batch_tokens, room=self.settings.beams, kinds=kinds):
            form, stop_text = _answered(samples[batch[0]])
            result = self._found(
                _restricted(self.constraint(form, stop_text), exclude, only, batch),
                [prompts[index] for index in batch],
                asked=[requests[index] for index in batch] if self.prior else (),
            )
            found.update(zip(batch, self.written(result, form, stop_text), strict=True))
        return [found[index] for index in range(len(samples))]

    def search(
        self,
        prompts: Sequence[Sequence[int]],
        form: str = IDENTIFIER,
        *,
        stop_text: str = "",
        starts: Tensor | None = None,
        supplied: Sequence[Sequence[int]] | None = None,
        depth: int | None = None,
        exclude: Sequence[Sequence[int]] | None = None,
        only: Sequence[frozenset[int] | None] | None = None,
    ) -> Found:
        """One batch of token-id prompts through the search, without the prior.

        Args:
            prompts: token ids, one row each.
            form: which answers are legal.
            stop_text: what follows an answer instead of the end of text.
            starts: the trie node each row starts from, behind the tokens `supplied` to it.
            supplied: tokens already written behind each prompt.
            depth: return prefixes of this many tokens instead of whole identifiers.
            exclude: items that a row may not be answered with; of a prefix, those below it.
            only: items that alone a row may be answered with, None for all.
        """
        constraint = _restricted(self.constraint(form, stop_text), exclude, only, range(len(prompts)))
        return self._found(constraint, prompts, starts, supplied, depth)

    def _found(
        self,
        constraint: Constraint,
        prompts: Sequence[Sequence[int]],
        starts: Tensor | None = None,
        supplied: Sequence[Sequence[int]] | None = None,
        depth: int | None = None,
        asked: Sequence[Request] = (),
    ) -> Found:
        beams = self.settings.beams
        if self.settings.search == "exhaustive":
            beams = int((constraint.trie.ends > 0).sum())
        state = decode_state_for(self.model, steps=constraint.depth, width=beams)
        prior = None
        if self.prior is not None and asked:
            prior = self.prior.nodes(constraint.trie, asked, self.head.weight.device)
        settings = SearchSettings(beams, self.settings.scoring, depth=depth, prior=prior)
        return search(state, self.head, constraint, prompts, settings, starts, supplied)

    def written(self, found: Found, form: str = IDENTIFIER, stop_text: str = "") -> list[Candidates]:
        """What a search found, as candidates, one a row."""
        trie = self.constraint(form, stop_text).trie
        nodes, scores = found.nodes.cpu().numpy(), found.scores.cpu().numpy().astype(np.float64)
        spent = np.where(nodes >= 0, trie.depths[nodes], 0).sum(axis=1).tolist()
        if self.settings.dense and form == IDENTIFIER:
            beams = self._by_item(trie, nodes, scores, found.begun)
        else:
            beams = [self._by_node(trie, *row, form) for row in zip(nodes, scores, strict=True)]
        return [Candidates(one, {"finish": tokens}) for one, tokens in zip(beams, spent, strict=True)]

    def _by_node(
        self, trie: Trie, nodes: NDArray[np.int64], scores: NDArray[np.float64], form: str
    ) -> BeamColumns:
        """The best answers of a row, each for all items under its node."""
        kept = np.flatnonzero(nodes >= 0)[: self.settings.beams]
        values, items, counts = scores[kept], *trie.items_of_nodes(nodes[kept])

        def make() -> Iterator[Candidate]:
            edges = [0, *np.cumsum(counts).tolist()]
            groups = [items[begin:end].tolist() for begin, end in pairwise(edges)]
            for score, group in zip(values.tolist(), groups, strict=True):
                if form == IDENTIFIER:
                    yield Candidate(self.catalogue.identifiers.tokens(group[0]), score)
                else:
                    yield Candidate((), score, self.catalogue.write(group[0], form), tuple(group))

        return BeamColumns(items, counts, values, make)

    def _by_item(
        self, trie: Trie, nodes: NDArray[np.int64], scores: NDArray[np.float64], begun: Tensor
    ) -> list[BeamColumns]:
        """Every item of what was found, ranked by the score of its identifier and that of its own row."""
        rows, places = np.nonzero(nodes >= 0)
        items, counts = trie.items_of_nodes(nodes[rows, places])
        rows, values = np.repeat(rows, counts), np.repeat(scores[rows, places], counts)
        values += self.settings.dense * self._logs_at(begun, rows, items)
        order = np.lexsort((items, -values, rows))
        edges = np.searchsorted(rows, np.arange(len(nodes) + 1)).tolist()
        best = [order[begin:end][: self.settings.beams] for begin, end in pairwise(edges)]
        return [self.catalogue.named(items[one], values[one]) for one in best]

    @torch.inference_mode()
    def _logs_at(
        self, states: Tensor, rows: NDArray[np.int64], items: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Log-probabilities under the dense head of some items, each behind one of the states [R, H]."""
        head = self.model.dense
        assert head is not None
        at = (torch.from_numpy(rows).to(states.device), torch.from_numpy(items).long().to(states.device))
        return head.log_softmax_at(states, self._dense_rows(head), *at).cpu().numpy()

    def _dense_rows(self, head: DenseHead) -> Tensor:
        """The dense head's rows of all items, worked out once."""
        if self._rows is None:
            self._rows = head.rows(head.written(self.renderer.answer_ids()))
        return self._rows

    @torch.inference_mode()
    def item_logs(self, states: Tensor) -> Tensor:
        """Log-probabilities float32 [R, N] of all items under the dense head, from states [R, H]."""
        head = self.model.dense
        assert head is not None
        return head.log_softmax(states, self._dense_rows(head))

    def item_scores(self, samples: Iterable[Sample]) -> Iterator[NDArray[np.float32]]:
        """What the dense head says of every item, log-probabilities float32 [N] for each prompt, in order."""
        remaining, most = iter(samples), self.settings.batch_tokens
        while window := list(islice(remaining, WINDOW)):
            prompts = [self.renderer.prompt(sample) for sample in window]
            states: dict[int, Tensor] = {}
            for batch in by_tokens(list(map(len, prompts)), most):
                state = decode_state_for(self.model, steps=1, width=1)
                with torch.inference_mode():
                    read = state.start([prompts[place] for place in batch])[:, 0]
                states.update(zip(batch, read, strict=True))
            for first in range(0, len(window), _SCORED):
                some = [states[place] for place in range(first, min(first + _SCORED, len(window)))]
                yield from self.item_logs(torch.stack(some)).cpu().numpy()

    def weights_changed(self) -> None:
        """Forget what was computed from weights that have been trained since."""
        self._rows = None


def _answered(sample: Sample) -> tuple[str, str]:
    """In which form a sample is answered, and what follows its answer."""
    return sample.answer_form, sample.stop_text


def _restricted(
    constraint: Constraint,
    exclude: Sequence[Sequence[int]] | None,
    only: Sequence[frozenset[int] | None] | None,
    rows: Sequence[int],
) -> Constraint:
    """The constraint for some rows of a batch; itself where nothing is asked of any."""
    if exclude is None and only is None:
        return constraint
    left_out = [exclude[row] if exclude is not None else () for row in rows]
    return constraint.for_rows(left_out, None if only is None else [only[row] for row in rows])
