"""Items without the text that a task needs: refused with examples, or skipped and counted.

An empty answer would teach a model to say nothing, and an empty title in a prompt asks about no item, so a
task never writes one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from genrec_core import Catalogue, Context, DataError
from genrec_core.contracts.errors import examples

Missing = Literal["refuse", "skip"]
"""`refuse`: an item without the text is an error; `skip`: it is left out, and how many were is logged."""


def usable(
    catalogue: Catalogue, forms: Iterable[str], missing: Missing, context: Context
) -> dict[str, NDArray[np.bool_]]:
    """Which items can be written in each form, form → bool [N].

    Raises:
        DataError: some item lacks a field and `missing` is `refuse`, no item has it, or there is no such
            field.
    """
    masks = {}
    for form in dict.fromkeys(forms):
        masks[form] = np.array([bool(text) for text in catalogue.answers(form)], dtype=bool)
        absent = np.flatnonzero(~masks[form])
        if len(absent) and (missing == "refuse" or not masks[form].any()):
            raise _lacking(catalogue, absent.tolist(), form)
        if len(absent):
            context.log("skipped", form=form, items=len(absent))
    return masks


def kept(catalogue: Catalogue, items: tuple[int, ...], form: str, missing: Missing) -> tuple[int, ...]:
    """Those of a few items that can be written in a form.

    Raises:
        DataError: one cannot, and `missing` is `refuse`.
    """
    present = tuple(item for item in items if catalogue.write(item, form))
    if len(present) < len(items) and missing == "refuse":
        raise _lacking(catalogue, sorted(set(items) - set(present)), form)
    return present


def _lacking(catalogue: Catalogue, items: list[int], form: str) -> DataError:
    named = examples(catalogue.items.ids[item] for item in items)
    return DataError(
        f"{len(items):,} of {len(catalogue.items):,} items have no `{form}` to write: {named}",
        hint="fill the field in, name another, or leave such items out with `missing: skip`",
    )
