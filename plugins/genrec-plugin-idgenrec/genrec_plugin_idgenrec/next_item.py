"""`idgenrec/next-item`: the next item, asked for in one of ten ways, by items, by a user's identifier, or
both.

Every training sample draws its template by the seed, so that a recommender attends to the items and not to
the wording; validation rows and requests are asked by one fixed template. `draws` gives each example
several templates.

A user's identifier is what the ID generator writes about the items of the history that stands in the same
prompt: the newest `user_items` of what was chosen before the target. Nothing else about the user is read,
so it can hold neither the target nor anything later, and the same user has another one at every point in
time. The published code makes it from the whole sequence, the target of the test among it.

    user chose 1 2 3 4 5, the last held out for the test, the one before for validation
    training   (1) → 2, identifier from 1       (1 2) → 3, from 1 2
    test       (1 2 3 4) → 5, from 1 2 3 4
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal

from pydantic import Field

from genrec_core import Catalogue, Context, Corpus, GenrecError, History, ItemRef, Request, Sample, Text, View
from genrec_core.contracts.samples import Segment
from genrec_plugin_idgenrec.generator import Generator
from genrec_plugin_idgenrec.templates import TEMPLATES, Wording
from genrec_plugin_idgenrec.writing import writing_of

_TEMPLATE = 1
"""Purpose of the generator that draws templates."""

_AT_ONCE = 4096
"""Examples whose users are named together."""


class WordedNextItem(Corpus):
    """The sequential recommendation task in ten wordings."""

    class Options(Corpus.Options):
        """What a prompt shows, and how it is worded."""

        ids: Literal["items", "users", "both"] = "items"
        """What a prompt names: the items of the history, the user by an identifier, or both."""
        generator: str = "generator"
        """The model slot of the ID generator, which names users."""
        user_items: int = Field(10, gt=0)
        """Items of the history, the newest, that a user's identifier is written from."""
        separator: str = "; "
        """Text between two items."""
        draws: int = Field(1, ge=1, le=len(TEMPLATES))
        """Samples of each training example, each with a template of its own."""
        fixed: int | None = Field(None, ge=0, lt=len(TEMPLATES))
        """One template for training too, by number; by default one is drawn for each sample."""
        judged_by: int = Field(0, ge=0, lt=len(TEMPLATES))
        """The template of validation rows and requests."""
        max_per_user: int | None = Field(None, gt=0)
        """Most training examples of one user, the newest; all by default."""

    options: Options

    def model_slots(self) -> tuple[str, ...]:
        """The generator's, where users are named."""
        return () if self.options.ids == "items" else (self.options.generator,)

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """The samples of a view, users in row order, oldest target first."""
        options, draws = self.options, context.generator(_TEMPLATE)
        examples = view.examples(newest=options.max_per_user)
        generator = self._generator(catalogue, context)
        while some := list(islice(examples, _AT_ONCE)):
            users = self._users(generator, [example.history for example in some])
            for example, user in zip(some, users, strict=True):
                numbers: Sequence[int] = [options.judged_by]
                if view.targets is None and options.fixed is not None:
                    numbers = [options.fixed]
                elif view.targets is None:
                    numbers = draws.permutation(len(TEMPLATES))[: options.draws].tolist()
                answer = ItemRef(example.target, learn=True, turn="assistant")
                for number in numbers:
                    asked = self._asked(TEMPLATES[number], example.history, user)
                    yield Sample((*asked, answer), target=example.target)

    def prompt(self, request: Request, catalogue: Catalogue, context: Context) -> Sample:
        """The fixed template without an answer."""
        user = ""
        if self.options.ids != "items":  # only the items that the user is named by have to be read
            known = catalogue.items.subset(request.history)
            small = Catalogue(known, catalogue.identifiers.arranged(request.history))
            (user,) = self._users(self._generator(small, context), [tuple(range(len(known)))])
        return Sample(self._asked(TEMPLATES[self.options.judged_by], request.history, user))

    def _generator(self, catalogue: Catalogue, context: Context) -> Generator | None:
        """The ID generator over a catalogue; None where users are not named.

        Raises:
            GenrecError: the context lends none.
        """
        slot = self.options.generator
        if self.options.ids == "items":
            return None
        if slot not in context.models:
            raise GenrecError(
                f"`{self.name}` names users with the model in the slot `{slot}`, which is not here",
                hint="use the tokenizer idgenrec/textual, or write `ids: items`",
            )
        return Generator(context.models[slot], catalogue.items, writing_of(catalogue.identifiers))

    def _users(self, generator: Generator | None, histories: Sequence[tuple[int, ...]]) -> list[str]:
        """The identifier of each history's user; "" where users are not named."""
        if generator is None:
            return [""] * len(histories)
        return generator.profiles([history[-self.options.user_items :] for history in histories])

    def _asked(self, template: Wording, history: tuple[int, ...], user: str) -> tuple[Segment, ...]:
        """Everything before the answer."""
        segments: list[Segment] = []
        if user:
            segments += [Text(template.user.format(user=user))]
        if self.options.ids != "users":
            before, after = template.history.split("{history}")
            segments += [Text(before), History(history, separator=self.options.separator), Text(after)]
        return (*segments, Text(template.ask))
