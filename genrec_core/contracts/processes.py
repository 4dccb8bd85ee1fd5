"""Processes: what makes runs, artefacts or files out of them is done by one process.

A launcher such as torchrun starts a program several times. Each of them would train on the same batches, and
make and write the same things at the same places; sharing work among them is not supported yet.

    @one_process
    def write_bundle(run, out): ...      # refused in each of several processes, before it does anything

What only reads may be done by as many as one likes.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from genrec_core.contracts.errors import GenrecError

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def one_process(work: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """The same function, which raises a GenrecError where a launcher started several processes."""

    @functools.wraps(work)
    def alone(*given: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        size = os.environ.get("WORLD_SIZE", "1")
        if size not in ("", "0", "1"):
            raise GenrecError(
                f"`WORLD_SIZE` is `{size}`: several processes were started, and each would make and write "
                "the same things at the same places",
                hint="start one process, without torchrun or another launcher; sharing work over several is "
                "not supported yet",
            )
        return work(*given, **named)

    return alone
