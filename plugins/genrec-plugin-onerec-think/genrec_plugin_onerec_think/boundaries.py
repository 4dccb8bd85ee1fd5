"""Boundary tokens: what stands before and after the levels of every itemic identifier (OneRec-Think §3).

    sid/rq-kmeans with begin: <|item_begin|>, end: <|item_end|>
    <|item_begin|> <item_a_219> <item_b_189> <item_c_49> <item_d_227> <|item_end|>     four levels, six tokens

The toolkit's tokenizers keep in their identifiers how they write; identifiers of others have no boundaries.
"""

from __future__ import annotations

from genrec_core import Identifiers
from genrec_core.contracts.identifiers import Tokens


def boundaries(identifiers: Identifiers) -> tuple[str, str]:
    """Begin and end token, "" for none."""
    naming = identifiers.settings.get("naming", {})
    return naming.get("begin", ""), naming.get("end", "")


def levels(tokens: Tokens, identifiers: Identifiers) -> Tokens:
    """An identifier without the tokens that stand around every one."""
    around = {*boundaries(identifiers)} - {""}
    return tuple(token for token in tokens if token not in around) if around else tokens
