"""The kit for pytest: subclass the class of your kind, say which component, and every check is a test.

    from genrec_core.testing.contracts import TokenizerContract

    class TestHashed(TokenizerContract):
        component = Hashed
        options = {"levels": 2}

Each check is an item of its own, a skip carries its reason, and the last item demands that enough checks ran.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from genrec_core.contracts.component import Component
from genrec_core.registry.discovery import load_plugins
from genrec_core.testing.checks import FLOOR, Check, checks_for
from genrec_core.testing.subject import Subject
from genrec_core.testing.verdicts import NotApplicable


class Contract:
    """Base of the contract classes; subclass one of those.

    Attributes:
        kind: what the component is; set by the contract class.
        component: the class under test.
        options: values as in a pipeline file, or components as in Python.
        may_ask: whether a teacher may be asked, which can cost money.
    """

    kind: ClassVar[str] = ""
    component: ClassVar[type[Component]]
    options: ClassVar[Mapping[str, Any]] = {}
    may_ask: ClassVar[bool] = False

    _made: ClassVar[dict[str, Any]]
    _ran: ClassVar[dict[str, bool]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._made, cls._ran = {}, {}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make a pytest item of every check of the kind."""
        if "check" in metafunc.fixturenames:
            checks = checks_for(self.kind)
            metafunc.parametrize("check", checks, ids=[check.__name__ for check in checks])

    def test_keeps_its_promise(self, check: Check, tmp_path: Path, record_property: Any) -> None:
        """One promise of the kind."""
        record_property("genrec", f"{self.kind} {self.component.__name__}")
        subject = Subject(
            self.kind, self.component, self.options, _installed(), tmp_path,
            made=self._made, may_ask=self.may_ask,
        )  # fmt: skip
        self._ran[check.__name__] = False
        try:
            check(subject)
        except NotApplicable as verdict:
            pytest.skip(str(verdict))
        self._ran[check.__name__] = True

    def test_enough_promises_were_tested(self) -> None:
        """A battery that skips nearly everything is not green."""
        selected, every = len(self._ran), len(checks_for(self.kind))
        if selected < every:
            pytest.skip(f"only {selected} of {every} checks were selected")
        ran = sum(self._ran.values())
        assert ran >= FLOOR[self.kind], (
            f"{ran} checks passed, a {self.kind} needs at least {FLOOR[self.kind]}"
        )


class SourceContract(Contract):
    """What a `Source` promises."""

    kind = "source"


class SplitContract(Contract):
    """What a `Split` promises."""

    kind = "split"


class EncoderContract(Contract):
    """What an `Encoder` promises."""

    kind = "encoder"


class TeacherContract(Contract):
    """What a `Teacher` promises; with `may_ask = True` it is asked, which must cost nothing."""

    kind = "teacher"


class TokenizerContract(Contract):
    """What a `Tokenizer` promises."""

    kind = "tokenizer"


class CorpusContract(Contract):
    """What a `Corpus` promises."""

    kind = "corpus"


class BackboneContract(Contract):
    """What a `Backbone` promises."""

    kind = "backbone"


class TrainerContract(Contract):
    """What a `Trainer` promises."""

    kind = "trainer"


class LossContract(Contract):
    """What a `Loss` promises."""

    kind = "loss"


class RewardContract(Contract):
    """What a `Reward` promises."""

    kind = "reward"


class RecommenderContract(Contract):
    """What a `Recommender` promises."""

    kind = "recommender"


class GrounderContract(Contract):
    """What a `Grounder` promises."""

    kind = "grounder"


class BaselineContract(Contract):
    """What a `Baseline` promises."""

    kind = "baseline"


class ObserverContract(Contract):
    """What an `Observer` promises."""

    kind = "observer"


def _installed() -> Any:
    """Every installed plugin's components, looked up anew: tests may install some."""
    return load_plugins()[0]
