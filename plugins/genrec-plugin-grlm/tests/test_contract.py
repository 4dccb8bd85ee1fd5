"""The contract kit on the tokenizer and the teacher of term generation."""

from typing import ClassVar

from genrec_plugin_grlm.extractive import Extractive
from genrec_plugin_grlm.terms import TermIDs

from genrec_core.testing.contracts import TeacherContract, TokenizerContract


class TestTermIDs(TokenizerContract):
    component = TermIDs


class TestTermIDsOfSevenWithoutContext(TokenizerContract):
    component = TermIDs
    options: ClassVar = {"terms": 7, "context": False, "unique": "replace-last"}


class TestTermIDsThatAreGivenInPart(TokenizerContract):
    component = TermIDs
    options: ClassVar = {"field": "tags", "terms": 2, "separator": " ", "malformed": "extract"}


class TestExtractive(TeacherContract):
    component = Extractive
