"""`singer/tasks`: the semantic task and the alignment tasks, for both stages (SINGER §3.1, appendix D).

    semantic            SID history → SID of the next item     the task to recommend by
    title-to-sid        an item's title → its SID
    sid-to-title        an item's SID → its title
    titles-to-sid       title history → SID of the next item
    sids-to-title       SID history → title of the next item
    description-to-sid  an item's description → its SID

The same corpus stands in both training steps; `stage` says in which, `align` in which of them alignment takes
part (§4.3.1):

    train:
      sft: {use: core/sft,      corpora: [{use: singer/tasks, stage: sft, align: both}]}
      rl:  {use: singer/sin-rl, corpora: [{use: singer/tasks, stage: rl,  align: both}]}

The tasks are those of `genrec-plugin-sid`, in our words. `wordings`, `separator` and `quotes` give others;
`paper.yaml` has those of the paper's figures 5 to 10:

    separator: ", "    quotes: {titles-to-sid: "'"}         history 'Red tent', 'Oil lamp'

A
validation view gives the semantic task alone. The paper's appendix shows examples of tasks and says nothing
about their shares; all five, one sample each, is the default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from genrec_plugin_sid.item_text import ItemText
from genrec_plugin_sid.missing_text import Missing
from genrec_plugin_sid.next_item_text import NextItemText
from genrec_plugin_sid.wording import check_wordings
from pydantic import Field, field_validator

from genrec_core import Catalogue, Context, Corpus, Request, Sample, View
from genrec_core.contracts.samples import IDENTIFIER

Alignment = Literal["title-to-sid", "sid-to-title", "titles-to-sid", "sids-to-title", "description-to-sid"]
TaskName = Literal[Alignment, "semantic"]
HistoryTask = Literal["semantic", "titles-to-sid", "sids-to-title"]

ALIGNMENT: tuple[Alignment, ...] = (
    "title-to-sid",
    "sid-to-title",
    "titles-to-sid",
    "sids-to-title",
    "description-to-sid",
)
WORDINGS: Mapping[TaskName, str] = {
    "semantic": "Bought so far, oldest first: {history}\nIdentifier of what comes next: ",
    "titles-to-sid": "Bought so far, oldest first: {history}\nIdentifier of what comes next: ",
    "sids-to-title": "Bought so far, oldest first: {history}\nTitle of what comes next: ",
    "title-to-sid": "Title of a product: {item}\nIts identifier: ",
    "sid-to-title": "Identifier of a product: {item}\nIts title: ",
    "description-to-sid": "What a product is like: {item}\nIts identifier: ",
}


class SINGERTasks(Corpus):
    """SINGER's training tasks as one corpus that stays the same from stage to stage."""

    version = "1"

    class Options(Corpus.Options):
        """Which tasks, in which stage, in which words."""

        stage: Literal["sft", "rl"]
        """The training step this corpus stands in."""
        align: Literal["none", "sft", "rl", "both"] = "both"
        """In which stages alignment tasks take part; write the same in both."""
        alignment: tuple[Alignment, ...] = ALIGNMENT
        """The alignment tasks."""
        shares: dict[Alignment, Annotated[float, Field(gt=0, le=1)]] = Field(default_factory=dict)
        """Share of an alignment task's samples that is taken, drawn once by the seed; 1 if not named."""
        items: Literal["all", "seen"] = "all"
        """Items that their own tasks ask about: `all`, or only those that the view's interactions show."""
        title: str = Field("title", min_length=1)
        """Item field that is the title."""
        description: str = Field("description", min_length=1)
        """Item field that is the description."""
        wordings: dict[TaskName, tuple[str, ...]] = Field(default_factory=dict)
        """Templates of one's own, task by task: around {history}, or around {item} for an item's task."""
        separator: str | None = Field(None, min_length=1)
        """Text between two items of a history; by default `,` between identifiers and `; ` between titles."""
        quotes: dict[HistoryTask, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
        """Text before and behind each item of a task's histories, such as `'`; none if not named."""
        system: str = ""
        """Text before everything else; the system's turn in a chat."""
        missing: Missing = "refuse"
        """What to do about items without title or description: `refuse` them, or `skip` them and log how
        many."""
        max_per_user: int | None = Field(None, gt=0)
        """Most next-item examples of one user, the newest; all by default."""

        @field_validator("wordings")
        @classmethod
        def _filled(cls, wordings: dict[TaskName, tuple[str, ...]]) -> dict[TaskName, tuple[str, ...]]:
            for task, templates in wordings.items():
                if not templates:
                    raise ValueError(f"`{task}` has no template; leave it out for ours")
                check_wordings(templates, "history" if "{history}" in WORDINGS[task] else "item")
            return wordings

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """Semantic samples first, then one alignment task after another."""
        yield from self._next_item("semantic").samples(view, catalogue, context)
        if view.targets is not None or self.options.align not in (self.options.stage, "both"):
            return
        for place, name in enumerate(ALIGNMENT):
            if name in self.options.alignment:
                draw, share = context.generator(place), self.options.shares.get(name, 1.0)
                for sample in self._aligned(name).samples(view, catalogue, context):
                    if draw.random() < share:
                        yield sample

    def prompt(self, request: Request, catalogue: Catalogue, context: Context) -> Sample:
        """The semantic task without its answer."""
        return self._next_item("semantic").prompt(request, catalogue, context)

    def _aligned(self, name: Alignment) -> Corpus:
        if name in ("titles-to-sid", "sids-to-title"):
            return self._next_item(name)
        options = self.options
        text = options.description if name == "description-to-sid" else options.title
        given, answer = (IDENTIFIER, text) if name == "sid-to-title" else (text, IDENTIFIER)
        return ItemText(
            given=given,
            answer=answer,
            items=options.items,
            wordings=self._wordings(name),
            system=options.system,
            missing=options.missing,
        )

    def _next_item(self, name: HistoryTask) -> NextItemText:
        options = self.options
        given = options.title if name == "titles-to-sid" else IDENTIFIER
        answer = options.title if name == "sids-to-title" else IDENTIFIER
        quote = options.quotes.get(name, "")
        separator = options.separator or ("," if given == IDENTIFIER else "; ")
        shown = "{history}".join([quote.replace("{", "{{").replace("}", "}}")] * 2)
        return NextItemText(
            directions=(f"{given} -> {answer}",),
            wordings=tuple(one.replace("{history}", shown) for one in self._wordings(name)),
            separator=separator.join([quote] * 2),
            text_separator=separator.join([quote] * 2),
            system=options.system,
            missing=options.missing,
            max_per_user=options.max_per_user,
        )

    def _wordings(self, name: TaskName) -> tuple[str, ...]:
        return self.options.wordings.get(name, (WORDINGS[name],))
