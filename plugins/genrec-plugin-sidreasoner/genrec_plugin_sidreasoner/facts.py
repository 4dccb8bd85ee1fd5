"""Facts: what a teacher says about an item, as a validated object.

{"description": "A tent for two.", "use_cases": ["camping"], "audiences": ["hikers"],
 "highlights": ["light"], "keywords": ["tent"]}
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from genrec_plugin_sidreasoner.asking import UnusableError

Entries = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=300)], ...], Field(min_length=1, max_length=12)
]


class ItemFacts(BaseModel):
    """What is known and follows about one item."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = Field(min_length=1, max_length=2000)
    use_cases: Entries
    audiences: Entries
    highlights: Entries
    keywords: Entries

    @field_validator("description", "use_cases", "audiences", "highlights", "keywords", mode="before")
    @classmethod
    def _one_line(cls, value: object) -> object:
        if isinstance(value, str):
            return " ".join(value.split())
        if isinstance(value, (list, tuple)):
            return tuple(" ".join(one.split()) if isinstance(one, str) else one for one in value)
        return value


def read_facts(text: str) -> ItemFacts:
    """The object in an answer; fences of code and words around it are ignored.

    Raises:
        UnusableError: there is no object, or it is not of this form.
    """
    begin, end = text.find("{"), text.rfind("}")
    if begin < 0 or end < begin:
        raise UnusableError("it holds no JSON object")
    try:
        return ItemFacts.model_validate_json(text[begin : end + 1])
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(map(str, wrong["loc"])) or "the object"
        raise UnusableError(f"`{place}`: {wrong['msg'].lower()}") from error
