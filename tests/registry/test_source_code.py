"""A component's code: its own modules and those of its package that they import; none is imported for it."""

import sys
from pathlib import Path

import pytest

from genrec_core.contracts import source_code
from genrec_core.contracts.source_code import home_package, sources

FILES = {
    "__init__": "from acme_code.exported import THING\n",
    "exported": "EXPORTED = 1\n",
    "part": (
        "import numpy\nfrom typing import TYPE_CHECKING\nimport acme_code.named as named\n"
        "if TYPE_CHECKING:\n    from acme_code import typed\nelse:\n    from acme_code import otherwise\n"
        "def work():\n    try:\n        from .inner.deep import DEEP\n    except ImportError:\n"
        "        from acme_code import spare\n"
    ),
    "named": "NAMED = 1\n",
    "typed": "TYPED = 1\n",
    "otherwise": "OTHERWISE = 1\n",
    "spare": "from acme_code import part, unreadable\n",  # a circle
    "unreadable": "def (\n",
    "apart": "from acme_code import THING\n",
    "inner/__init__": "INNER = 1\n",
    "inner/deep": "from . import beside\nfrom ..upper import UPPER\nDEEP = 1\n",
    "inner/beside": "BESIDE = 1\n",
    "upper": "UPPER = 1",
    "unused": "UNUSED = 1\n",
}


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """A package, of which only what is asked for is imported."""
    for name, text in FILES.items():
        file = tmp_path / "acme_code" / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    (tmp_path / "acme_code" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield __import__("acme_code")
    for cached in (source_code.module_text, source_code._imports):
        cached.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme_code"]:
        del sys.modules[name]


def test_imports_are_followed_through_functions_relative_names_and_circles(acme):
    found = sources(["acme_code.part"], {"acme_code"})
    names = ("part", "inner/beside", "inner/deep", "named", "otherwise", "spare", "unreadable", "upper")
    assert found == [FILES[name] for name in names], "its own text first, then by name"
    assert [name for name in sys.modules if name.startswith("acme_code.")] == [], "nothing was imported"
    assert sources(["acme_code.part"], set()) == [FILES["part"]]


def test_what_a_package_hands_on_is_followed_through_it(acme):
    Path(acme.__file__).write_text(FILES["__init__"])
    assert sources(["acme_code.apart"], {"acme_code"}) == [
        FILES["apart"],
        FILES["__init__"],
        FILES["exported"],
    ]


def test_the_same_is_found_whatever_has_been_imported(acme):
    before = sources(["acme_code.inner.deep"], {"acme_code"})
    source_code.module_text.cache_clear()
    source_code._imports.cache_clear()
    import acme_code.inner.beside
    import acme_code.upper  # noqa: F401

    assert sources(["acme_code.inner.deep"], {"acme_code"}) == before


def test_a_module_without_source_has_none():
    assert sources(["builtins", "nowhere.at_all"], {"builtins", "nowhere"}) == []


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("genrec_plugin_sid.rq_kmeans", "genrec_plugin_sid"),
        ("one_file", "one_file"),
        ("genrec_core.builtin.beam", "genrec_core.builtin"),
        ("genrec_core.engine.decoding.decoder", ""),
        ("genrec_core.testing.toy", ""),
    ],
)
def test_the_engine_and_the_rest_of_the_core_are_no_helpers(module, package):
    assert home_package(module) == package
