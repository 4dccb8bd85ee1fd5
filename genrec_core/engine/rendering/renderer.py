"""The renderer: a sample becomes token ids and a mask of what is learnt. There is only this one.

Training, reinforcement learning and evaluation disagree about prompts in most published code: a newline
more here, another order there, a space that merges with the next token. Here every segment, and every item
of a history, is tokenised on its own and the ids are put after one another, so a prompt is the same ids
whatever follows it.

What is learnt: the tokens of segments marked so, and the end-of-text token after them when the sample
`ends`. Of a learnt history every item after the first is learnt, with what is written behind it, but
not the separators: whoever writes an answer is given the separator before it.

What does not fit: a prompt may be `max_length` tokens less the room of an answer, which is the longest
answer in the sample's form and the end token. The room does not depend on the target, so evaluation, which
does not know it, cuts where training cut. The oldest history items go first; then unlearnt item fields
lose their ends, which is counted in `shortened`; the target and literal texts never do.

    Sample((Text("Next: "), History((3, 5)), Text(", "), ItemRef(7, learn=True)))
    → Next: <a_3><b_1>, <a_5><b_0>, <a_7><b_2><|end|>     (learnt: the last three tokens)

`Rendered.spans` tells which tokens spell which item or user, after everything above: a trainer that puts
other embeddings there, or looks at them, need not search.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.samples import IDENTIFIER, History, ItemRef, Sample, Segment, Text, Turn, UserRef
from genrec_core.engine.models.model import Model
from genrec_core.engine.rendering.pieces import Pieces


class Span(NamedTuple):
    """Tokens `ids[start:end]` of a rendered sample that spell one item or one user.

    Attributes:
        start, end: places in `Rendered.ids`.
        item: the item; None where a user is spelt.
        form: how the item is written: its identifier or a field.
        user: the user's id; "" where an item is spelt.
    """

    start: int
    end: int
    item: int | None
    form: str = IDENTIFIER
    user: str = ""


@dataclass(frozen=True)
class Rendered:
    """A sample as a model sees it.

    Attributes:
        ids: token ids of prompt and answer.
        learn: beside `ids`, whether the loss counts the token.
        prompt_length: how many ids come before the first learnt one; for an encoder-decoder model these
            are the encoder's input and the others are the labels.
        starts: places in `ids` where a learnt identifier begins.
        spans: which places in `ids` spell which item or user, in order. What was cut off has none; an item
            whose field lost its end has a shorter one. Spans that start at `prompt_length` or behind it are
            the answer's: of an encoder-decoder model those are places of the labels, once `prompt_length`
            is subtracted.
    """

    ids: list[int]
    learn: list[bool]
    prompt_length: int
    starts: list[int]
    spans: list[Span]


@dataclass
class _Draft:
    """What is written so far."""

    ids: list[int]
    learn: list[bool]
    starts: list[int]
    spans: list[Span]

    def add(self, piece: list[int], learn: bool) -> None:
        """One more piece of literal text."""
        self.ids += piece
        self.learn += [learn] * len(piece)

    def add_item(self, piece: list[int], learn: bool, item: int, form: str) -> None:
        """One more item; where it stands is remembered, and where a learnt identifier begins."""
        start = len(self.ids)
        if learn and form == IDENTIFIER:
            self.starts.append(start)
        if piece:
            self.spans.append(Span(start, start + len(piece), item, form))
        self.ids += piece
        self.learn += [learn] * len(piece)


@dataclass(frozen=True)
class _Cut:
    """How much of a sample is kept: the newest `items` of each history, `field` tokens of each field."""

    items: int
    field: int


_WHOLE = _Cut(1 << 30, 1 << 30)


class Renderer:
    """Renders samples for one model and one version of the identifiers.

    Args:
        model: gives the text tokenizer, the family and the chat layout.
        catalogue: gives the items' texts.
        max_length: most tokens of a sample; by default the model's own.

    Attributes:
        shortened: counts of samples whose `histories` or `fields` were cut to fit.
    """

    def __init__(self, model: Model, catalogue: Catalogue, max_length: int | None = None) -> None:
        self.model, self.catalogue = model, catalogue
        self.max_length = max_length or model.max_length
        self.shortened: Counter[str] = Counter()
        self._pieces = Pieces(model, catalogue)

    def prompt(self, sample: Sample) -> list[int]:
        """Token ids of everything before the first learnt segment."""
        rendered = self.rendered(sample)
        return rendered.ids[: rendered.prompt_length]

    def prompt_text(self, sample: Sample) -> str:
        """The prompt as the model reads it, decoded from its ids, control tokens included."""
        text: str = self.model.text_tokenizer.decode(
            self.prompt(sample), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return text

    def literal_ids(self, text: str) -> list[int]:
        """Token ids of a literal text, as a `Text` segment is written."""
        return self._pieces.text(text)

    def answer_ids(self, form: str = IDENTIFIER) -> list[list[int]]:
        """Token ids of every item as an answer in a form, in catalogue order, without the end token."""
        return self._pieces.form(form)

    def items_by_ids(self, form: str = IDENTIFIER) -> dict[tuple[int, ...], list[int]]:
        """Token ids of an answer in a form → the items written so, in catalogue order."""
        return self._pieces.by_ids(form)

    def rendered(self, sample: Sample) -> Rendered:
        """Prompt and answer of a sample.

        Raises:
            GenrecError: it does not fit, the model's family cannot learn it, or it names a user whom the
                identifiers do not.
        """
        whole = self._written(sample, _WHOLE)
        excess = self._excess(sample, whole)
        return whole if excess <= 0 else self._shorter(sample)

    def _excess(self, sample: Sample, rendered: Rendered) -> int:
        """How many tokens too long a rendered sample is; not above 0 when it fits."""
        answer = len(rendered.ids) - rendered.prompt_length
        if not any(isinstance(segment, History) and segment.learn for segment in sample.segments):
            known = sample.answer_form == IDENTIFIER or sample.answer_form in self.catalogue.items.fields
            room = self._pieces.longest(sample.answer_form) + 1 if known else 0
            answer = max(answer, room)
        return rendered.prompt_length + answer - self.max_length

    def _shorter(self, sample: Sample) -> Rendered:
        """The sample with as much as fits."""
        low, high = (
            0,
            max((len(part.items) for part in sample.segments if isinstance(part, History)), default=0),
        )
        best: Rendered | None = None
        while low < high:  # the most items that fit, by bisection: each item kept makes it longer
            items = (low + high) // 2
            rendered = self._written(sample, _Cut(items, _WHOLE.field))
            if self._excess(sample, rendered) <= 0:
                best, low = rendered, items + 1
            else:
                high = items
        if best is not None:
            self.shortened["histories"] += 1
            return best
        field = max((len(ids) for ids in self._fields(sample)), default=0)
        while field > 0:
            field //= 2
            rendered = self._written(sample, _Cut(0, field))
            if self._excess(sample, rendered) <= 0:
                self.shortened["fields"] += 1
                return rendered
        excess = self._excess(sample, self._written(sample, _Cut(0, 0)))
        raise GenrecError(
            f"a sample of task `{sample.task}` is {excess:,} tokens longer than `max_length: "
            f"{self.max_length}`, and its instruction and answer are never cut",
            hint="raise max_length, or shorten the instruction or the answer's field",
        )

    def _fields(self, sample: Sample) -> Iterator[list[int]]:
        for part in sample.segments:
            if isinstance(part, ItemRef) and not part.learn and part.form != IDENTIFIER:
                yield self._pieces.form(part.form)[part.item]

    def _written(self, sample: Sample, cut: _Cut) -> Rendered:
        chat = self.model.chat and not sample.plain
        before, after = ([], []) if chat else self.model.frame
        draft = _Draft(list(before), [False] * len(before), [], [])
        literals = iter(self._literals(sample))
        turn: Turn | None = None
        for part in sample.segments:
            if chat and part.turn != turn:
                turn = part.turn
                draft.add(next(literals), learn=False)
            self._write(part, cut, draft)
        for literal in literals:
            draft.add(literal, learn=False)
        if True not in draft.learn:
            start = len(draft.ids)
            ids = self._begun(draft.ids, start, after)
            return Rendered(
                ids, [False] * len(ids), len(ids), [], self._moved(draft, start, len(ids) - start)
            )
        start = draft.learn.index(True)
        if sample.append_eos:
            draft.add([self.model.end_id], learn=True)
        ids = self._begun(draft.ids, start, after)
        added = len(ids) - len(draft.ids)
        starts = [place + added for place in draft.starts]
        learn = [False] * added + draft.learn
        return Rendered(ids, learn, start + added, starts, self._moved(draft, start, added))

    def _moved(self, draft: _Draft, start: int, added: int) -> list[Span]:
        """The draft's spans after `_begun` put `added` tokens behind the prompt, or before an empty one."""
        if not added:
            return draft.spans
        first = start if self.model.family == "seq2seq" else 0
        return [
            span._replace(start=span.start + added, end=span.end + added) if span.start >= first else span
            for span in draft.spans
        ]

    def _begun(self, ids: list[int], start: int, after: list[int]) -> list[int]:
        """Close the encoder's input; a prompt without any token gets the end token to start from."""
        if self.model.family == "seq2seq":
            return [*([*ids[:start], *after] or [self.model.end_id]), *ids[start:]]
        return ids if start else [self.model.end_id, *ids]

    def _literals(self, sample: Sample) -> list[list[int]]:
        """What the chat template writes before each run of segments of one turn, and before the answer."""
        if not self.model.chat or sample.plain:
            return []
        turns: list[Turn] = []
        for part in sample.segments:
            if not turns or turns[-1] != part.turn:
                turns.append(part.turn)
        if not turns or turns[-1] != "assistant":
            turns.append("assistant")
        return self._pieces.literals(turns)

    def _write(self, part: Segment, cut: _Cut, draft: _Draft) -> None:
        if isinstance(part, Text):
            draft.add(self._pieces.text(part.text), part.learn)
        elif isinstance(part, ItemRef):
            piece = self._pieces.form(part.form)[part.item]
            if not part.learn and part.form != IDENTIFIER:
                piece = piece[: cut.field]
            draft.add_item(piece, part.learn, part.item, part.form)
        elif isinstance(part, UserRef):
            piece = self._pieces.user(part.user)
            draft.spans.append(Span(len(draft.ids), len(draft.ids) + len(piece), None, user=part.user))
            draft.add(piece, part.learn)
        else:
            self._write_history(part, cut, draft)

    def _write_history(self, part: History, cut: _Cut, draft: _Draft) -> None:
        if part.learn and self.model.family == "seq2seq":
            raise GenrecError(
                "an encoder-decoder model cannot learn inside a history",
                hint="use one sample for each target (`each: prefix`), or a causal model",
            )
        forms, separator = self._pieces.form(part.form), self._pieces.text(part.separator)
        between = self._pieces.text(part.between)
        kept = part.items if cut.items >= len(part.items) else part.items[len(part.items) - cut.items :]
        for place, item in enumerate(kept):
            if place:
                draft.add(separator, learn=False)
            learn = part.learn and place > 0
            draft.add_item(forms[item], learn, item, part.form)
            if between:
                draft.add(between, learn)
            if part.field:
                draft.add_item(self._pieces.form(part.field)[item], learn, item, part.field)
