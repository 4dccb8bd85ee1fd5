"""Strategies: the ways in which a prompt becomes a group of rollouts.

    beam       one beam pass of width G: the G likeliest answers, in order
    sample     G independent draws; the same answer may come up more than once
    distinct   G draws without replacement
    dynamic    1.5 × G independent draws, of which the first G distinct answers are kept
    think      G sampled thoughts, each with an answer behind it

All write legal answers only, from whichever catalogue the sample names. A group is smaller than G where
fewer answers exist, or where `dynamic` drew fewer distinct ones.

Thinking: every prompt is read once for its G thoughts. A thought that does not close within its budget is
closed for it, as in evaluation (`engine.decoding.thoughts`). The loss counts what the policy wrote: the
thought, the closing text if the policy wrote it, and the answer unless `learn_answer` is off, for rewards
that score a thought by the beams behind it and would otherwise credit tokens that they never looked at.

    <think>    tents want ropes    </think>                    <a_1><b_0>
    given      learnt              learnt, or given when cut   learnt

The answer is drawn among the legal ones, as in evaluation. With `free_answer` it is written like any text,
for rewards that shall teach its form too: then it may name nothing, its end is learnt, and `Rollout.score`
is 0, because whoever writes freely keeps no log-probabilities. What it names is read from its token ids
(`Policy.read`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch

from genrec_core.contracts.reward import Rollout
from genrec_core.engine.choices import Trailing
from genrec_core.engine.decoding.free_text import FreeSettings, written_texts
from genrec_core.engine.decoding.thoughts import ThinkSettings, Thought, written_thoughts
from genrec_core.engine.rl.policy import Policy, candidate
from genrec_core.engine.rl.rollouts import Completion, PromptRollouts, RolloutPrompt, RolloutStep
from genrec_core.engine.rl.settings import GRPOSettings

OVERSAMPLING = 1.5
"""How many draws `dynamic` makes for each rollout it wants."""


class RolloutStrategy(Protocol):
    """How groups come about."""

    def roll_out(
        self, prompts: Sequence[RolloutPrompt], policy: Policy, step: RolloutStep
    ) -> list[PromptRollouts]:
        """One group a prompt, in order; prompts may answer from different catalogues.

        Every completion begins with the prompt's `prefix_ids`, unlearnt.
        """

    def longest(self, policy: Policy, forms: Iterable[str]) -> int:
        """Most tokens a completion can have when samples answer in these forms.

        The constant that `loss: dr_grpo` divides by.
        """


@dataclass(frozen=True)
class DirectAnswers:
    """Groups without thoughts.

    Attributes:
        group: G.
        how: one of the ways at the head of this module.
        top_k: of `sample` and `dynamic`: each token is drawn among so many of the likeliest legal ones; None
            for all.
    """

    group: int
    how: Literal["beam", "sample", "distinct", "dynamic"] = "beam"
    top_k: int | None = None

    def roll_out(
        self, prompts: Sequence[RolloutPrompt], policy: Policy, step: RolloutStep
    ) -> list[PromptRollouts]:
        """One group a prompt."""
        if self.how == "beam":
            found = policy.search(prompts, self.group)
        elif self.how == "distinct":
            found = policy.search(prompts, self.group, policy.noise(step))
        else:
            count = round(self.group * OVERSAMPLING) if self.how == "dynamic" else self.group
            found = policy.draw(prompts, count, policy.noise(step), self.top_k)
        if self.how == "dynamic":
            found = [_distinct(group)[: self.group] for group in found]
        return [PromptRollouts(one, tuple(group)) for one, group in zip(prompts, found, strict=True)]

    def longest(self, policy: Policy, forms: Iterable[str]) -> int:
        """Tokens of the longest answer of the catalogues that samples answer from."""
        return policy.depth(forms)


def _distinct(group: list[Completion]) -> list[Completion]:
    """The first of each answer, in the order of drawing."""
    first: dict[tuple[int, ...], Completion] = {}
    for completion in group:
        first.setdefault(completion.ids, completion)
    return list(first.values())


@dataclass(frozen=True)
class Thinking:
    """Groups of thoughts with answers behind them.

    Attributes:
        group: thoughts of each prompt.
        budget: tokens of a thought at most.
        opening, closing: text around a thought.
        top_p: see `FreeSettings`.
        learn_answer: whether the loss counts the answer's tokens too.
        free_answer: whether the answer may be anything.
        trailing: whether a free answer that goes on behind an identifier still names it.
        lookahead: beams decoded behind each thought; 0 for none.
    """

    group: int
    budget: int
    opening: str = "<think>\n"
    closing: str = "\n</think>\n\n"
    top_p: float = 1.0
    learn_answer: bool = True
    free_answer: bool = False
    lookahead: int = 0
    trailing: Trailing = "ignore"

    def settings(self, temperature: float = 0.0) -> ThinkSettings:
        """How one prompt is thought about; greedily by default, which is what validation does."""
        count = self.group if temperature else 1
        top_p = self.top_p if temperature else 1.0
        return ThinkSettings(self.budget, self.opening, self.closing, temperature, top_p, count)

    def roll_out(
        self, prompts: Sequence[RolloutPrompt], policy: Policy, step: RolloutStep
    ) -> list[PromptRollouts]:
        """One group a prompt; thoughts are drawn, and so is the answer behind each."""
        opening, _ = self.settings().around(policy.model)
        thoughts = written_thoughts(
            policy.model,
            policy.decoder.head,
            [one.ids for one in prompts],
            self.settings(policy.temperature),
            noise=policy.noise(step, 1),
            batch_tokens=policy.batch_tokens,
        )
        behind = [
            dataclasses.replace(one, ids=(*one.ids, *opening, *thought.ids))
            for one, group in zip(prompts, thoughts, strict=True)
            for thought in group
        ]
        noise = policy.noise(step, 2)
        if self.free_answer:
            answers = _free_answers(behind, policy, noise, self.trailing)
        else:
            answers = [drawn for (drawn,) in policy.draw(behind, 1, noise)]
        seen = policy.search(behind, self.lookahead) if self.lookahead else [[] for _ in behind]
        made = []
        for place, (one, group) in enumerate(zip(prompts, thoughts, strict=True)):
            rows = range(place * self.group, (place + 1) * self.group)
            completions = [
                self._joined(opening, thought, answers[row]) for thought, row in zip(group, rows, strict=True)
            ]
            ahead = tuple(tuple(map(candidate, seen[row])) for row in rows) if self.lookahead else ()
            made.append(PromptRollouts(one, tuple(completions), ahead))
        return made

    def longest(self, policy: Policy, forms: Iterable[str]) -> int:
        """Opening, budget, closing, the longest answer and an end token."""
        around = sum(map(len, self.settings().around(policy.model)))
        return around + self.budget + policy.depth(forms) + 1

    def _joined(self, opening: Sequence[int], thought: Thought, answer: Completion) -> Completion:
        given = len(thought.closing) - thought.written
        learn = (
            *(False,) * len(opening),
            *(True,) * (len(thought.tokens) + thought.written),
            *(False,) * given,
            *(answer.learn if self.learn_answer else (False,) * len(answer.learn)),
        )
        text = f"{self.opening}{thought.text}{self.closing}{answer.rollout.text}"
        rollout = dataclasses.replace(
            answer.rollout,
            text=text,
            thought=thought.text,
            thought_tokens=len(thought.tokens),
            closed=not thought.cut,
        )
        ids = (*opening, *thought.ids, *answer.ids)
        return Completion(ids, learn, len(opening) + len(thought.ids) + answer.answer, rollout)


def _free_answers(
    behind: Sequence[RolloutPrompt], policy: Policy, noise: torch.Generator, trailing: Trailing
) -> list[Completion]:
    """One answer behind each prompt, written without a constraint."""
    most = policy.depth({one.sample.answer_form for one in behind}) + 1
    model, end = policy.model, policy.model.end_id
    settings = FreeSettings(most, 1, policy.temperature, stop=((end,),))
    prompts = [(*one.ids, *one.prefix_ids) for one in behind]
    texts = written_texts(model, policy.decoder.head, prompts, settings, noise, policy.batch_tokens)
    answers = []
    for one, (text,) in zip(behind, texts, strict=True):
        ids = (*one.prefix_ids, *text.tokens)
        words = model.text_tokenizer.decode(list(ids), clean_up_tokenization_spaces=False).strip()
        closed = (end,) if text.stopped else ()
        learn = (False,) * len(one.prefix_ids) + (True,) * (len(text.tokens) + len(closed))
        tokens = policy.read(ids, one.sample.answer_form, trailing)
        rollout = Rollout(tokens, words, 0.0, one.prefix_length)
        answers.append(Completion((*ids, *closed), learn, len(ids) + len(closed), rollout))
    return answers


def strategy_for(settings: GRPOSettings) -> RolloutStrategy:
    """The strategy that settings name."""
    if settings.rollout != "think":
        return DirectAnswers(settings.group, settings.rollout)
    return Thinking(
        group=settings.group,
        budget=settings.think_tokens,
        opening=settings.think_opening,
        closing=settings.think_closing,
        top_p=settings.think_top_p,
        learn_answer=settings.think_learn == "all",
        free_answer=settings.think_answer == "free",
        lookahead=settings.lookahead,
        trailing=settings.think_trailing,
    )
