"""Names to components, and what is said when that fails."""

from __future__ import annotations

import pytest
from pydantic import Field

from genrec_core import Encoder, Options, Tokenizer
from genrec_core.contracts.errors import GenrecError, PluginError
from genrec_core.registry.problems import OptionsError
from genrec_core.registry.registry import KINDS, Registry


class Lengths(Encoder):
    class Options(Encoder.Options):
        dim: int = 2

    def encode(self, texts, state, context):
        raise NotImplementedError


class Inner(Options):
    depth: int = 1


class Numbered(Tokenizer):
    class Options(Tokenizer.Options):
        encoder: Encoder = Field(default={"use": "demo/lengths"}, validate_default=True)
        more: tuple[Encoder, ...] = ()
        levels: int = Field(default=3, ge=1)
        inner: Inner = Inner()

    def fit(self, items, train, context):
        raise NotImplementedError


class Unfinished(Tokenizer):
    pass


@pytest.fixture
def registry():
    registry = Registry("demo")
    registry.encoder("lengths", Lengths)
    registry.tokenizer("numbered", Numbered)
    registry.tokenizer("unfinished", Unfinished)
    registry.tokenizer("lazy", "tests.registry.test_registry:Nothing")
    registry.tokenizer("astray", "no_such_package.module:Class")
    registry.tokenizer("mislabelled", Lengths)
    return registry


def problems(registry, value, kind="tokenizer"):
    with pytest.raises(OptionsError) as caught:
        registry.build(kind, value)
    return caught.value.problems


def test_every_kind_has_a_method_of_its_name():
    registry = Registry("demo")
    for kind in KINDS:
        getattr(registry, kind)("thing", Lengths)
    assert sorted(entry.kind for entry in registry) == sorted(KINDS)


def test_a_block_becomes_a_component_with_its_nested_ones(registry):
    built = registry.build(
        "tokenizer", {"use": "demo/numbered", "levels": 4, "encoder": {"use": "demo/lengths", "dim": 9}}
    )
    assert built.name == "demo/numbered"
    assert (built.options.levels, built.options.encoder.options.dim) == (4, 9)


def test_a_name_alone_is_a_block_and_defaults_are_built_too(registry):
    built = registry.build("tokenizer", "demo/numbered")
    assert built.options.encoder.name == "demo/lengths"


def test_every_mistake_keeps_its_path_through_nested_components(registry):
    found = problems(
        registry,
        {
            "use": "demo/numbered",
            "levles": 2,
            "levels": 0,
            "encoder": {"use": "demo/lengths", "dims": 3},
            "more": ["demo/lengths", {"use": "demo/lengths", "dim": "x"}],
            "inner": {"dept": 2},
        },
    )
    assert {problem.path for problem in found} == {
        ("levles",), ("levels",), ("encoder", "dims"), ("more", 1, "dim"), ("inner", "dept"),
    }  # fmt: skip
    hints = {problem.path: problem.hint for problem in found}
    assert hints["levles",] == "did you mean `levels`?"
    assert hints["encoder", "dims"] == "did you mean `dim`?"
    assert hints["inner", "dept"] == "did you mean `depth`?"


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ("numbered", "`numbered` is no component", "did you mean `demo/numbered`?"),
        ("demo/numberd", "there is no tokenizer `demo/numberd`", "did you mean `demo/numbered`?"),
        ("demo/lengths", "`demo/lengths` is an encoder, but a tokenizer belongs here", ""),
        ("sid/rq", "needs the plugin `sid`, which is not installed", "pip install genrec-plugin-sid"),
        ("demo/unfinished", "does not implement `fit`", ""),
        ("demo/lazy", "cannot be loaded from `tests.registry.test_registry:Nothing`", "fault of the plugin"),
        ("demo/astray", "needs the module `no_such_package`", "reinstall plugin `demo`"),
        ("demo/mislabelled", "is registered as a tokenizer, but", "genrec_core.Tokenizer"),
        (7, "`7` is no tokenizer", "{use: plugin/name"),
        ({"levels": 3}, "does not say which one", "use: plugin/name"),
        ({"use": 3}, "`3` is no component name", "plugin/name"),
    ],
)
def test_what_cannot_be_built_is_told_with_a_way_out(registry, value, message, hint):
    (problem,) = problems(registry, value)
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize("name", ["Upper", "a/b", "../x", "", "-x"])
def test_component_names_are_plain(name):
    with pytest.raises(PluginError, match="no component name"):
        Registry("demo").tokenizer(name, Numbered)


def test_a_name_can_be_registered_once(registry):
    with pytest.raises(PluginError, match="`demo/numbered` is registered twice"):
        registry.tokenizer("numbered", Numbered)


def test_a_lazy_target_must_name_a_class():
    with pytest.raises(PluginError, match="does not say where a class is"):
        Registry("demo").tokenizer("x", "package.module")


def test_an_absent_plugin_is_the_reason(registry):
    registry.mark_absent("broken", "ImportError: boom")
    (problem,) = problems(registry, "broken/thing")
    assert "ImportError: boom" in problem.message


def test_adopting_refuses_a_name_that_is_taken(registry):
    other = Registry("demo")
    other.tokenizer("numbered", Numbered)
    with pytest.raises(GenrecError, match="registered twice"):
        registry.adopt(other)
