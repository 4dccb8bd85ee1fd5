import pytest

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items


@pytest.fixture(scope="session")
def catalogue():
    titles = ["red tent", "blue tent", "green lamp", "red lamp", "deep blue kettle", "tent with lamp"]
    tokens = [(f"<a_{i % 2}>", f"<b_{i % 3}>") for i in range(6)]
    new = ("<a_0>", "<a_1>", "<b_0>", "<b_1>", "<b_2>", "<b_3>")
    return Catalogue(Items(tuple("abcdef"), {"title": titles}), Identifiers.of(tokens, new_tokens=new))
