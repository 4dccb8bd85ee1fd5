"""`sid/next-item-text`: the next item, with items as identifiers or as text on either side.

`core/next-item` is one layout for one pair of forms. This is several pairs in one corpus, asked in words:

    identifier -> identifier     the task that recommending uses
    identifier -> title          what will be bought next, in words
    title -> identifier
    title -> title

The first direction is the one to recommend by and the only one that validation rows give, so a trainer
selects by what is judged later. Each training example is written in every direction (`draw: all`), or in one
that is drawn for it (`draw: one`), at the cost of a single task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from genrec_core import Catalogue, Context, Corpus, History, ItemRef, Request, Sample, Text, View
from genrec_core.contracts.samples import IDENTIFIER
from genrec_plugin_sid.missing_text import Missing, kept, usable
from genrec_plugin_sid.wording import check_wordings, variant, worded

ARROW = " -> "
Direction = Annotated[str, Field(pattern=r"^\S+ -> \S+$")]


class NextItemText(Corpus):
    """Sequential recommendation in several directions between identifiers and texts."""

    version = "1"

    class Options(Corpus.Options):
        """Which directions, and how the question is worded."""

        directions: tuple[Direction, ...] = Field(
            (
                "identifier -> identifier",
                "title -> identifier",
                "identifier -> title",
                "title -> title",
            ),
            min_length=1,
        )
        """`history -> target`: how the history's items and the answer are written, each as `identifier` or as
        an item field. The first is the one to recommend by."""
        draw: Literal["all", "one"] = "all"
        """Each training example in `all` directions, or in `one`, drawn by the seed."""
        wordings: tuple[str, ...] = Field(
            ("Chosen so far, oldest first: {history}\nThe {answer} of the next item is: ",), min_length=1
        )
        """Templates around {history}; {given} and {answer} become the names of the two forms. Of several,
        each history gets one, always the same."""
        system: str = ""
        """Text before everything else; the system's turn in a chat."""
        separator: str = Field(",", min_length=1)
        """Text between two identifiers. Without spaces: one beside a new token is a token of its own."""
        text_separator: str = Field("; ", min_length=1)
        """Text between two items that are written as text."""
        missing: Missing = "refuse"
        """What to do about items that lack a field: `refuse` them; or `skip` them, in a history as if they
        had not been chosen, as targets by leaving the sample out."""
        max_per_user: int | None = Field(None, gt=0)
        """Most training examples of one user, the newest; all by default."""

        @field_validator("wordings")
        @classmethod
        def _with_a_history(cls, wordings: tuple[str, ...]) -> tuple[str, ...]:
            return check_wordings(wordings, "history")

        @field_validator("directions")
        @classmethod
        def _each_once(cls, directions: tuple[str, ...]) -> tuple[str, ...]:
            if len(set(directions)) < len(directions):
                raise ValueError("a direction is listed twice; use `weight` to see a task more often")
            return directions

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """The samples of a view, users in row order, oldest target first, directions in the order listed."""
        options = self.options
        pairs = [_forms(direction) for direction in options.directions]
        forms = [form for pair in pairs for form in pair]
        masks = usable(catalogue, forms, options.missing, context)
        generator = context.generator()
        for example in view.examples(newest=options.max_per_user):
            chosen = pairs
            if view.targets is not None:
                chosen = pairs[:1]
            elif options.draw == "one":
                chosen = [pairs[int(generator.integers(len(pairs)))]]
            for given, answer in chosen:
                if masks[answer][example.target]:
                    history = _present(example.history, masks, given)
                    yield self._sample(history, example.target, given, answer)

    def prompt(self, request: Request, catalogue: Catalogue, context: Context) -> Sample:
        """The first direction without its answer.

        Raises:
            DataError: an item of the history lacks the field, and `missing` is `refuse`.
        """
        given, answer = _forms(self.options.directions[0])
        history = kept(catalogue, request.history, given, self.options.missing)
        return Sample(self._asked(history, given, answer), answer_form=answer, task=_task(given, answer))

    def _sample(self, history: tuple[int, ...], target: int, given: str, answer: str) -> Sample:
        learnt = ItemRef(target, form=answer, learn=True, turn="assistant")
        asked = self._asked(history, given, answer)
        return Sample((*asked, learnt), target=target, answer_form=answer, task=_task(given, answer))

    def _asked(
        self, history: tuple[int, ...], given: str, answer: str
    ) -> tuple[Text | ItemRef | History, ...]:
        options = self.options
        separator = options.separator if given == IDENTIFIER else options.text_separator
        shown = History(history, form=given, separator=separator)
        asked = worded(variant(options.wordings, history), shown, {"given": given, "answer": answer})
        return (Text(options.system, turn="system"), *asked) if options.system else asked


def _forms(direction: str) -> tuple[str, str]:
    given, _, answer = direction.partition(ARROW)
    return given, answer


def _present(history: tuple[int, ...], masks: Mapping[str, NDArray[np.bool_]], form: str) -> tuple[int, ...]:
    return tuple(item for item in history if masks[form][item])


def _task(given: str, answer: str) -> str:
    return f"next {answer} from {given}"
