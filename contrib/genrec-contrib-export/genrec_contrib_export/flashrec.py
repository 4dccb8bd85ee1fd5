"""The catalogue as FlashRec reads it: a JSON object whose keys are paths of codes, `"a,b,c"` or `"a,b,c,1"`.

FlashRec numbers codes inside each level, and a level's codes have consecutive token ids. Identifiers that are
closed by a boundary token get a last code 1, the second of a codebook of two, begin and end.

    {"<a_12>", "<b_3>"} and {"<a_12>", "<b_7>"}   →   {"12,3": 1, "12,7": 1}
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from genrec_core import Identifiers
from genrec_core.contracts.identifiers import Tokens

_CODE = re.compile(r"(.*?)(\d+)(\D*)")


@dataclass(frozen=True)
class FlashRec:
    """A catalogue for FlashRec.

    Attributes:
        paths: one key an identifier.
        flags: of its command line, that say where the codes' tokens are; empty where there is no catalogue.
        why_not: why there is no catalogue.
    """

    paths: tuple[str, ...] = ()
    flags: str = ""
    why_not: str = ""

    def plain(self) -> dict[str, int]:
        """The content of the file."""
        return dict.fromkeys(self.paths, 1)


def flashrec(identifiers: Identifiers, token_id: dict[str, int]) -> FlashRec:
    """The catalogue of some identifiers.

    Args:
        identifiers: whose tokens are codes.
        token_id: id of each of `new_tokens`.
    """
    rows = identifiers.distinct()
    begin, end = _boundaries(rows)
    inner = [row[len(begin) : len(row) - len(end)] for row in rows]
    lengths = sorted({len(row) for row in inner})
    if len(lengths) != 1:
        several = " and ".join(str(length) for length in lengths)
        return FlashRec(why_not=f"identifiers have {several} tokens, and FlashRec reads one length")
    levels: list[tuple[str, str]] = []
    for level in range(lengths[0]):
        named = {_named(row[level]) for row in inner}
        if None in named or len(named) != 1 or not named.isdisjoint(levels):
            return FlashRec(why_not="tokens are no numbered codes with a name for each level, like <a_12>")
        levels += [one for one in named if one is not None]
    ranges = [_range(level, identifiers.new_tokens, token_id) for level in levels]
    if None in ranges:
        return FlashRec(why_not="the tokens of a level have no consecutive ids")
    spans = [one for one in ranges if one is not None]
    boundary = [token_id[token] for token in (*begin, *end)]
    ids = [first + code for first, size in spans for code in range(size)] + boundary
    shown = _range_text(ids)
    sizes = [str(size) for _, size in spans] + ["2"] * bool(end)
    flags = f"--sid-token-range {shown} --sid-codebook-sizes {','.join(sizes)}"
    if end:
        flags += f" --sid-boundary-tokens {boundary[0]},{boundary[1]}"
    codes = [[int(_CODE.fullmatch(token)[2]) for token in row] + [1] * bool(end) for row in inner]  # type: ignore[index]
    return FlashRec(tuple(",".join(map(str, row)) for row in codes), flags)


def _range_text(ids: Sequence[int]) -> str:
    """Ids as FlashRec takes them: `5:9` where they are consecutive, else all of them."""
    whole = list(ids) == list(range(ids[0], ids[0] + len(ids)))
    return f"{ids[0]}:{ids[-1]}" if whole else ",".join(map(str, ids))


def _boundaries(rows: Sequence[Tokens]) -> tuple[Tokens, Tokens]:
    """First and last token of every identifier, where they are the same for all and carry no number."""
    firsts, lasts = {row[0] for row in rows}, {row[-1] for row in rows}
    if len(firsts) == len(lasts) == 1 and firsts != lasts and min(map(len, rows)) > 2:
        begin, end = next(iter(firsts)), next(iter(lasts))
        if not _CODE.fullmatch(begin) and not _CODE.fullmatch(end):
            return (begin,), (end,)
    return (), ()


def _named(token: str) -> tuple[str, str] | None:
    """What stands around the number of a code: `<a_12>` → (`<a_`, `>`)."""
    found = _CODE.fullmatch(token)
    return (found[1], found[3]) if found else None


def _range(level: tuple[str, str], tokens: Sequence[str], token_id: dict[str, int]) -> tuple[int, int] | None:
    """The id of a level's code 0 and how many codes there are; None where ids do not follow the codes."""
    ids: dict[int, int] = {}
    for token in tokens:
        found = _CODE.fullmatch(token)
        if found and (found[1], found[3]) == level:
            ids[int(found[2])] = token_id[token]
    first = ids.get(0)
    if first is None or any(ids.get(code) != first + code for code in range(len(ids))):
        return None
    return first, len(ids)
