"""Thinking: a rollout is a sampled thought and a constrained answer behind it.

Every prompt is read once for its G thoughts. A thought that does not close within its budget is closed for
it, as in evaluation (`engine.decoding.think`). The loss counts what the policy wrote: the thought, the
closing text if the policy wrote it, and the answer unless `learn_answer` is off, for rewards that judge a
thought by the beams behind it and would otherwise credit tokens they never looked at (OneRec-Think §3.4).

    <think>    tents want ropes    </think>                    <a_1><b_0>
    given      learnt              learnt, or given when cut   learnt
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from genrec_core.engine.decoding.free_text import FreeSettings, Text, write_freely
from genrec_core.engine.decoding.steppers import stepper_for
from genrec_core.engine.rl.policy import Policy, candidate
from genrec_core.engine.rl.rollouts import Asked, Completion, Moment, RolledOut


@dataclass(frozen=True)
class _Thought:
    """Token ids between prompt and answer, which of them the policy wrote, and the text."""

    ids: tuple[int, ...]
    learn: tuple[bool, ...]
    text: str


@dataclass(frozen=True)
class Thinking:
    """See the module's story.

    Attributes:
        group: thoughts of each prompt.
        budget: tokens of a thought at most.
        opening, closing: text around a thought.
        top_p: see `FreeSettings`.
        learn_answer: whether the loss counts the answer's tokens too.
        lookahead: beams decoded behind each thought; 0 for none.
    """

    group: int
    budget: int
    opening: str = "<think>\n"
    closing: str = "\n</think>\n\n"
    top_p: float = 1.0
    learn_answer: bool = True
    lookahead: int = 0

    def roll_out(self, asked: Sequence[Asked], policy: Policy, moment: Moment) -> list[RolledOut]:
        """One group a prompt; thoughts are drawn, and so is the answer behind each."""
        thoughts = list(self._thoughts(asked, policy, policy.noise(moment, 1)))
        behind = [
            dataclasses.replace(one, ids=(*one.ids, *thought.ids))
            for one, group in zip(asked, thoughts, strict=True)
            for thought in group
        ]
        answers = policy.draw(behind, 1, policy.noise(moment, 2))
        seen = policy.search(behind, self.lookahead) if self.lookahead else [[] for _ in behind]
        made = []
        for place, (one, group) in enumerate(zip(asked, thoughts, strict=True)):
            rows = range(place * self.group, (place + 1) * self.group)
            completions = [
                self._joined(thought, answers[row][0]) for thought, row in zip(group, rows, strict=True)
            ]
            ahead = tuple(tuple(map(candidate, seen[row])) for row in rows) if self.lookahead else ()
            made.append(RolledOut(one, tuple(completions), ahead))
        return made

    def longest(self, policy: Policy, forms: Iterable[str]) -> int:
        """Opening, budget, closing and the longest answer."""
        around = sum(map(len, policy.model.tokenise([self.opening, self.closing])))
        return around + self.budget + policy.depth(forms)

    def _thoughts(
        self, asked: Sequence[Asked], policy: Policy, noise: torch.Generator
    ) -> Iterator[list[_Thought]]:
        opening, closing = policy.model.tokenise([self.opening, self.closing])
        settings = FreeSettings(
            self.budget, self.group, policy.temperature, self.top_p, (tuple(closing), (policy.model.end_id,))
        )
        longest = max(len(one.ids) for one in asked) + self.group * self.budget
        rows = max(1, policy.batch_tokens // longest)
        for begin in range(0, len(asked), rows):
            prompts = [[*one.ids, *opening] for one in asked[begin : begin + rows]]
            stepper = stepper_for(policy.model, steps=self.budget, width=self.group)
            for texts in write_freely(stepper, policy.decoder.head, prompts, settings, noise):
                yield [self._thought(text, opening, closing, policy) for text in texts]

    def _thought(self, text: Text, opening: list[int], closing: list[int], policy: Policy) -> _Thought:
        closed = text.stop == 0
        learn = (False,) * len(opening) + (True,) * len(text.tokens) + (closed,) * len(closing)
        words = policy.model.text_tokenizer.decode(list(text.tokens))
        return _Thought((*opening, *text.tokens, *closing), learn, words)

    def _joined(self, thought: _Thought, answer: Completion) -> Completion:
        learn = answer.learn if self.learn_answer else (False,) * len(answer.learn)
        text = f"{self.opening}{thought.text}{self.closing}{answer.rollout.text}"
        rollout = dataclasses.replace(answer.rollout, text=text, thought=thought.text)
        return Completion((*thought.ids, *answer.ids), (*thought.learn, *learn), len(thought.ids), rollout)
