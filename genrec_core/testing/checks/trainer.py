"""What a trainer promises: it moves the model, the same way every time, also after an interruption.

The component is trained on a tiny model and the toy catalogue. A trainer that needs options to be quick gets
them from its contract test.
"""

from __future__ import annotations

import math

from genrec_core.contracts.trainer import Trained
from genrec_core.testing.subject import Subject
from genrec_core.testing.tiny_model import tiny_model, weights_digest
from genrec_core.testing.toy import toy_catalogue, toy_training
from genrec_core.testing.verdicts import require

TASK = {"use": "core/next-item"}


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
    untouched = weights_digest(tiny_model(toy_catalogue(), subject.builder))
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


def resumes_to_the_same_result(subject: Subject) -> None:
    """Run again in the workspace of a finished training, it gives the same weights."""
    first = _digests(subject, "again")
    require(_digests(subject, "again") == first, "a second run in the same workspace gave different weights")


def _train(subject: Subject, folder: str = "train") -> Trained:
    """One training, remembered by folder; the folder `again` is always run."""
    key = f"trained in {folder}"
    if key not in subject.made or folder == "again":
        changes = {} if "corpora" in subject.options else {"corpora": [TASK]}
        subject.made[key] = subject.component(**changes).train(
            {slot: tiny_model(toy_catalogue(), subject.builder) for slot in subject.component().slots},
            toy_catalogue(),
            toy_training(),
            subject.context(folder),
        )
    trained: Trained = subject.made[key]
    return trained


def _digests(subject: Subject, folder: str = "train") -> dict[str, str]:
    return {slot: weights_digest(model) for slot, model in _train(subject, folder).models.items()}


CHECKS = (
    gives_a_trained_model,
    moves_the_model,
    gives_finite_curves,
    agrees_with_itself,
    resumes_to_the_same_result,
)
