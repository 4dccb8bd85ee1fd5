"""`onerec-think/next-item`: sequential preference modelling, and the prompt that every stage shares.

One prompt serves alignment, activation, reinforcement learning and recommending; only what the assistant
writes behind it differs:

    user        age: 24, gender: M
                Chosen so far, oldest first: <|item_begin|><item_a_3><item_b_1><|item_end|>; …
                The user asks for: something quiet
                What comes next?
    assistant   <think>⏎ ⏎</think>⏎⏎ <|item_begin|>…            `think: empty`, here: the block is given
    assistant   <think>⏎ likes tents, so ropes ⏎</think>⏎⏎ …    `onerec-think/rationales`: the block is learnt

So thinking and not thinking can be compared at the same input. The lines about the user and about the wish
are there only where a request has attributes or a message. `onerec-think/wishes` is the same task with
messages: it makes them from a field of the item that was chosen, so that a model learns to be asked for
something (the paper's figure 3). Only training rows are asked so, for whoever recommends has a message from
the user.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from string import Formatter
from typing import Literal

from pydantic import Field, field_validator

from genrec_core import (
    Catalogue,
    Context,
    Corpus,
    Example,
    GenrecError,
    History,
    ItemRef,
    Request,
    Sample,
    Text,
    View,
)
from genrec_core.contracts.samples import Segment

OPENING, CLOSING = "<think>\n", "\n</think>\n\n"
"""What stands around a thought."""


def only_field(template: str, name: str) -> str:
    """The template, if {name} is the one field in it.

    Raises:
        ValueError: it is not there once, or others are.
    """
    fields = [field for _, field, _, _ in Formatter().parse(template) if field is not None]
    if fields != [name]:
        raise ValueError(f"`{template}` must contain {{{name}}} once and no other field")
    return template


def described(attributes: Mapping[str, object], names: tuple[str, ...]) -> str:
    """Some attributes of a user as text, those that the user has.

    >>> described({"age": 24, "hobbies": ["tea", "rope"]}, ("age", "job", "hobbies"))
    'age: 24, hobbies: tea and rope'
    """
    known = ((name, attributes.get(name)) for name in names)
    return ", ".join(f"{name}: {_plain(value)}" for name, value in known if value not in (None, "", [], ()))


def _plain(value: object) -> str:
    return " and ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


class PromptOptions(Corpus.Options):
    """What a prompt shows, and in which words."""

    system: str = ""
    """Text before everything else; the system's turn in a chat."""
    attributes: tuple[str, ...] = ()
    """Fields of the user that are shown, where the data has them."""
    instruction: str = "Chosen so far, oldest first: "
    """Text before the history."""
    caption: str = ""
    """Item field written behind each identifier of the history; by default identifiers alone."""
    separator: str = Field("; ", min_length=1)
    """Text between two items of the history."""
    wish: str = "\nThe user asks for: {message}"
    """How the user's message is written, where a request has one."""
    question: str = "\nWhat comes next?\n"
    """Text behind all that."""
    opening: str = Field(OPENING, min_length=1)
    """Text that begins a thought."""
    closing: str = Field(CLOSING, min_length=1)
    """Text that ends it."""

    @field_validator("wish")
    @classmethod
    def _with_a_message(cls, wish: str) -> str:
        return only_field(wish, "message")


class Recommending(Corpus):
    """A task that recommends: this prompt, and an answer that a subclass adds."""

    class Options(PromptOptions):
        """The prompt."""

        max_per_user: int | None = Field(None, gt=0)
        """Most training examples of one user, the newest; all by default."""

    options: Options

    def asked(self, request: Request, catalogue: Catalogue) -> tuple[Segment, ...]:
        """The segments of the prompt.

        Raises:
            GenrecError: items have no field `caption`.
        """
        options = self.options
        if options.caption and options.caption not in catalogue.items.fields:
            raise GenrecError(
                f"items have no field `{options.caption}` to write behind identifiers",
                hint=f"`caption` is one of: {', '.join(catalogue.items.fields) or 'none'}",
            )
        user = described(request.attributes, options.attributes)
        begun = (Text(options.system, turn="system"),) if options.system else ()
        shown = History(
            request.history,
            separator=options.separator,
            between=" " if options.caption else "",
            field=options.caption,
        )
        wish = options.wish.format(message=request.message) if request.message else ""
        texts = (
            Text(f"{user}\n" if user else ""),
            Text(options.instruction),
            shown,
            Text(wish),
            Text(options.question),
        )
        return (*begun, *(part for part in texts if not isinstance(part, Text) or part.text))

    def prompt(self, request: Request, catalogue: Catalogue, context: Context) -> Sample:
        """The task without its answer."""
        return Sample(self.asked(request, catalogue))


class PlainNextItem(Recommending):
    """The history's next item, without a thought."""

    version = "1"

    class Options(Recommending.Options):
        """The prompt, and whether an empty thought stands before the answer."""

        think: Literal["none", "empty"] = "none"
        """`empty` gives an empty think block before the answer, as a model that can think is asked not to."""

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """One sample for each example, users in row order, oldest target first."""
        for example in view.examples(newest=self.options.max_per_user):
            yield self.answered(example, catalogue)

    def answered(self, example: Example, catalogue: Catalogue) -> Sample:
        """The task with its answer."""
        answer = ItemRef(example.target, learn=True, turn="assistant")
        return Sample((*self.asked(example, catalogue), answer), target=example.target)

    def asked(self, request: Request, catalogue: Catalogue) -> tuple[Segment, ...]:
        """The prompt, and the empty block where there is one."""
        segments = super().asked(request, catalogue)
        if self.options.think == "none":
            return segments
        block = (self.options.opening, self.options.closing)
        return (*segments, *(Text(text, turn="assistant") for text in block))


class Wishes(PlainNextItem):
    """The same task, asked with a message that fits the item that was chosen."""

    version = "1"

    class Options(PlainNextItem.Options):
        """Where messages come from, and in which words."""

        field: str = Field(min_length=1)
        """Item field whose value is wished for; of several values one is drawn."""
        wordings: tuple[str, ...] = Field(("something {value}", "{value}, please"), min_length=1)
        """Templates around {value}; one is drawn for each sample."""

        @field_validator("wordings")
        @classmethod
        def _with_a_value(cls, wordings: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(only_field(wording, "value") for wording in wordings)

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """Training examples with messages; validation rows as they are. Items without the field are left out.

        Raises:
            GenrecError: items have no such field.
        """
        options, generator, skipped = self.options, context.generator(), 0
        if options.field not in catalogue.items.fields:
            raise GenrecError(
                f"items have no field `{options.field}` to wish for",
                hint=f"fields are: {', '.join(catalogue.items.fields) or 'none'}",
            )
        for example in view.examples(newest=options.max_per_user):
            if view.targets is not None:
                yield self.answered(example, catalogue)
                continue
            values = values_of(catalogue, example.target, options.field)
            if not values:
                skipped += 1
                continue
            value = values[int(generator.integers(len(values)))]
            wording = options.wordings[int(generator.integers(len(options.wordings)))]
            yield self.answered(replace(example, message=wording.format(value=value)), catalogue)
        if skipped:
            context.log("skipped", form=options.field, items=skipped)


def values_of(catalogue: Catalogue, item: int, field: str) -> tuple[str, ...]:
    """The values of an item's field, one text for each entry of a list."""
    value = catalogue.items.fields[field][item]
    if isinstance(value, (list, tuple)):
        return tuple(one for one in value if isinstance(one, str) and one)
    return (value,) if isinstance(value, str) and value else ()
