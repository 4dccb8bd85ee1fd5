"""The prompt of a run as a form that others can fill in: `prompt.json`.

A corpus may write any prompt. What a renderer makes of it says which tokens spell which item, so the form
is read off a rendered prompt: what stands before the first item, around and between items, behind the last.

    [1] <a_3><b_1> [7] <a_5><b_0> [9, 4]    →  prefix [1], separator [7], suffix [9, 4], item: its identifier

Then the form is filled in for other histories and compared with the renderer, token by token; a prompt that
depends on more than the history has no such form, and that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from genrec_core import Sample
from genrec_core.contracts.samples import IDENTIFIER
from genrec_core.engine import Renderer


@dataclass(frozen=True)
class PromptForm:
    """How a history becomes token ids.

    Attributes:
        prefix, separator, suffix: token ids before the items, between two, and behind the last.
        item: how one item is written: token ids, or the name of a form.
        max_history: newest items that are written.
        max_prompt: most tokens; the oldest items are left out beyond them.
    """

    prefix: list[int]
    separator: list[int]
    suffix: list[int]
    item: list[list[int] | str]
    max_history: int
    max_prompt: int

    @property
    def forms(self) -> list[str]:
        """The forms that items are written in, each once."""
        return list(dict.fromkeys(part for part in self.item if isinstance(part, str)))

    def filled(self, history: Sequence[int], written: Callable[[str, int], list[int]]) -> list[int]:
        """Token ids of the prompt after a history of item indices."""
        items = (
            list(history)[len(history) - self.max_history :]
            if self.max_history < len(history)
            else list(history)
        )
        while True:
            ids = list(self.prefix)
            for number, item in enumerate(items):
                ids += self.separator if number else []
                for part in self.item:
                    ids += part if isinstance(part, list) else written(part, item)
            ids += self.suffix
            if len(ids) <= self.max_prompt or not items:
                return ids
            items = items[1:]

    def plain(self, family: str) -> dict[str, Any]:
        """The content of `prompt.json`."""
        item = [{"ids": part} if isinstance(part, list) else {"form": part} for part in self.item]
        return {
            "format": 1, "family": family, "prefix": self.prefix, "item": item, "separator": self.separator,
            "suffix": self.suffix, "max_history": self.max_history, "max_prompt": self.max_prompt,
        }  # fmt: skip


def prompt_form(
    renderer: Renderer, prompt: Callable[[tuple[int, ...]], Sample], probe: tuple[int, int], max_history: int
) -> PromptForm | None:
    """The form of a prompt, read off a probe; None where the prompt is no such form.

    Args:
        renderer: of the model.
        prompt: the task's sample for a history.
        probe: two different items.
        max_history: newest items that the protocol allows.
    """
    sample = prompt(probe)
    rendered = renderer.rendered(sample)
    ids, spans = (
        rendered.ids[: rendered.prompt_length],
        [span for span in rendered.spans if span.end <= rendered.prompt_length],
    )
    firsts = [span for span in spans if span.item == probe[0]]
    seconds = [span for span in spans if span.item == probe[1]]
    forms = [span.form for span in firsts]
    if not firsts or [span.form for span in seconds] != forms or spans != [*firsts, *seconds]:
        return None
    item: list[list[int] | str] = []
    for number, span in enumerate(firsts):
        if number and span.start > firsts[number - 1].end:
            item.append(ids[firsts[number - 1].end : span.start])
        item.append(span.form)
    longest = max(map(len, renderer.answer_ids(sample.answer_form or IDENTIFIER)))
    return PromptForm(
        prefix=ids[: firsts[0].start],
        separator=ids[firsts[-1].end : seconds[0].start],
        suffix=ids[seconds[-1].end :],
        item=item,
        max_history=max_history,
        max_prompt=renderer.max_length - longest - 1,
    )
