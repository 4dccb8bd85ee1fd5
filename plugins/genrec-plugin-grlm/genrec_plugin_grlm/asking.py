"""Asking for terms, and asking again: what a teacher gets wrong is put to it once more, with the reason.

Every round is one call of `Context.ask`, which keeps each answer on disk. The second question holds the
first answer, so it is another request and is paid for once as well. What is still malformed after the last
round is handed back as such; what becomes of it is an option of `grlm/terms`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from genrec_core import Chat, Context, Teacher
from genrec_core.contracts.identifiers import Tokens
from genrec_plugin_grlm.answer import Malformed, read_open_list, read_terms
from genrec_plugin_grlm.prompt import TermQuestions


def asked_terms(
    teacher: Teacher,
    asker: TermQuestions,
    neighbours: Sequence[Sequence[int]],
    retries: int,
    context: Context,
) -> list[Tokens | Malformed]:
    """The terms of every item, or what the teacher wrote instead in the last round.

    Args:
        teacher: who is asked.
        asker: writes the questions.
        neighbours: the items shown beside each item.
        retries: how many more times it is asked about an item whose answer was malformed.
        context: keeps answers; the log gets a line `terms-asked` a round.
    """
    chats: dict[int, Chat] = {item: asker.question(item, near) for item, near in enumerate(neighbours)}
    found: dict[int, Tokens | Malformed] = {}
    reading = read_open_list if asker.style == "examples" else read_terms
    for tried in range(retries + 1):
        pending = list(chats)
        answers = context.ask(teacher, [chats[item] for item in pending])
        bad: Counter[str] = Counter()
        for item, answer in zip(pending, answers, strict=True):
            read = found[item] = reading(answer.text, asker.count, finished=answer.finished)
            if isinstance(read, Malformed):
                bad[read.reason] += 1
                chats[item] = asker.again(chats[item], read)
            else:
                del chats[item]
        context.log("terms-asked", round=tried + 1, asked=len(pending), malformed=bad.total(), **_named(bad))
        if not chats:
            break
    return [found[item] for item in range(len(neighbours))]


def _named(bad: Counter[str]) -> dict[str, int]:
    return {f"malformed_{reason.replace(' ', '_')}": count for reason, count in sorted(bad.items())}
