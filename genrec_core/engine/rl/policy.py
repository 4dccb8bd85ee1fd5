"""The policy while it writes: the model under training, its legal answers, and prompts from the one renderer.

Everything goes through the decoding engine that evaluation uses: the same renderer, the same tries (one for
each form an answer can take, so a batch may mix identifiers and titles), the same beam search. With
`scoring: legal` the log-probabilities that order beams are those that the loss will take the gradient of.

    policy.asked(sample)                       # the prompt's ids; with levels=2, two target tokens supplied
    policy.search([asked], width=16)           # one beam pass: completions, best first
    policy.draw([asked], 16, noise)            # sixteen independent draws from the constrained policy
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from genrec_core.contracts.candidates import Candidate, Candidates
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.groups import Rollout
from genrec_core.contracts.identifiers import Tokens
from genrec_core.contracts.samples import IDENTIFIER, Sample
from genrec_core.engine.choices import Scoring
from genrec_core.engine.decoding.batches import batches
from genrec_core.engine.decoding.beam import Found, SearchSettings, search
from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
from genrec_core.engine.decoding.support import decode_state_for
from genrec_core.engine.models.model import Model
from genrec_core.engine.rl.drawing import draw
from genrec_core.engine.rl.rollouts import Asked, Completion, Moment

_Rows = Callable[[list[Asked], str, Tensor], Found]


class Policy:
    """See the module's story.

    Args:
        model: the causal model under training; its weights are read as they are at each call.
        catalogue: what may be answered.
        scoring: how log-probabilities are normalised.
        temperature: divides logits.
        batch_tokens: prompt and beam tokens computed together.
    """

    def __init__(
        self, model: Model, catalogue: Catalogue, scoring: Scoring, temperature: float, batch_tokens: int
    ) -> None:
        self.model, self.catalogue = model, catalogue
        self.scoring, self.temperature, self.batch_tokens = scoring, temperature, batch_tokens
        self.decoder = Decoder(model, catalogue, DecoderSettings(scoring=scoring, batch_tokens=batch_tokens))
        self._spelt: dict[str, frozenset[str]] = {}

    def asked(self, sample: Sample, levels: int = 0) -> Asked:
        """A sample as a prompt, with the first `levels` tokens of its target's identifier supplied.

        Raises:
            GenrecError: a prefix is asked of an answer that is no identifier.
        """
        ids = tuple(self.decoder.renderer.prompt(sample))
        return Asked(sample, ids, self._prefix(sample, levels), levels)

    def leaves(self, sample: Sample, supply: int) -> int:
        """How many distinct identifiers begin with the first `supply` tokens of the sample's target."""
        trie = self.decoder.constraint(sample.answer_form).trie
        first = trie.descend(self._prefix(sample, supply))
        last, leaves = first + 1, 0
        while first < last:  # the nodes under a node are one run of numbers at each depth
            leaves += int((trie.ends[first:last] > 0).sum())
            first, last = int(trie.first[first]), int(trie.first[last - 1] + trie.count[last - 1])
        return leaves

    def named(self, item: int, form: str) -> Tokens:
        """What a rollout that reaches an item names: its identifier, or its text in a form as one token."""
        if form == IDENTIFIER:
            return self.catalogue.identifiers.tokens(item)
        return (self.catalogue.write(item, form),)

    def parsed(self, text: str, form: str) -> Tokens:
        """What a freely written text names, as `named` says; empty when it is no item's answer."""
        if form == IDENTIFIER:
            return self.catalogue.identifiers.parse(text) or ()
        if form not in self._spelt:
            self._spelt[form] = frozenset(self.catalogue.answers(form))
        return (text,) if text in self._spelt[form] else ()

    def depth(self, forms: Iterable[str]) -> int:
        """Tokens of the longest answer in any of these forms."""
        return max(self.decoder.constraint(form).depth for form in forms)

    def noise(self, moment: Moment, purpose: int = 0) -> torch.Generator:
        """A generator that depends on the moment and a purpose alone."""
        key = [moment.seed, moment.step, moment.stage, purpose]
        seed = int(np.random.SeedSequence(key).generate_state(1)[0])
        return torch.Generator(self.model.device).manual_seed(seed)

    def search(
        self, asked: Sequence[Asked], width: int, noise: torch.Generator | None = None
    ) -> list[list[Completion]]:
        """The `width` best answers of each prompt in one beam pass; with noise, drawn without replacement.

        Fewer where fewer are legal behind what is supplied.
        """

        def rows(batch: list[Asked], form: str, starts: Tensor) -> Found:
            constraint = self.decoder.constraint(form)
            settings = SearchSettings(width, self.scoring, noise, self.temperature)
            state = decode_state_for(self.model, steps=constraint.depth, width=width)
            prompts, prefixes = [one.ids for one in batch], [one.supplied for one in batch]
            return search(state, self.decoder.head, constraint, prompts, settings, starts, prefixes)

        return self._completions(asked, width, rows)

    def draw(self, asked: Sequence[Asked], count: int, noise: torch.Generator) -> list[list[Completion]]:
        """`count` independent draws for each prompt from the constrained policy."""

        def rows(batch: list[Asked], form: str, starts: Tensor) -> Found:
            constraint = self.decoder.constraint(form)
            settings = SearchSettings(count, self.scoring, noise, self.temperature)
            state = decode_state_for(self.model, steps=constraint.depth, width=count)
            prompts = [(*one.ids, *one.supplied) for one in batch]
            return draw(state, self.decoder.head, constraint, prompts, settings, starts)

        return self._completions(asked, count, rows)

    def beams(self, sample: Sample, continuation: str, width: int) -> Candidates:
        """The contract's look-ahead: the best answers behind the sample's prompt and a text."""
        behind = (*self.asked(sample).ids, *self.model.tokenise([continuation])[0])
        (found,) = self.search([Asked(sample, behind)], width)
        return Candidates(tuple(candidate(completion) for completion in found))

    def _prefix(self, sample: Sample, levels: int) -> tuple[int, ...]:
        """Token ids that spell the first tokens of the target's identifier."""
        if levels == 0:
            return ()
        if sample.answer_form != IDENTIFIER or sample.target is None:
            raise GenrecError(
                f"task `{sample.task}` answers with `{sample.answer_form}`; only an identifier has a prefix",
                hint="return None from `second` for such groups",
            )
        identifiers = self.catalogue.identifiers
        text = identifiers.separator.join(identifiers.tokens(sample.target)[:levels])
        ids = self.decoder.renderer.answer_ids()[sample.target]
        prefix = self.model.tokenise([text])[0]
        if ids[: len(prefix)] != prefix:
            raise GenrecError(
                f"the first {levels} tokens of `{identifiers.text(sample.target)}` are not a prefix of it "
                "in the text tokenizer",
                hint="supply prefixes only of identifiers whose tokens are single new tokens",
            )
        return tuple(prefix)

    def _completions(self, asked: Sequence[Asked], width: int, rows: _Rows) -> list[list[Completion]]:
        """What `rows` finds for each prompt; nothing is left to find where the whole answer is supplied."""
        tries = [self.decoder.constraint(one.sample.answer_form).trie for one in asked]
        begins = [trie.descend(one.supplied) for trie, one in zip(tries, asked, strict=True)]
        whole = [begin >= 0 and not trie.count[begin] for trie, begin in zip(tries, begins, strict=True)]
        made = [
            [self._completion(one, begin, 0.0)] if done else []
            for one, begin, done in zip(asked, begins, whole, strict=True)
        ]
        left = [place for place, done in enumerate(whole) if not done]
        sizes = [len(asked[place].ids) + len(asked[place].supplied) for place in left]
        kinds = [asked[place].sample.answer_form for place in left]
        for rank in batches(sizes, self.batch_tokens, room=width, kinds=kinds):
            batch = [left[number] for number in rank]
            members = [asked[place] for place in batch]
            starts = torch.tensor([begins[place] for place in batch])
            found = rows(members, members[0].sample.answer_form, starts)
            for place, nodes, scores in zip(batch, found.nodes.tolist(), found.scores.tolist(), strict=True):
                made[place] = [
                    self._completion(asked[place], node, score)
                    for node, score in zip(nodes, scores, strict=True)
                    if node >= 0
                ]
        return made

    def _completion(self, asked: Asked, node: int, score: float) -> Completion:
        form = asked.sample.answer_form
        trie = self.decoder.constraint(form).trie
        ids = tuple(trie.path(node))
        item = int(trie.items[trie.starts[node]])
        given = len(asked.supplied)
        rollout = Rollout(self.named(item, form), self.catalogue.write(item, form), score, asked.levels)
        return Completion(ids, tuple(place >= given for place in range(len(ids))), 0, rollout)


def candidate(completion: Completion) -> Candidate:
    """A completion's answer as recommenders give it."""
    rollout = completion.rollout
    return Candidate(rollout.tokens, rollout.score, rollout.text)
