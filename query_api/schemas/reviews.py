"""What the GETs about reviews answer. The texts are plain: whoever shows them as HTML escapes them."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from app.models.words import REVIEW_STATUSES

Status = Literal[REVIEW_STATUSES]  # type: ignore[valid-type]


class ShownReview(BaseModel):
    """A review as anybody reads it."""

    id: UUID
    rating: int
    title: str
    body: str
    author: str = Field(description="First name and initial; `Customer` for who has no name, or is gone.")
    created_at: datetime
    updated_at: datetime


class Histogram(BaseModel):
    """How many shown reviews give how many stars."""

    one: int = Field(alias="1")
    two: int = Field(alias="2")
    three: int = Field(alias="3")
    four: int = Field(alias="4")
    five: int = Field(alias="5")


class ReviewList(BaseModel):
    """A page of a product's reviews, and what all of them come to."""

    items: list[ShownReview]
    next_cursor: str | None
    rating: float = Field(description="The mean of all stars, to two places; 0 without any.")
    rating_count: int
    histogram: Histogram


class MyReview(BaseModel):
    """A review of the caller's own; `version` is what If-Match takes, `reason` why it was rejected."""

    id: UUID
    product: str
    product_title: str
    rating: int
    title: str
    body: str
    status: Status
    reason: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class MyReviewList(BaseModel):
    """A page of the caller's reviews."""

    items: list[MyReview]
    next_cursor: str | None


class AdminReview(MyReview):
    """A review as staff moderate it."""

    user_id: UUID
    author: str
    moderated_by: UUID | None
    moderated_at: datetime | None


class AdminReviewList(BaseModel):
    """A page of reviews."""

    items: list[AdminReview]
    next_cursor: str | None
