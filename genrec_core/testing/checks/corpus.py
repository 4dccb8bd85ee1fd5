"""What a corpus promises: samples that point at items, the same every time, with no answer in the prompt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.samples import IDENTIFIER, History, ItemRef, Sample, Segment, Text, UserRef
from genrec_core.contracts.views import Request, View
from genrec_core.testing.subject import Subject, snapshot
from genrec_core.testing.toy import toy_catalogue, toy_views
from genrec_core.testing.verdicts import NotApplicable, require


def gives_samples(subject: Subject) -> None:
    """A training view gives at least one sample, and each is a `Sample` with a weight that counts."""
    samples = _samples(subject, toy_views().train)
    require(samples, "the toy training view gave no sample")
    for sample in samples:
        require(isinstance(sample, Sample), f"`samples` gave {type(sample).__name__}, not Sample")
        require(sample.weight > 0, f"a sample weighs {sample.weight}; leave out what should not count")


def gives_something_to_learn(subject: Subject) -> None:
    """Every sample has a segment with `learn=True`."""
    idle = [sample for sample in _samples(subject, toy_views().train) if not _learnt(sample)]
    require(not idle, f"{len(idle)} samples have nothing to learn, first {idle[:1]}")


def points_at_items_that_exist(subject: Subject) -> None:
    """Item references are indices into the catalogue, forms are `identifier` or an item field."""
    catalogue = toy_catalogue()
    for sample in _samples(subject, toy_views().train):
        for item, form in _mentions(sample.segments):
            require(0 <= item < len(catalogue.items), f"a sample points at item {item}")
            require(form == IDENTIFIER or form in catalogue.items.fields, f"items have no field `{form}`")
        known = sample.target is None or 0 <= sample.target < len(catalogue.items)
        require(known, f"a sample's target is item {sample.target}")


def agrees_with_itself(subject: Subject) -> None:
    """The order and content of samples depend only on the arguments."""
    view = toy_views().train
    require(_samples(subject, view) == _samples(subject, view), "two passes gave different samples")


def does_not_spell_identifiers(subject: Subject) -> None:
    """Samples point at items instead of spelling them, so they fit every version of the identifiers."""
    view = toy_views().train
    same = _samples(subject, view) == _samples(subject, view, toy_catalogue(mirrored=True))
    require(same, "samples changed with the identifiers: use `ItemRef` and `History`, not text")


def leaves_its_inputs_alone(subject: Subject) -> None:
    """Building samples changes neither the view nor the catalogue."""
    view, catalogue = toy_views().train, toy_catalogue()
    values, fields = snapshot(view.rows.values, dict(catalogue.items.fields))
    list(subject.component().samples(view, catalogue, subject.context()))
    require((view.rows.values == values).all(), "`samples` changed the view")
    require(dict(catalogue.items.fields) == fields, "`samples` changed the items")


def prompts_as_it_trains(subject: Subject) -> None:
    """`prompt(request)` is the training sample of the same history, up to its first learnt segment."""
    _must_recommend(subject)
    view, catalogue = toy_views().valid, toy_catalogue()
    trained = {(_prompt(sample), sample.answer_form) for sample in _samples(subject, view)}
    for request in view.requests():
        sample = _asked(subject, request, catalogue)
        require(not _learnt(sample), "`prompt` contains a segment to learn: that is the answer")
        same = (sample.segments, sample.answer_form) in trained
        require(same, f"no training sample begins like the prompt for history {request.history}")


def does_not_leak_the_target(subject: Subject) -> None:
    """A unique word put into the target's fields is in no prompt, and no prompt points at the target."""
    from genrec_core.data.canary import with_canary

    _must_recommend(subject)
    for row in range(4):
        view = _only_row(toy_views().valid, row)
        target = next(view.examples()).target
        plain = toy_catalogue()
        marked, word = with_canary(plain.items, [target])
        catalogue = Catalogue(marked, plain.identifiers, plain.popularity)
        prompts = [_asked(subject, request, catalogue).segments for request in view.requests()]
        own = [s for s in _samples(subject, view, catalogue) if s.target == target]
        for segments in [*prompts, *(_prompt(sample) for sample in own)]:
            require(word not in _spelled(segments, catalogue), "the target's text stands in its own prompt")
            pointed = any(item == target for item, _ in _mentions(segments))
            require(not pointed, f"a prompt points at its own target, item {target}")


def _samples(subject: Subject, view: View, catalogue: Catalogue | None = None) -> list[Sample]:
    return list(subject.component().samples(view, catalogue or toy_catalogue(), subject.context()))


def _asked(subject: Subject, request: Request, catalogue: Catalogue) -> Sample:
    sample: Sample = subject.component().prompt(request, catalogue, subject.context())
    return sample


def _must_recommend(subject: Subject) -> None:
    if not subject.overrides("prompt"):
        raise NotApplicable("is no recommendation task (no `prompt`)")


def _learnt(sample: Sample) -> bool:
    return any(segment.learn for segment in sample.segments)


def _prompt(sample: Sample) -> tuple[Segment, ...]:
    first = next((n for n, segment in enumerate(sample.segments) if segment.learn), len(sample.segments))
    return sample.segments[:first]


def _mentions(segments: Iterable[Segment]) -> Iterable[tuple[int, str]]:
    for segment in segments:
        if isinstance(segment, ItemRef):
            yield segment.item, segment.form
        elif isinstance(segment, History):
            forms = (segment.form, segment.field) if segment.field else (segment.form,)
            yield from ((item, form) for item in segment.items for form in forms)


def _spelled(segments: Iterable[Segment], catalogue: Catalogue) -> str:
    """All that a prompt could show, in no particular layout."""
    parts = []
    for segment in segments:
        if isinstance(segment, Text):
            parts.append(segment.text)
        elif isinstance(segment, UserRef):
            parts.append(segment.user)
        else:
            parts += [catalogue.write(item, form) for item, form in _mentions([segment])]
    return "\n".join(parts)


def _only_row(view: View, row: int) -> View:
    assert view.targets is not None
    rows = Sequences.of([view.rows.row(row)])
    return View(view.name, view.users[row : row + 1], rows, view.targets[row : row + 1], view.max_history)


def result(subject: Subject) -> Any:
    """Samples of the training view."""
    return _samples(subject, toy_views().train)


CHECKS = (
    gives_samples,
    gives_something_to_learn,
    points_at_items_that_exist,
    agrees_with_itself,
    does_not_spell_identifiers,
    leaves_its_inputs_alone,
    prompts_as_it_trains,
    does_not_leak_the_target,
)
