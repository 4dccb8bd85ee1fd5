"""`sidreasoner/tasks`: the six tasks between SIDs and titles (SIDReasoner §3.2.2, appendix B).

    sids-to-sid      SID history → SID of the next item        the task that alignment is selected by
    titles-to-sid    title history → SID of the next item
    sids-to-title    SID history → title of the next item
    titles-to-title  title history → title of the next item    in one of several wordings
    title-to-sid     an item's title → its SID
    sid-to-title     an item's SID → its title

They are the tasks of `genrec-plugin-sid` in one corpus; the two tasks of enrichment are corpora of their own
(`sidreasoner/item-enrichment`, `sidreasoner/user-enrichment`), because they ask a teacher. Each task has a
share of its samples that is taken and a weight in the loss. A validation view gives `sids-to-sid` alone, so
training is stopped by how well the SID of the next item is predicted from SIDs (§4.1.3).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from genrec_plugin_sid.item_text import ItemText
from genrec_plugin_sid.missing_text import Missing
from genrec_plugin_sid.next_item_text import NextItemText
from pydantic import Field, field_validator

from genrec_core import Catalogue, Context, Corpus, Request, Sample, View
from genrec_core.contracts.samples import IDENTIFIER

Task = Literal[
    "sids-to-sid", "titles-to-sid", "sids-to-title", "titles-to-title", "title-to-sid", "sid-to-title"
]
TASKS: tuple[Task, ...] = (
    "sids-to-sid",
    "titles-to-sid",
    "sids-to-title",
    "titles-to-title",
    "title-to-sid",
    "sid-to-title",
)
WORDINGS: Mapping[Task, tuple[str, ...]] = {
    "sids-to-sid": ("Bought so far, oldest first: {history}\nCode of the product bought next: ",),
    "titles-to-sid": ("Bought so far, oldest first: {history}\nCode of the product bought next: ",),
    "sids-to-title": ("Bought so far, oldest first: {history}\nTitle of the product bought next: ",),
    "titles-to-title": (
        "Bought so far, oldest first: {history}\nTitle of the product bought next: ",
        "A customer took home, one after another: {history}\nWhat comes next is called: ",
        "Order history: {history}\nNext order, by title: ",
        "After these purchases: {history}\nthe customer goes for: ",
        "Products in the order they were bought: {history}\nGo on with one more title: ",
    ),
    "title-to-sid": ("Title of a product: {item}\nIts code: ",),
    "sid-to-title": ("Code of a product: {item}\nIts title: ",),
}


class SIDTasks(Corpus):
    """Translation between SIDs and titles, and the next item in four directions."""

    version = "1"
    rung = "multi-task"

    class Options(Corpus.Options):
        """Which tasks, how much of each, and in which words."""

        tasks: tuple[Task, ...] = Field(TASKS, min_length=1)
        """The tasks; `sids-to-sid` is always what validation asks."""
        shares: dict[Task, Annotated[float, Field(gt=0, le=1)]] = Field(default_factory=dict)
        """Share of a task's samples that is taken, drawn once by the seed; 1 if not named."""
        loss_weights: dict[Task, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
        """What a task's samples count in the loss; 1 if not named."""
        title: str = Field("title", min_length=1)
        """Item field that is the title."""
        wordings: dict[Task, tuple[str, ...]] = Field(default_factory=dict)
        """Templates of one's own, task by task: around {history}, or around {item} in the last two."""
        separator: str = Field(",", min_length=1)
        """Text between two SIDs of a history."""
        title_separator: str = Field("; ", min_length=1)
        """Text between two titles of a history."""
        system: str = ""
        """Text before everything else; the system's turn in a chat."""
        missing: Missing = "refuse"
        """What to do about items without a title: `refuse` them, or `skip` them and log how many."""
        items: Literal["all", "seen"] = "all"
        """Items that translation asks about: `all`, or only those that the view's interactions show."""
        max_per_user: int | None = Field(None, gt=0)
        """Most next-item examples of one user, the newest; all by default."""

        @field_validator("wordings")
        @classmethod
        def _filled(cls, wordings: dict[Task, tuple[str, ...]]) -> dict[Task, tuple[str, ...]]:
            from genrec_plugin_sid.wording import check_wordings

            for task, templates in wordings.items():
                if not templates:
                    raise ValueError(f"`{task}` has no template; leave it out for ours")
                check_wordings(templates, "history" if "{history}" in WORDINGS[task][0] else "item")
            return wordings

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """One task after another."""
        options = self.options
        if view.targets is not None:
            yield from self._corpus("sids-to-sid").samples(view, catalogue, context)
            return
        for place, task in enumerate(TASKS):
            if task not in options.tasks:
                continue
            draw, share = context.generator(place), options.shares.get(task, 1.0)
            weight = options.loss_weights.get(task, 1.0)
            for sample in self._corpus(task).samples(view, catalogue, context):
                if draw.random() < share:
                    yield dataclasses.replace(sample, task=task, weight=weight)

    def prompt(self, request: Request, catalogue: Catalogue, context: Context) -> Sample:
        """`sids-to-sid` without its answer."""
        return self._corpus("sids-to-sid").prompt(request, catalogue, context)

    def _corpus(self, task: Task) -> Corpus:
        options, title = self.options, self.options.title
        wordings = options.wordings.get(task, WORDINGS[task])
        if task in ("title-to-sid", "sid-to-title"):
            given, answer = (title, IDENTIFIER) if task == "title-to-sid" else (IDENTIFIER, title)
            return ItemText(
                given=given,
                answer=answer,
                items=options.items,
                wordings=wordings,
                system=options.system,
                missing=options.missing,
            )
        given = title if task.startswith("titles") else IDENTIFIER
        answer = title if task.endswith("title") else IDENTIFIER
        return NextItemText(
            directions=(f"{given} -> {answer}",),
            wordings=wordings,
            separator=options.separator,
            text_separator=options.title_separator,
            system=options.system,
            missing=options.missing,
            max_per_user=options.max_per_user,
        )
