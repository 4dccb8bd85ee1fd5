"""The task that reasons before it answers: `sidreasoner/reasoned-item` and `sidreasoner/activation` (§3.3).

Both ask alike, byte for byte. `reasoned-item` is what reinforcement learning and recommending are prompted
by: what is written between prompt and SID is the model's own. `activation` shows such an answer once: a
teacher's monologue in a thought, then the SID; thought, tags, SID and the end of text are learnt.

    Bought so far … Think it over, then give the code.
    <think>⏎I began with … ⏎</think>⏎⏎<a_3><b_1>
"""

from __future__ import annotations

from collections.abc import Iterator

from genrec_plugin_sid.wording import check_wordings, variant, worded
from pydantic import Field, field_validator

from genrec_core import Catalogue, Context, Corpus, History, ItemRef, Options, Request, Sample, Text, View
from genrec_core.contracts.samples import IDENTIFIER
from genrec_plugin_sidreasoner.user_enrichment import ChainOptions, Chains

TASK = "reasoned-item"


class ReasoningPrompt(Options):
    """How the question is worded; write the same in every step."""

    wordings: tuple[str, ...] = Field(
        (
            "Bought so far, oldest first: {history}\n"
            "Think over what this customer cares about, then give the code of the product bought next.\n",
        ),
        min_length=1,
    )
    """Templates around {history}. Of several, each history gets one, always the same."""
    separator: str = Field(",", min_length=1)
    """Text between two SIDs of the history."""
    system: str = ""
    """Text before everything else; the system's turn in a chat."""
    domains: tuple[str, ...] = ()
    """Domains whose examples are taken; all by default."""
    max_per_user: int | None = Field(None, gt=0)
    """Most training examples of one user, the newest; all by default."""

    @field_validator("wordings")
    @classmethod
    def _with_a_history(cls, wordings: tuple[str, ...]) -> tuple[str, ...]:
        return check_wordings(wordings, "history")

    def asked(self, history: tuple[int, ...]) -> tuple[Text | ItemRef | History, ...]:
        """The question about a history."""
        shown = History(history, separator=self.separator)
        names = {"given": IDENTIFIER, "answer": IDENTIFIER}
        told = (Text(self.system, turn="system"),) if self.system else ()
        return (*told, *worded(variant(self.wordings, history), shown, names))

    def takes(self, domain: str) -> bool:
        """Whether examples of a domain are taken."""
        return not self.domains or domain in self.domains


class ReasonedItem(Corpus):
    """The next item, asked for so that the answer may begin with a thought."""

    version = "1"
    seeded = False

    class Options(ReasoningPrompt, Corpus.Options):
        """How the question is worded, and which examples are taken."""

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """One sample an example, without a thought."""
        for example in view.examples(newest=self.options.max_per_user):
            if self.options.takes(example.domain):
                answer = ItemRef(example.target, learn=True, turn="assistant")
                asked = self.options.asked(example.history)
                yield Sample((*asked, answer), target=example.target, task=TASK)

    def prompt(self, request: Request, catalogue: Catalogue, context: Context) -> Sample:
        """The question alone."""
        return Sample(self.options.asked(request.history), task=TASK)


class ReasoningActivation(Corpus):
    """Answers that think first, with a teacher's monologue as the thought."""

    version = "1"

    class Options(ReasoningPrompt, ChainOptions, Corpus.Options):
        """The question, and who writes the thoughts."""

        opening: str = "<think>\n"
        """Text that begins a thought; the same in reinforcement learning and recommending."""
        closing: str = "\n</think>\n\n"
        """Text that ends it."""
        thoughts: bool = True
        """Whether thoughts are shown; without, they are empty, and only the form is taught."""

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """One sample an example that a usable monologue was written about; a validation view has none."""
        options = self.options
        if view.targets is not None:
            return
        chains = Chains(options, catalogue.items, context)
        examples = {
            number: example
            for number, example in chains.chosen(view).items()
            if options.takes(example.domain)
        }
        thoughts = chains.monologues(examples, calls=1) if options.thoughts else dict.fromkeys(examples, "")
        for number, thought in thoughts.items():
            example = examples[number]
            written = [
                Text(text, learn=True, turn="assistant")
                for text in (options.opening, thought, options.closing)
                if text
            ]
            answer = ItemRef(example.target, learn=True, turn="assistant")
            yield Sample(
                (*options.asked(example.history), *written, answer), target=example.target, task="activation"
            )
