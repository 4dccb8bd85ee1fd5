"""The last block of a causal network, computed at some positions alone.

Where only the state behind a prompt is wanted, what the last block's feed-forward part makes of every other
position goes nowhere: no block comes after it, and keys and values were taken before. In a network of two
blocks that part is a third of all the work.

    install(network.layers[-1].mlp)              # once; changes nothing yet
    with last_block_at(rows):                    # of all positions [B × P], the n that are asked for
        states = network(...)                    # those are right, the others are not

It holds in the thread that asks, so others go on reading everything with the same network.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class _Asked(threading.local):
    """The positions asked for in this thread, int64 [n], None for all; and the shape of what came."""

    rows: Tensor | None = None
    shape: torch.Size


_asked = _Asked()


@contextmanager
def last_block_at(rows: Tensor | None) -> Iterator[None]:
    """Inside, the part is computed at `rows` int64 [n] of all positions [B × P]; None for all."""
    _asked.rows = rows
    try:
        yield
    finally:
        _asked.rows = None


def install(part: nn.Module) -> None:
    """Let the feed-forward part of a last block be asked so; its input is [B, P, H], and so is its output."""
    part.register_forward_pre_hook(_picked)
    part.register_forward_hook(_put_back)


def _picked(_: nn.Module, arguments: tuple[Any, ...]) -> tuple[Tensor] | None:
    if _asked.rows is None:
        return None
    states: Tensor = arguments[0]
    _asked.shape = states.shape
    return (states.reshape(-1, states.shape[-1]).index_select(0, _asked.rows),)


def _put_back(_: nn.Module, __: tuple[Any, ...], output: Tensor) -> Tensor | None:
    """What was computed, with zeros everywhere else."""
    rows, width = _asked.rows, output.shape[-1]
    if rows is None:
        return None
    everywhere = output.new_zeros((_asked.shape[:-1].numel(), width))
    return everywhere.index_copy_(0, rows, output).view(_asked.shape)
