"""What a trainer promises: it moves the model, the same way every time, also after an interruption.

The component is trained on a tiny model and the toy catalogue. A trainer that needs options to be quick gets
them from its contract test.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, cast

import numpy as np

from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.trainer import Trained, Trainer
from genrec_core.contracts.views import Training, View
from genrec_core.testing.subject import Subject
from genrec_core.testing.toy import toy_catalogue, toy_training
from genrec_core.testing.toy_model import model_digest, toy_model
from genrec_core.testing.verdicts import require

_TASK = {"use": "core/next-item"}


def gives_a_trained_model(subject: Subject) -> None:
    """`train` gives a `Trained` with the models it says it changes, of the family they were given in."""
    trained = _train(subject)
    require(isinstance(trained, Trained), f"`train` gave {type(trained).__name__}, not Trained")
    promised = set(subject.component().changed())
    require(set(trained.models) == promised, f"gave back {set(trained.models)}, and promises {promised}")
    for slot, model in trained.models.items():
        require(model.family == "causal", f"the causal model of `{slot}` came back as `{model.family}`")


def moves_the_model(subject: Subject) -> None:
    """Training changes the weights of every model that it gives back."""
    untouched = model_digest(toy_model(toy_catalogue(), subject.builder))
    still = [slot for slot, digest in _digests(subject).items() if digest == untouched]
    require(not still, f"models came back as they were given: {still}")


def gives_finite_curves(subject: Subject) -> None:
    """Curves are (step, value) pairs of finite numbers."""
    for name, points in _train(subject).curves.items():
        odd = [point for point in points if len(point) != 2 or not all(map(math.isfinite, point))]
        require(not odd, f"curve `{name}` has points that are not two finite numbers: {odd[:2]}")


def agrees_with_itself(subject: Subject) -> None:
    """The same seed gives the same weights, bit by bit, with a workspace or without."""
    first, second = _digests(subject), _digests(subject, "")
    require(first == second, "two trainings with the same seed gave different weights")


def trains_on_training_rows_alone(subject: Subject) -> None:
    """Validation rows are there to select by: each given twice, which moves no mean, changes no weight."""
    given = toy_training()
    doubled = replace(given, valid=_doubled(given.valid))
    trained, once = _trained(subject, doubled, subject.context("doubled")), _digests(subject)
    moved = [slot for slot, model in trained.models.items() if model_digest(model) != once[slot]]
    require(not moved, f"with each validation row given twice the weights differ, {moved}: it learns them")


def resumes_to_the_same_result(subject: Subject) -> None:
    """Run again in the workspace of a finished training, it gives the same weights."""
    first = _digests(subject, "again")
    require(_digests(subject, "again") == first, "a second run in the same workspace gave different weights")


def _train(subject: Subject, folder: str = "train") -> Trained:
    """One training, remembered by folder; the folder `again` is always run."""
    key = f"trained in {folder}"
    if key not in subject.made or folder == "again":
        subject.made[key] = _trained(subject, toy_training(), subject.context(folder))
    trained: Trained = subject.made[key]
    return trained


def _trained(subject: Subject, training: Training, context: Context) -> Trained:
    changes = {} if "corpora" in subject.options else {"corpora": [_TASK]}
    component = cast("Trainer", subject.component(**changes))
    models = {slot: toy_model(toy_catalogue(), subject.builder) for slot in component.slots}
    return component.train(models, toy_catalogue(), training, context)


def _doubled(view: View) -> View:
    """The view with each row twice."""
    assert view.targets is not None
    rows = [view.rows.row(row) for row in range(len(view.rows))]
    targets = np.concatenate([view.targets, view.targets])
    return replace(view, users=view.users * 2, rows=Sequences.of([*rows, *rows]), targets=targets)


def _digests(subject: Subject, folder: str = "train") -> dict[str, str]:
    return {slot: model_digest(model) for slot, model in _train(subject, folder).models.items()}


def result(subject: Subject) -> Any:
    """Hashes of the weights."""
    return _digests(subject)


CHECKS = (
    gives_a_trained_model,
    moves_the_model,
    gives_finite_curves,
    agrees_with_itself,
    trains_on_training_rows_alone,
    resumes_to_the_same_result,
)
