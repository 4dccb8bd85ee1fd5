"""Collator: rows of a table as padded tensors.

Labels are −100 wherever nothing is learnt: on prompts, between items and on padding. Padding is on the
right, so a causal model needs no attention mask at all (no position sees what comes after it), which
allows the fast attention kernel; an encoder does get one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec_core.engine.models.model import Family
from genrec_core.engine.training.dataset import Table

IGNORED = -100


class Collator:
    """Makes batches for one family of models.

    Args:
        table: rendered samples.
        family: `causal` or `seq2seq`.
        pad_id: fills short rows.
    """

    def __init__(self, table: Table, family: Family, pad_id: int) -> None:
        self._table, self._family, self._pad_id = table, family, pad_id

    def batch(self, rows: NDArray[np.int64], group: Sequence[NDArray[np.int64]] = ()) -> dict[str, Tensor]:
        """The tensors of a batch.

        Args:
            rows: rows of the table.
            group: all batches of the same optimiser step, this one among them; by default it is alone.

        Returns:
            `input_ids`, `labels` and, beside the labels, `nodes` (int64 [B, T]; T differs between inputs
            and labels for seq2seq, which also has `attention_mask`), `weights` (float32 [B]), and
            `denominator` (float32 scalar): the summed weight of all learnt tokens of the step, so that
            losses of its batches add up to their mean.
        """
        table = self._table
        cuts = []
        for row in rows:
            start, stop = int(table.offsets[row]), int(table.offsets[row + 1])
            cuts.append((start, start + int(table.prompts[row]), stop))
        labels = [np.where(table.learn[a:b], table.ids[a:b], IGNORED) for a, _, b in cuts]
        nodes = [table.nodes[a:b] for a, _, b in cuts]
        batch: dict[str, Tensor] = {}
        if self._family == "causal":
            batch["input_ids"] = _padded([table.ids[a:b] for a, _, b in cuts], self._pad_id)
            batch["labels"] = _padded(labels, IGNORED)
            batch["nodes"] = _padded(nodes, -1)
        else:
            prompts = [table.ids[a:m] for a, m, _ in cuts]
            batch["input_ids"] = _padded(prompts, self._pad_id)
            batch["attention_mask"] = _padded([np.ones_like(prompt) for prompt in prompts], 0)
            batch["labels"] = _padded(
                [label[m - a :] for label, (a, m, _) in zip(labels, cuts, strict=True)], IGNORED
            )
            batch["nodes"] = _padded([part[m - a :] for part, (a, m, _) in zip(nodes, cuts, strict=True)], -1)
        batch["weights"] = torch.from_numpy(table.weights[rows])
        batch["denominator"] = torch.tensor(sum(map(self._weight, group or [rows])), dtype=torch.float32)
        return batch

    def _weight(self, rows: NDArray[np.int64]) -> float:
        """Summed weight of the learnt tokens of some rows."""
        table = self._table
        learnt = (table.learn[table.offsets[row] : table.offsets[row + 1]].sum() for row in rows)
        return float(sum(count * table.weights[row] for count, row in zip(learnt, rows, strict=True)))


def _padded(rows: Sequence[NDArray[np.int32]], fill: int) -> Tensor:
    """Rows of different lengths as one int64 tensor, filled on the right."""
    padded = np.full((len(rows), max(map(len, rows))), fill, dtype=np.int64)
    for row, values in enumerate(rows):
        padded[row, : len(values)] = values
    return torch.from_numpy(padded)
