"""What a baseline promises: learnt once as plain arrays, one well-formed ranking a request, by that alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.baseline import Fitted
from genrec_core.contracts.candidates import Ranked
from genrec_core.contracts.items import Items
from genrec_core.store.content import load_arrays, save_arrays
from genrec_core.testing.checks.rankings import require_well_formed, same
from genrec_core.testing.subject import Subject, snapshot
from genrec_core.testing.toy import toy_items, toy_training, toy_views
from genrec_core.testing.verdicts import require

K = 5
_CLOSE = 1e-4
"""Largest difference between two scores of one item, as a share of the largest score."""


def learns_plain_arrays(subject: Subject) -> None:
    """What was learnt is numeric arrays by name, kept in the store without pickle."""
    odd = [name for name, array in _fitted(subject).items() if np.asarray(array).dtype.kind not in "biuf"]
    require(not odd, f"`fit` gave arrays that are not numeric: {', '.join(odd)}")


def scores_every_item(subject: Subject) -> None:
    """`scores` gives finite float32 [requests, N], and [0, N] for no request."""
    scores = _scores(subject)
    wanted = (len(toy_views().test), len(toy_items()))
    require(scores.shape == wanted, f"scores must be {wanted}, are {scores.shape}")
    require(scores.dtype == np.float32, f"scores must be float32, are {scores.dtype}")
    require(bool(np.isfinite(scores).all()), "a score is not finite")
    none = _scores(subject, rows=slice(0)).shape
    require(none == (0, len(toy_items())), f"no request gave scores {none}")


def ranks_by_its_scores(subject: Subject) -> None:
    """`rank` and `scores` agree: the best k, equal scores by item index."""
    for row, ranked in zip(_scores(subject), _rank(subject), strict=True):
        wanted = np.argsort(-row, kind="stable")[:K]
        gap = np.abs(row[wanted] - row[ranked.items]).max(initial=0.0)
        close = gap <= _CLOSE * max(1.0, float(np.abs(row).max()))
        require(close, f"ranked {ranked.items.tolist()}, the best scores are of {wanted.tolist()}")


def scores_by_what_was_learnt_alone(subject: Subject) -> None:
    """Saved, loaded and given to a fresh component, what was learnt gives the same scores; none is kept."""
    component = subject.component()
    before = set(vars(component))
    state = component.fit(toy_items(), toy_training(), subject.context("fit"))
    kept = snapshot(dict(state))[0]
    first = _scores(subject, state)
    grown = sorted(set(vars(component)) - before)
    require(not grown, f"the component keeps {', '.join(grown)}; what is learnt must be what `fit` gives")
    require(all(np.array_equal(kept[name], state[name]) for name in kept), "scoring changed what was learnt")
    save_arrays(subject.workspace / "fitted.safetensors", state)
    loaded, _ = load_arrays(subject.workspace / "fitted.safetensors")
    require(np.array_equal(_scores(subject, loaded), first), "what was learnt scores otherwise later")


def scores_each_request_alone(subject: Subject) -> None:
    """The scores of a request do not depend on the requests beside it."""
    alone, together = _scores(subject, rows=slice(3, 4))[0], _scores(subject)[3]
    gap = float(np.abs(alone - together).max())
    require(gap <= _CLOSE * max(1.0, float(np.abs(together).max())), f"a score moved by {gap:.2g}")


def scores_items_that_came_later(subject: Subject) -> None:
    """A catalogue with an item more, behind the others, is scored too, and the others as before."""
    items, state = toy_items(), _fitted(subject)
    longer = Items((*items.ids, "new"), {name: [*column, column[0]] for name, column in items.fields.items()})
    wide = _scores(subject, state, items=longer)
    require(wide.shape[1] == len(items) + 1, f"{len(items) + 1} items gave scores {wide.shape}")
    require(bool(np.isfinite(wide).all()), "the score of a new item is not finite")
    gap = float(np.abs(wide[:, :-1] - _scores(subject, state)).max())
    require(gap <= _CLOSE * max(1.0, float(np.abs(wide).max())), f"a new item moved a score by {gap:.2g}")


def tells_its_exceptions(subject: Subject) -> None:
    """`exceptions`, where there are any, are the `logits` up to a constant of each request."""
    state, requests = _fitted(subject), list(toy_views().test.requests())
    with subject.component().open(state, toy_items(), subject.context("rank")) as session:
        few, logits = session.exceptions(requests), session.logits(requests).astype(np.float64)
    if few is None:
        return
    told = np.zeros_like(logits)
    np.add.at(told, (few.rows, few.items), few.logits)
    left = logits - told
    gap = float((left.max(axis=1) - left.min(axis=1)).max())
    close = gap <= _CLOSE * max(1.0, float(np.abs(logits).max()))
    require(close, f"a logit differs by {gap:.2g} from what `exceptions` tell")


def answers_empty_histories(subject: Subject) -> None:
    """A request without a history gets a full ranking."""
    state, context = _fitted(subject), subject.context("rank")
    request = replace(next(iter(toy_views().test.requests())), history=())
    with subject.component().open(state, toy_items(), context) as session:
        ranked = list(session.rank([request], K))
    require(len(ranked) == 1 and len(ranked[0].items) == K, "an empty history got no full ranking")


def leaves_out_what_is_excluded(subject: Subject) -> None:
    """Items that a request does not allow are in no ranking, and the others are ranked as before."""
    state, request = _fitted(subject), next(iter(toy_views().test.requests()))
    with subject.component().open(state, toy_items(), subject.context("rank")) as session:
        whole = next(iter(session.rank([request], 100))).items.tolist()
        excluded = tuple(whole[:2])
        left = next(iter(session.rank([replace(request, exclude=excluded)], 100))).items.tolist()
        only = replace(request, exclude=excluded, only=frozenset(whole[1::2]))
        some = next(iter(session.rank([only], 100))).items.tolist()
    require(left == whole[2:], f"without {list(excluded)}, ranked {left[:5]} instead of {whole[2:7]}")
    require(some == whole[3::2], f"of every other item, ranked {some[:5]} instead of {whole[3:13:2]}")


def answers_every_request(subject: Subject) -> None:
    """There is one ranking a request, in order."""
    requests = len(toy_views().test)
    found = len(_rank(subject))
    require(found == requests, f"{requests} requests got {found} rankings")


def ranks_distinct_items(subject: Subject) -> None:
    """Rankings are distinct items of the catalogue, best first."""
    for ranked in _rank(subject):
        require_well_formed(ranked, len(toy_items()))


def gives_as_many_as_asked(subject: Subject) -> None:
    """There are k items, fewer only when the catalogue has fewer."""
    short = [len(ranked.items) for ranked in _rank(subject) if len(ranked.items) != K]
    require(not short, f"asked for {K} items, gave {short[:3]}")
    every = _rank(subject, k=100)
    wrong = [len(ranked.items) for ranked in every if len(ranked.items) != len(toy_items())]
    require(not wrong, f"asked for more items than there are, gave {wrong[:3]} of {len(toy_items())}")


def agrees_with_itself(subject: Subject) -> None:
    """The same data and seed give the same rankings."""
    again = subject.component().fit(toy_items(), toy_training(), subject.context("again"))
    pairs = zip(_rank(subject), _rank(subject, state=again), strict=True)
    require(all(same(one, other) for one, other in pairs), "two rankings of the same requests differ")


def _fitted(subject: Subject) -> Fitted:
    if "fitted" not in subject.made:
        context = subject.context("fit")
        subject.made["fitted"] = subject.component().fit(toy_items(), toy_training(), context)
    state: Fitted = subject.made["fitted"]
    return state


def _scores(
    subject: Subject,
    state: Fitted | None = None,
    rows: slice = slice(None),
    items: Items | None = None,
) -> NDArray[np.float32]:
    state = _fitted(subject) if state is None else state
    requests = list(toy_views().test.requests())[rows]
    with subject.component().open(state, items or toy_items(), subject.context("rank")) as session:
        scores: NDArray[np.float32] = session.scores(requests)
    return scores


def _rank(subject: Subject, k: int = K, state: Fitted | None = None) -> list[Ranked]:
    state = _fitted(subject) if state is None else state
    requests = list(toy_views().test.requests())
    with subject.component().open(state, toy_items(), subject.context("rank")) as session:
        return list(session.rank(requests, k))


def result(subject: Subject) -> Any:
    """Scores of every item for every request."""
    return _scores(subject)


CHECKS = (
    learns_plain_arrays,
    scores_every_item,
    ranks_by_its_scores,
    scores_by_what_was_learnt_alone,
    scores_each_request_alone,
    scores_items_that_came_later,
    tells_its_exceptions,
    answers_empty_histories,
    leaves_out_what_is_excluded,
    answers_every_request,
    ranks_distinct_items,
    gives_as_many_as_asked,
    agrees_with_itself,
)
