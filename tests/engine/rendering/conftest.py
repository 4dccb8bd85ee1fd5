import pytest

from genrec_core.builtin.tiny_backbones import TinyCausal
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items


@pytest.fixture(scope="session")
def catalogue():
    titles = [f"red tent number {i}" for i in range(8)]
    tokens = [(f"<a_{i % 4}>", f"<b_{i // 4}>") for i in range(8)]
    new = tuple(f"<{level}_{code}>" for level in "ab" for code in range(4))
    items = Items(tuple(map(str, range(8))), {"title": titles})
    return Catalogue(items, Identifiers.of(tokens, new_tokens=new))


@pytest.fixture
def model(catalogue):
    shape = {"hidden": 32, "layers": 1, "heads": 2, "intermediate": 48, "vocabulary": 300}
    return TinyCausal(**shape, device="cpu").build(catalogue, Context())
