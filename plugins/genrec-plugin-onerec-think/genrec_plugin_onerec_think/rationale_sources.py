"""Where rationales come from: a template, or a teacher who is asked (OneRec-Think §4.2, appendix A.1).

A rationale says why a user with these items chose that one.

    templates   "The user likes Drama and Comedy, so: Drama."          (appendix A.1: the public data sets)
    a teacher   asked about the pruned context and the target, a chat for each example

A teacher may be any: `core/slot-teacher` is the aligned model itself, as in the paper. An answer is used
only if it is finished, not empty, and does not give the target away: one that spells its identifier would
teach a model to guess the item before it thinks. What is not used is counted by why, and what
becomes of the sample is for whoever asked to decide (`onerec-think/rationales`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from genrec_core import Answer, Catalogue, Chat, Context, Example, Message, Teacher
from genrec_plugin_onerec_think.next_item import values_of


@dataclass(frozen=True)
class Case:
    """One example whose choice is to be explained.

    Attributes:
        example: history, target and user.
        context: the pruned history, oldest first.
    """

    example: Example
    context: tuple[int, ...]


@dataclass(frozen=True)
class TemplateRationales:
    """Rationales from an item field.

    Attributes:
        field: holds what an item is, such as its categories.
        most: values that are named of the target.
        liked: values that are named of the context, the most frequent ones.
        wording: around {liked} and {target}.
        otherwise: around {target}, for a context without any value.
    """

    field: str
    most: int
    liked: int
    wording: str
    otherwise: str

    def rationales(self, cases: Sequence[Case], catalogue: Catalogue) -> list[str]:
        """One text a case; "" for a target without the field."""
        return [self._rationale(case, catalogue) for case in cases]

    def _rationale(self, case: Case, catalogue: Catalogue) -> str:
        target = ", ".join(values_of(catalogue, case.example.target, self.field)[: self.most])
        if not target:
            return ""
        # Counter keeps the order of first occurrence among equally frequent values.
        seen = Counter(value for item in case.context for value in values_of(catalogue, item, self.field))
        liked = ", ".join(value for value, _ in seen.most_common(self.liked))
        wording = self.wording if liked else self.otherwise
        return wording.format(liked=liked, target=target)


@dataclass(frozen=True)
class TeacherRationales:
    """Rationales from a teacher.

    Attributes:
        teacher: who is asked.
        form: how items are shown: `identifier`, an item field, or "" for an identifier with `caption` behind.
        caption: the item field behind an identifier.
        question: around {context} and {target}.
        system: the system's turn; "" for none.
    """

    teacher: Teacher
    form: str
    caption: str
    question: str
    system: str

    def rationales(self, cases: Sequence[Case], catalogue: Catalogue, context: Context) -> list[str]:
        """One text a case, "" where the answer cannot be used; the log counts why."""
        chats = [self.chat(case, catalogue) for case in cases]
        answers: list[Answer] = context.ask(self.teacher, chats) if chats else []
        texts, unused = [], Counter[str]()
        for case, answer in zip(cases, answers, strict=True):
            wrong = _unusable(answer, case, catalogue)
            unused.update([wrong] if wrong else [])
            texts.append("" if wrong else tidy(answer.text))
        context.log(
            "rationales", asked=len(chats), **{f"unused_{why}": count for why, count in unused.items()}
        )
        return texts

    def chat(self, case: Case, catalogue: Catalogue) -> Chat:
        """The question about one case."""
        shown = "; ".join(self._shown(item, catalogue) for item in case.context) or "nothing yet"
        text = self.question.format(context=shown, target=self._shown(case.example.target, catalogue))
        asked = Message("user", text)
        return (Message("system", self.system), asked) if self.system else (asked,)

    def _shown(self, item: int, catalogue: Catalogue) -> str:
        if self.form:
            return catalogue.write(item, self.form)
        return f"{catalogue.write(item)} {catalogue.write(item, self.caption)}".strip()


def _unusable(answer: Answer, case: Case, catalogue: Catalogue) -> str:
    """Why an answer cannot be a rationale, "" if it can."""
    if not answer.finished:
        return "unfinished"
    text = tidy(answer.text)
    if not text:
        return "empty"
    return "names_target" if catalogue.write(case.example.target) in text else ""


def tidy(text: str) -> str:
    """A thought as it is learnt: without think tags and without runs of white space.

    >>> tidy("<think>\\n tents,\\n\\n  so ropes </think>")
    'tents, so ropes'
    """
    return " ".join(re.sub(r"</?think>", " ", text).split())
