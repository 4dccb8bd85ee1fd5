"""The policy while it writes: the model under training, its legal answers, and prompts from the one renderer.

Everything goes through the decoding engine that evaluation uses: the same renderer, the same tries (one for
each form an answer can take, so a batch may mix identifiers and titles), the same beam search. With
`scoring: legal` the log-probabilities that order beams are those that the loss will take the gradient of.

    prompt = policy.prompt_of(sample)          # its ids; with prefix_length=2, two target tokens supplied
    policy.search([prompt], width=16)          # one beam pass: completions, best first
    policy.draw([prompt], 16, noise)           # sixteen independent draws from the constrained policy
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile

import numpy as np
import torch
from torch import Tensor

from genrec_core.contracts.candidates import Candidate, Candidates
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.identifiers import Tokens
from genrec_core.contracts.reward import Rollout
from genrec_core.contracts.samples import IDENTIFIER, Sample
from genrec_core.engine.batches import by_tokens
from genrec_core.engine.choices import Scoring, Trailing
from genrec_core.engine.decoding.beam import Found, SearchSettings, search
from genrec_core.engine.decoding.constraint import Choices, Constraint, log_probabilities
from genrec_core.engine.decoding.decode_state import DecodeState
from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.decoding.support import decode_state_for
from genrec_core.engine.models.model import Model
from genrec_core.engine.rl.rollouts import Completion, RolloutPrompt, RolloutStep

_Rows = Callable[[list[RolloutPrompt], str, Tensor], Found]


class Policy:
    """A model as it is rolled out.

    Args:
        model: the model under training, causal or encoder-decoder; its weights are read as they are at each
            call.
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
        identifiers = catalogue.identifiers
        self._vocabulary = frozenset(identifiers.vocabulary) | frozenset(identifiers.new_tokens)

    def prompt_of(self, sample: Sample, prefix_length: int = 0) -> RolloutPrompt:
        """A sample as a prompt, with the first `prefix_length` tokens of its target's identifier supplied.

        Raises:
            GenrecError: a prefix is asked of an answer that is no identifier.
        """
        ids = tuple(self.decoder.renderer.prompt(sample))
        return RolloutPrompt(sample, ids, self._prefix(sample, prefix_length), prefix_length)

    def leaves(self, sample: Sample, prefix_length: int) -> int:
        """How many distinct identifiers begin with `prefix_length` tokens of the sample's target."""
        trie = self.decoder.constraint(sample.answer_form).trie
        first = trie.descend(self._prefix(sample, prefix_length))
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

    def read(self, ids: Sequence[int], form: str, trailing: Trailing = "ignore") -> Tokens:
        """What freely written token ids say at their beginning, as `named` says.

        The longest answer that they begin with; else the identifier tokens that they begin with, which name
        no item, for rewards that count those; else nothing. With `trailing: refuse` the ids must be that and
        nothing more. Ids that spell an answer in another way than training does are read as text.
        """
        known = self.decoder.renderer.items_by_ids(form)
        for length in range(len(ids), 0, -1):
            items = known.get(tuple(ids[:length]))
            if items is not None:
                return self.named(items[0], form) if length == len(ids) or trailing == "ignore" else ()
        if form == IDENTIFIER and not self.catalogue.identifiers.separator:
            names = self.model.text_tokenizer.convert_ids_to_tokens(list(ids))
            begun = tuple(takewhile(self._vocabulary.__contains__, names))
            if begun:
                return begun if len(begun) == len(ids) or trailing == "ignore" else ()
        text = self.model.text_tokenizer.decode(list(ids), clean_up_tokenization_spaces=False).strip()
        if form == IDENTIFIER:
            return self.catalogue.identifiers.parse(text) or ()
        return (text,) if text in self._texts(form) else ()

    def _texts(self, form: str) -> frozenset[str]:
        if form not in self._spelt:
            self._spelt[form] = frozenset(self.catalogue.answers(form))
        return self._spelt[form]

    def depth(self, forms: Iterable[str]) -> int:
        """Tokens of the longest answer in any of these forms."""
        return max(self.decoder.constraint(form).depth for form in forms)

    def noise(self, step: RolloutStep, purpose: int = 0) -> torch.Generator:
        """A generator that depends on the step and a purpose alone."""
        key = [step.seed, step.step, step.stage, purpose]
        seed = int(np.random.SeedSequence(key).generate_state(1)[0])
        return torch.Generator(self.model.device).manual_seed(seed)

    def search(
        self, prompts: Sequence[RolloutPrompt], width: int, noise: torch.Generator | None = None
    ) -> list[list[Completion]]:
        """The `width` best answers of each prompt in one beam pass; with noise, drawn without replacement.

        Fewer where fewer are legal behind what is supplied.
        """

        def rows(batch: list[RolloutPrompt], form: str, starts: Tensor) -> Found:
            constraint = self.decoder.constraint(form)
            settings = SearchSettings(width, self.scoring, noise, self.temperature)
            state = decode_state_for(self.model, steps=constraint.depth, width=width)
            ids, prefixes = [one.ids for one in batch], [one.prefix_ids for one in batch]
            return search(state, self.decoder.head, constraint, ids, settings, starts, prefixes)

        return self._completions(prompts, width, rows)

    @torch.inference_mode()
    def draw(
        self,
        prompts: Sequence[RolloutPrompt],
        count: int,
        noise: torch.Generator,
        top_k: int | None = None,
    ) -> list[list[Completion]]:
        """`count` independent draws for each prompt from the constrained policy.

        With `top_k` each token is one of the k likeliest legal ones; scores stay those of the whole policy.
        """

        def rows(batch: list[RolloutPrompt], form: str, starts: Tensor) -> Found:
            constraint = self.decoder.constraint(form)
            settings = SearchSettings(count, self.scoring, noise, self.temperature)
            state = decode_state_for(self.model, steps=constraint.depth, width=count)
            if self.model.family == "seq2seq":  # a prefix is the decoder's, a prompt the encoder's
                begun = state.start([one.ids for one in batch], [one.prefix_ids for one in batch])
            else:
                begun = state.start([(*one.ids, *one.prefix_ids) for one in batch])
            return draw(state, begun, self.decoder.head, constraint, settings, starts, top_k)

        return self._completions(prompts, count, rows)

    def beams(self, sample: Sample, continuation: str, width: int) -> Candidates:
        """The contract's look-ahead: the best answers behind the sample's prompt and a text.

        Raises:
            GenrecError: a text is given for an encoder-decoder model, which begins its answer with the item.
        """
        if continuation and self.model.family == "seq2seq":
            raise GenrecError(
                f"an encoder-decoder model has no beams behind `{continuation}`: it writes answers only",
                hint="use a causal model for rewards that look behind a thought",
            )
        behind = (*self.prompt_of(sample).ids, *self.model.tokenise([continuation])[0])
        (found,) = self.search([RolloutPrompt(sample, behind)], width)
        return Candidates(tuple(candidate(completion) for completion in found))

    def _prefix(self, sample: Sample, prefix_length: int) -> tuple[int, ...]:
        """Token ids that spell the first tokens of the target's identifier."""
        if prefix_length == 0:
            return ()
        if sample.answer_form != IDENTIFIER or sample.target is None:
            raise GenrecError(
                f"task `{sample.task}` answers with `{sample.answer_form}`; only an identifier has a prefix",
                hint="return None from `regenerate` for such groups",
            )
        identifiers = self.catalogue.identifiers
        text = identifiers.separator.join(identifiers.tokens(sample.target)[:prefix_length])
        ids = self.decoder.renderer.answer_ids()[sample.target]
        prefix = self.model.tokenise([text])[0]
        if ids[: len(prefix)] != prefix:
            raise GenrecError(
                f"the first {prefix_length} tokens of `{identifiers.text(sample.target)}` are not a "
                "prefix of it in the text tokenizer",
                hint="supply prefixes only of identifiers whose tokens are single new tokens",
            )
        return tuple(prefix)

    def _completions(
        self, prompts: Sequence[RolloutPrompt], width: int, rows: _Rows
    ) -> list[list[Completion]]:
        """What `rows` finds for each prompt; nothing is left to find where the whole answer is supplied."""
        tries = [self.decoder.constraint(one.sample.answer_form).trie for one in prompts]
        begins = [trie.descend(one.prefix_ids) for trie, one in zip(tries, prompts, strict=True)]
        whole = [begin >= 0 and not trie.count[begin] for trie, begin in zip(tries, begins, strict=True)]
        made = [
            [self._completion(one, begin, 0.0)] if done else []
            for one, begin, done in zip(prompts, begins, whole, strict=True)
        ]
        left = [place for place, done in enumerate(whole) if not done]
        sizes = [len(prompts[place].ids) + len(prompts[place].prefix_ids) for place in left]
        # An encoder-decoder model's batch needs prefixes of one length.
        apart = self.model.family == "seq2seq"
        kinds = [
            (prompts[place].sample.answer_form, len(prompts[place].prefix_ids) if apart else 0)
            for place in left
        ]
        for rank in by_tokens(sizes, self.batch_tokens, room=width, kinds=kinds):
            batch = [left[number] for number in rank]
            members = [prompts[place] for place in batch]
            starts = torch.tensor([begins[place] for place in batch])
            found = rows(members, members[0].sample.answer_form, starts)
            for place, nodes, scores in zip(batch, found.nodes.tolist(), found.scores.tolist(), strict=True):
                made[place] = [
                    self._completion(prompts[place], node, score)
                    for node, score in zip(nodes, scores, strict=True)
                    if node >= 0
                ]
        return made

    def _completion(self, prompt: RolloutPrompt, node: int, score: float) -> Completion:
        form = prompt.sample.answer_form
        trie = self.decoder.constraint(form).trie
        ids = tuple(trie.path(node))
        item = int(trie.items[trie.starts[node]])
        given = len(prompt.prefix_ids)
        rollout = Rollout(
            self.named(item, form), self.catalogue.write(item, form), score, prompt.prefix_length
        )
        return Completion(ids, tuple(place >= given for place in range(len(ids))), 0, rollout)


def candidate(completion: Completion) -> Candidate:
    """A completion's answer as recommenders give it."""
    rollout = completion.rollout
    return Candidate(rollout.tokens, rollout.score, rollout.text)


@torch.inference_mode()
def draw(
    state: DecodeState,
    begun: Tensor,
    head: OutputHead,
    constraint: Constraint,
    settings: SearchSettings,
    starts: Tensor,
    top_k: int | None = None,
) -> Found:
    """`settings.beams` independent samples of the constrained policy behind each prompt, which is read once.

    At every node the next token is drawn among the legal ones alone, so every draw is an item's answer. Draws
    may repeat; for draws without replacement see `engine.decoding.beam`.

    Args:
        state: a search state that has read the prompts, with room for as many beams.
        begun: what it gave, [R, 1, H].
        head: the model's output matrix.
        constraint: the legal answers.
        settings: number of draws, normalisation, temperature and noise.
        starts: int64 [R], the trie node each row starts from.
        top_k: how many of the likeliest legal tokens are drawn among at every node; None for all.

    Raises:
        GenrecError: there is no noise to draw with, or a row has no legal token.
    """
    if settings.noise is None:
        raise GenrecError("drawing needs noise", hint="give the settings a generator")
    hidden = begun.expand(-1, settings.beams, -1)
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
            parents = torch.arange(settings.beams, device=hidden.device).expand(len(begun), -1)
        steps += 1
        choices = constraint.choices(nodes, live)
        flat = hidden.reshape(-1, hidden.shape[-1])
        gained = log_probabilities(head, flat, choices, settings.scoring, settings.temperature)
        likely = gained if top_k is None else _likeliest(gained, choices, top_k)
        drawn = _one_each(likely, choices, settings.noise)
        beams = choices.beams[drawn]
        nodes.view(-1)[beams] = choices.nodes[drawn]
        scores.view(-1)[beams] += gained[drawn]
        tokens = torch.zeros_like(nodes)
        tokens.view(-1)[beams] = choices.tokens[drawn]
    return Found(nodes, scores, begun[:, 0])


def _likeliest(gained: Tensor, choices: Choices, top_k: int) -> Tensor:
    """Log-probabilities, -inf for all but the `top_k` highest of each beam; of equal ones the first stay."""
    falling = torch.argsort(gained, descending=True, stable=True)
    order = falling[torch.argsort(choices.beams[falling], stable=True)]
    sorted_beams = choices.beams[order]
    place = torch.arange(len(order), device=order.device) - torch.searchsorted(sorted_beams, sorted_beams)
    return gained.index_fill(0, order[place >= top_k], -torch.inf)


def _one_each(gained: Tensor, choices: Choices, noise: torch.Generator) -> Tensor:
    """One entry of each beam's, drawn in proportion to its probability among them (Gumbel's maximum)."""
    uniform = torch.rand(gained.shape, generator=noise, device=gained.device).clamp_(1e-20, 1 - 1e-7)
    keys = gained - torch.log(-torch.log(uniform))
    highest = torch.full((len(choices.counts),), -torch.inf, device=keys.device)
    highest = highest.scatter_reduce(0, choices.beams, keys, "amax")
    return (keys == highest[choices.beams]).nonzero().squeeze(1)
