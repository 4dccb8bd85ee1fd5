"""`onerec-think/rationales`: from the raw history to a rationale and the item (OneRec-Think §4.2).

Whoever writes the rationale sees a pruned history and the target; whoever learns sees the raw history
alone:

    made from   the k items most like the target, and the target          `pruning`, `rationale_sources`
    prompt      the whole history                                         not learnt
    answer      <think>⏎ the rationale ⏎</think>⏎⏎ the target's tokens    learnt, both parts

An example whose rationale cannot be used (the target has no category, the teacher stopped in the middle)
keeps its answer and gets an empty think block, or is left out (`without: skip`). Validation rows get
rationales too, so that their loss is that of the same task; like the item itself, a rationale stands in no
prompt.

The corpus of `onerec-think/activation`; `core/sft` trains on it too, without the filter between epochs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field, field_validator, model_validator

from genrec_core import (
    Catalogue,
    Context,
    Encoder,
    Example,
    GenrecError,
    ItemRef,
    Sample,
    Teacher,
    Text,
    View,
)
from genrec_core.contracts.samples import IDENTIFIER
from genrec_plugin_onerec_think.next_item import Recommending
from genrec_plugin_onerec_think.pruning import pruned, unit
from genrec_plugin_onerec_think.rationale_sources import Case, TeacherRationales, TemplateRationales

TASK = "rationale and item"


class Rationales(Recommending):
    """Next items with rationales before them."""

    version = "1"

    class Options(Recommending.Options):
        """Where rationales come from, and how much of the history their writer sees."""

        teacher: Teacher | None = None
        """Who is asked for rationales; by default nobody: they are made from `field`."""
        keep: int = Field(5, ge=1)
        """k: items of the history that the writer of a rationale sees."""
        encoder: Encoder = Field(default={"use": "core/ngrams"}, validate_default=True)
        """Says how alike two items are."""
        field: str = ""
        """Item field that rationales name when no teacher is asked: categories, genres."""
        named: int = Field(2, ge=1)
        """Values of the target's field that a rationale names."""
        liked: int = Field(2, ge=1)
        """Values of the context's field that a rationale names, the most frequent ones."""
        wording: str = "The user likes {liked}, so the next one is {target}."
        """A rationale around {liked} and {target}."""
        otherwise: str = "The next one is {target}."
        """A rationale around {target}, where the context has no value."""
        show: str = ""
        """How a teacher is shown items: `identifier` or an item field; by default the identifier with
        `caption` behind it."""
        ask: str = (
            "A user chose, oldest first: {context}\nThen the user chose: {target}\n"
            "Say in one or two sentences what in those items leads to this one. Write no identifiers.\n"
        )
        """What a teacher is asked, around {context} and {target}."""
        ask_system: str = ""
        """The system's turn of that question."""
        without: Literal["empty", "skip"] = "empty"
        """An example without a usable rationale gets an `empty` thought, or is left out (`skip`)."""

        @field_validator("wording", "ask")
        @classmethod
        def _both(cls, wording: str, info: object) -> str:
            given = "{context}" if "{context}" in wording else "{liked}"
            if wording.count(given) != 1 or wording.count("{target}") != 1:
                raise ValueError(f"`{wording}` must contain {given} and {{target}} once each")
            return wording

        @model_validator(mode="after")
        def _some_source(self) -> Rationales.Options:
            if self.teacher is None and not self.field:
                raise ValueError(
                    "say where rationales come from: a `teacher`, or the item `field` that templates name"
                )
            return self

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """One sample for each example, users in row order, oldest target first.

        Raises:
            GenrecError: items have no such field.
        """
        examples = list(view.examples(newest=self.options.max_per_user))
        rationales = self.rationales(examples, catalogue, context)
        for example, rationale in zip(examples, rationales, strict=True):
            if rationale or self.options.without == "empty":
                yield self.with_rationale(example, rationale, catalogue)

    def rationales(self, examples: Sequence[Example], catalogue: Catalogue, context: Context) -> list[str]:
        """A rationale for each example, "" where there is none that can be used.

        Raises:
            GenrecError: items have no such field.
        """
        options = self.options
        self._check(catalogue)
        vectors = unit(context.embed(options.encoder, catalogue.items))
        cases = [
            Case(example, pruned(example.history, example.target, vectors, options.keep))
            for example in examples
        ]
        if options.teacher is not None:
            asked = TeacherRationales(
                options.teacher, options.show, options.caption, options.ask, options.ask_system
            )
            return asked.rationales(cases, catalogue, context)
        template = TemplateRationales(
            options.field, options.named, options.liked, options.wording, options.otherwise
        )
        rationales = template.rationales(cases, catalogue)
        context.log(
            "rationales", made=len(rationales), unused_no_field=sum(not rationale for rationale in rationales)
        )
        return rationales

    def with_rationale(self, example: Example, rationale: str, catalogue: Catalogue) -> Sample:
        """The task with a rationale and its answer."""
        options = self.options
        thought = (options.opening, rationale, options.closing)
        learnt = tuple(Text(text, learn=True, turn="assistant") for text in thought)
        answer = ItemRef(example.target, learn=True, turn="assistant")
        return Sample((*self.asked(example, catalogue), *learnt, answer), target=example.target, task=TASK)

    def _check(self, catalogue: Catalogue) -> None:
        options = self.options
        used = {"show": options.show} if options.teacher is not None else {"field": options.field}
        for option, field in used.items():
            if field and field != IDENTIFIER and field not in catalogue.items.fields:
                raise GenrecError(
                    f"items have no field `{field}` to make rationales from (`{option}`)",
                    hint=f"fields are: {', '.join(catalogue.items.fields) or 'none'}",
                )


def blanked(sample: Sample) -> Sample:
    """The sample with an empty thought; prompt, tags and answer stay as they are.

    >>> [part.text for part in blanked(with_rationale).segments[-4:-1]]
    ['<think>\\n', '', '\\n</think>\\n\\n']
    """
    place = next(n for n, part in enumerate(sample.segments) if part.learn) + 1
    empty = Text("", learn=True, turn="assistant")
    return replace(sample, segments=(*sample.segments[:place], empty, *sample.segments[place + 1 :]))


def has_rationale(sample: Sample) -> bool:
    """Whether a sample of this corpus has a thought that is not empty."""
    place = next(n for n, part in enumerate(sample.segments) if part.learn) + 1
    part = sample.segments[place]
    return isinstance(part, Text) and bool(part.text)
