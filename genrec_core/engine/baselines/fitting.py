"""Fitting SASRec: epochs over batches of targets, a look at the validation rows, the best weights kept.

Everything random (first weights, dropout, order, drawn items) comes from one seed; torch's global generator
is put back as it was. Item embeddings are read once a step for histories, targets and drawn items together,
because each separate read would leave a gradient as large as the catalogue to be zeroed and added.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import DataError, StageError
from genrec_core.contracts.views import Training
from genrec_core.engine.baselines.histories import ItemIds, batches, history_matrix, windows
from genrec_core.engine.baselines.sasrec_losses import bce_loss, sampled_softmax_losses, softmax_loss
from genrec_core.engine.baselines.sasrec_network import SASRecNetwork
from genrec_core.engine.baselines.scoring import HistoryScorer, device_of
from genrec_core.engine.baselines.selecting import HistoryValidation
from genrec_core.engine.baselines.settings import SASRecSettings
from genrec_core.engine.training.best_tracker import BestTracker, top_figures
from genrec_core.evaluation.slices import popularity_of

_WEIGHTS, _ORDER = 0, 1
"""Purposes of the two generators that the seed is split into."""


def fit_sasrec(
    items: int,
    training: Training,
    settings: SASRecSettings,
    context: Context,
    start: NDArray[np.float32] | None = None,
) -> HistoryScorer:
    """A network fitted on the training view and chosen by the validation view.

    Args:
        items: catalogue size N.
        training: the views; without validation rows the weights of the last epoch are kept.
        settings: shape, loss, time.
        context: seed, progress, and the log that gets an `epoch` event for each epoch.
        start: float32 [N, factors], item embeddings to start from; where a row is zero, and without any,
            they start at random.

    Raises:
        DataError: no training row has two items.
        StageError: the loss is no longer a number.
    """
    length = settings.length or max(1, training.train.max_history)
    rows = windows(training.train.rows, length)
    if not rows:
        raise DataError(
            f"none of {len(training.train.rows):,} training rows has two items, so nothing follows anything",
            hint="use more data, or a baseline that needs no order (`core/popular`)",
        )
    device = device_of(settings.device)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(int(context.generator(_WEIGHTS).integers(2**63)))
        network = SASRecNetwork(items, length, settings)
        if start is not None:
            given = torch.from_numpy(start)
            known = given.any(dim=1)
            for table in {network.items, network.answers}:
                table.weight.data[known] = given[known]
        network.to(device)
        scorer = HistoryScorer(network, popularity_of(training.train, items), length, settings.chunk)
        _Fitting(scorer, rows, settings, context).run(training)
    return scorer


class _Fitting:
    def __init__(
        self, scorer: HistoryScorer, rows: list[ItemIds], settings: SASRecSettings, context: Context
    ) -> None:
        self.scorer, self.network, self.rows = scorer, scorer.network, rows
        self.settings, self.context = settings, context
        self.rng = context.generator(_ORDER)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=settings.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=settings.weight_decay,
            fused=True,
        )

    def run(self, training: Training) -> None:
        """All epochs, unless patience runs out; the best weights are in the network afterwards."""
        settings, tracker = self.settings, BestTracker(self.settings.patience)
        valid = HistoryValidation(training.valid, settings.select_unseen)
        best: dict[str, Tensor] = {}
        with self.context.progress("sasrec", settings.epochs) as advance:
            for epoch in range(1, settings.epochs + 1):
                seen = {"loss": self.epoch(epoch)}
                due = epoch % settings.evaluate_every == 0 or epoch == settings.epochs
                if due and len(training.valid):
                    figures = top_figures(valid.places(self.scorer))
                    seen |= figures
                    if tracker.evaluated(epoch, figures, settings.select_by):
                        best = {name: value.clone() for name, value in self.network.state_dict().items()}
                self.context.log("epoch", epoch=epoch, **seen)
                advance(1)
                if tracker.stopped:
                    break
        if best:
            self.network.load_state_dict(best)

    def epoch(self, number: int) -> float:
        """One pass; the mean loss of a target."""
        self.network.train()
        targets = np.array([len(row) - 1 for row in self.rows], dtype=np.int64)
        total = 0.0
        for batch in batches(targets, self.settings.batch, self.rng):
            loss = self.loss([self.rows[row] for row in batch])
            self.optimiser.zero_grad()
            torch.autograd.backward(loss)
            self.optimiser.step()
            total += loss.item() * int(targets[batch].sum())
        if not math.isfinite(total):
            raise StageError(
                f"training diverged: the loss of epoch {number:,} is not a finite number",
                hint="lower learning_rate",
            )
        return total / int(targets.sum())

    def loss(self, rows: list[ItemIds]) -> Tensor:
        """The loss of some rows: each item but a row's first, given those before it."""
        matrix, lengths = history_matrix(rows)
        inside = np.arange(matrix.shape[1] - 1) < (lengths - 1)[:, None]
        before, after = matrix[:, :-1], matrix[:, 1:][inside]
        drawn = self._drawn(len(after))
        sizes = [before.size, len(after), drawn.size]
        ids = self._tensor(np.concatenate([before.ravel(), after, drawn.ravel()]))
        read = torch.split(self.network.items(ids), sizes)
        tied = self.network.answers is self.network.items
        written = read if tied else torch.split(self.network.answers(ids), sizes)
        every = self.network(read[0].view(*before.shape, -1), self._tensor(lengths - 1))
        states = every[self._tensor(inside)]
        if self.settings.loss == "softmax":
            table = self.network.outputs(self.network.answers.weight)
            return softmax_loss(states, self._tensor(after), table)
        positives, negatives = self.network.outputs(written[1]), self.network.outputs(written[2])
        if self.settings.loss == "sampled-softmax":
            own = None
            if self.settings.history_negatives:
                outputs = self.network.outputs(written[0]).view(*before.shape, -1)
                allowed = self._tensor(_history_before(matrix))
                own = (every @ outputs.transpose(1, 2)).masked_fill(~allowed, -torch.inf)
                own = own[self._tensor(inside)]
            losses = sampled_softmax_losses(
                states, self._tensor(after), positives, self._tensor(drawn), negatives, own
            )
            return losses.mean()
        allowed = self._tensor(_not_owned(matrix, inside, drawn))
        return bce_loss(states, positives, negatives.view(*drawn.shape, -1), allowed)

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.network.items.weight.device)

    def _drawn(self, targets: int) -> NDArray[np.int64]:
        """Items drawn evenly: distinct ones for the batch, or some for each target, or none."""
        size, count = len(self.scorer.popularity), self.settings.drawn
        if self.settings.loss == "bce":
            return self.rng.integers(0, size, (targets, count))
        return self.rng.choice(size, min(count, size), replace=False, shuffle=False)


def _history_before(matrix: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of rows [R, T + 1] which items may be told from the target behind each position, bool [R, T, T].

    Those up to the position, the target itself left out; of an item that is there twice, both.
    """
    before, after = matrix[:, :-1], matrix[:, 1:]
    earlier = np.tril(np.ones((before.shape[1],) * 2, dtype=bool))
    return np.asarray(earlier & (before[:, None, :] != after[:, :, None]))


def _not_owned(
    matrix: NDArray[np.int64], inside: NDArray[np.bool_], drawn: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which drawn items are not in the row of their target, bool [P, n]."""
    owners = np.nonzero(inside)[0]
    real = np.concatenate([np.ones((len(inside), 1), dtype=bool), inside], axis=1)
    owned = np.where(real, matrix, -1)[owners]
    return np.asarray((owned[:, :, None] != drawn[:, None, :]).all(axis=1))
