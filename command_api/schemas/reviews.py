"""Bodies and answers of reviews. Their texts are plain: whoever shows them as HTML escapes them."""

import unicodedata
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.models.words import REVIEW_STATUSES
from command_api.schemas.base import Body, Line, one_line

Status = Literal[REVIEW_STATUSES]  # type: ignore[valid-type]


def lines(text: str) -> str:
    """``text`` if it is lines of printable characters. Raises ValueError, as for NUL, which no column can hold."""
    for line in text.split("\n"):
        if any(unicodedata.category(character) in {"Cc", "Cs"} for character in line.replace("\t", " ")):
            raise ValueError("must be lines of printable text")
    return text


Title = Annotated[str, StringConstraints(strip_whitespace=True, max_length=120), AfterValidator(one_line)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=5000), AfterValidator(lines)]


class ReviewBody(Body):
    """What a shopper says about a product: stars, and words if there are any."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"rating": 4, "title": "Holds its heat", "body": "Boils a litre in three minutes."}]
        }
    )

    rating: Annotated[int, Field(ge=1, le=5, strict=True)]
    title: Title = ""
    body: Words = ""


class Moderation(Body):
    """Shown from now on, or not: then the author reads the reason."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"decision": "reject", "reason": "Names a person."}]})

    decision: Literal["publish", "reject"]
    reason: Line | None = None

    @model_validator(mode="after")
    def _rejections_have_reasons(self) -> Self:
        if (self.decision == "reject") != (self.reason is not None):
            raise ValueError("reason goes with the decision reject, and only with it")
        return self


class Review(BaseModel):
    """A review as it is now; `version` is its ETag. `pending`: nobody sees it yet; `reason`: why it was rejected."""

    id: UUID
    product: str
    rating: int
    title: str
    body: str
    status: Status
    reason: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    changed: bool
