"""The contract kit on this plugin's one component, and what it promises beyond that."""

from typing import ClassVar

from genrec_plugin_title_words import TitleWords

from genrec_core import Context
from genrec_core.testing.contracts import TokenizerContract
from genrec_core.testing.toy import toy_items, toy_views


class TestTitleWords(TokenizerContract):
    component = TitleWords
    options: ClassVar = {"words": 3}


def test_items_with_the_same_first_words_are_numbered():
    identifiers = TitleWords(words=1).fit(toy_items(), toy_views().train, Context())
    assert identifiers.text(0) == "red"
    assert identifiers.text(6) == "red 2"
    assert len(identifiers.distinct()) == len(identifiers)
