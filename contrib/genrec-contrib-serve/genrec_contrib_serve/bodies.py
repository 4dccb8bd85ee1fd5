"""What clients send and get, as the OpenAPI page documents it. Unknown keys are mistakes, and refused."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)

Value = StrictStr | StrictBool | StrictInt | StrictFloat
_Name = Annotated[str, Field(strict=True, min_length=1, max_length=1000)]
MESSAGE = 2000
"""Characters of a wish."""


class RecommendRequest(BaseModel):
    """A user to recommend to: what they chose before, and what they wish."""

    model_config = ConfigDict(extra="forbid", strict=True)

    history: list[_Name] | None = Field(
        None, description="Items in time order: each an id, or the title that one item alone has.",
        examples=[["i12", "i40"]],
    )  # fmt: skip
    user: _Name | None = Field(
        None,
        description="Who it is for. Of a user of the run's data the history is known, unless one is given.",
    )
    k: int = Field(10, ge=1, description="How many items.")
    message: str = Field("", max_length=MESSAGE, description="What the user wishes, in words.")
    exclude: list[_Name] = Field(default=[], description="Items that must not be recommended.")
    exclude_viewed: bool | None = Field(
        None, description="Leave items of the history out; by default as the run was evaluated."
    )
    only_items: list[_Name] | None = Field(None, description="Only these items may be recommended.")
    only: dict[_Name, Value | list[Value]] = Field(
        default={},
        description="Only items with these values: in every field named, one of its values.",
        examples=[{"category": ["tents", "lamps"], "stock": True}],
    )
    domain: str = Field("", max_length=200, description="Of the next item, in data of several domains.")
    why: bool = Field(True, description="Name the nearest items of the history, where there is no thought.")
    explain: bool = Field(False, description="Add the beams that led to the items, and the nearest items.")

    @model_validator(mode="after")
    def _somebody(self) -> RecommendRequest:
        if self.history is None and self.user is None and not self.message:
            raise ValueError("give `history` (an empty list is allowed), a `user` or a `message`")
        return self


class RecommendRequests(BaseModel):
    """Several users at once."""

    model_config = ConfigDict(extra="forbid", strict=True)

    requests: list[RecommendRequest] = Field(min_length=1, description="Answered in this order.")


class ReloadRequest(BaseModel):
    """Which run to serve from now on."""

    model_config = ConfigDict(extra="forbid", strict=True)

    run: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$",
        description="A run folder beside the served one, by name; by default the RUN that the server was "
        "started with, looked up again.",
    )


class ItemEntry(BaseModel):
    """An item."""

    item: str = Field(description="Its id.")
    title: str


class NearItemEntry(ItemEntry):
    """An item of the history beside a recommended one."""

    both: int = Field(description="Training users who had both.")
    alike: int = Field(description="Tokens at the beginning that both identifiers share.")


class ReasonEntry(BaseModel):
    """What the data says beside the model; the model itself has no reason but its beams."""

    near: list[NearItemEntry] = Field(description="The nearest items of the history, nearest first.")


class RecommendedItem(ItemEntry):
    """An item in its place."""

    score: float = Field(description="Log-probability under the model; comparable inside one answer.")
    how: str = Field(
        description="How it was reached: `direct` (its identifier was written), `structural` or `popular`."
    )
    identifier: str = Field(description="How the model calls it.")
    fields: dict[str, Any]
    why: ReasonEntry | None = None


class BeamEntry(BaseModel):
    """One identifier that was written."""

    tokens: list[str]
    score: float
    items: list[str] = Field(description="Ids of the items it reaches.")


class Versions(BaseModel):
    """What answered."""

    run: str
    model: str = Field(description="Beginning of the fingerprint of the stage that left the model.")
    identifiers: str = Field(description="Beginning of the digest of the identifiers.")


class Timing(BaseModel):
    """Milliseconds."""

    queued: float = Field(description="Before the model began.")
    model: float = Field(description="Of the batch that the request was in.")
    batch: int = Field(description="Requests of that batch.")


class Recommended(BaseModel):
    """An answer."""

    request_id: str
    made_by: str = Field(
        description="`plain`; `think-ahead`, where a prepared thought was finished; `cold`, where nothing is "
        "known of the user: the most popular items, scores are counts."
    )
    items: list[RecommendedItem]
    note: str = Field("", description="Why there are fewer than `k` items.")
    history: list[ItemEntry] = Field(description="What was understood, newest last.")
    thought: str = Field("", description="What the model thought before it answered.")
    beams: list[BeamEntry] | None = None
    versions: Versions
    ms: Timing


class RequestError(BaseModel):
    """What is wrong with one request of a batch."""

    error: dict[str, str]


class RecommendedTogether(BaseModel):
    """Answers in the order of the requests; what could not be answered says why in its place."""

    answers: list[Recommended | RequestError]


class ErrorBody(BaseModel):
    """What is wrong, and what to do."""

    request_id: str
    error: dict[str, str] = Field(description="`message`, and where it is known `where` and `hint`.")
