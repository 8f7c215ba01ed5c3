"""What the GETs of brands, categories, warehouses, shipping rules and staff answer. Amounts in paise."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from app.models.words import BANNER_LINKS, COLLECTION_SORTS


class AdminBrand(BaseModel):
    """A brand. ``version`` is the ETag."""

    id: UUID
    slug: str
    name: str
    is_active: bool
    version: int


class AdminCategory(BaseModel):
    """A category. ``version`` is the ETag."""

    id: UUID
    slug: str
    name: str
    parent: str | None
    description: str | None
    image_url: str | None
    sort_order: int
    is_active: bool
    version: int


class AdminWarehouse(BaseModel):
    """A warehouse. ``version`` is the ETag."""

    id: UUID
    code: str
    name: str
    state_code: str
    pincode: str
    priority: int
    is_active: bool
    version: int


class AdminRule(BaseModel):
    """A shipping rule. ``version`` is the ETag."""

    id: UUID
    name: str
    priority: int
    pincode_prefix: str | None
    state_code: str | None
    min_subtotal: int
    is_serviceable: bool
    cod_allowed: bool
    charge: int
    tax_rate_bp: int
    is_active: bool
    version: int


class AdminBanner(BaseModel):
    """A banner of the home page; `link` is a slug, or an address. ``version`` is the ETag."""

    id: UUID
    slug: str
    title: str
    alt_text: str
    image_url: str
    mobile_image_url: str | None
    link_kind: Literal[BANNER_LINKS]  # type: ignore[valid-type]
    link: str
    sort_order: int
    starts_at: datetime | None
    ends_at: datetime | None
    is_active: bool
    is_current: bool = Field(description="Active, and within its window now.")
    version: int


class AdminCollection(BaseModel):
    """A collection: `products` that were picked, or what `category` and `brand` have. ``version`` is the ETag."""

    id: UUID
    slug: str
    name: str
    description: str | None
    image_url: str | None
    products: list[str]
    category: str | None
    brand: str | None
    sort: Literal[COLLECTION_SORTS] | None  # type: ignore[valid-type]
    sort_order: int
    starts_at: datetime | None
    ends_at: datetime | None
    is_active: bool
    is_current: bool = Field(description="Active, and within its window now.")
    version: int


class AdminSynonym(BaseModel):
    """A word of shoppers, and the catalog's words for it. ``version`` is the ETag."""

    id: UUID
    word: str
    means: list[str]
    version: int


class AdminStaff(BaseModel):
    """Somebody who works for the store."""

    user_id: UUID
    phone: str | None
    full_name: str | None
    role: str
    is_active: bool
    created_at: datetime
    updated_at: datetime


class AdminBrandList(BaseModel):
    """A page of brands."""

    items: list[AdminBrand]
    next_cursor: str | None


class AdminCategoryList(BaseModel):
    """A page of categories."""

    items: list[AdminCategory]
    next_cursor: str | None


class AdminWarehouseList(BaseModel):
    """A page of warehouses."""

    items: list[AdminWarehouse]
    next_cursor: str | None


class AdminRuleList(BaseModel):
    """A page of shipping rules."""

    items: list[AdminRule]
    next_cursor: str | None


class AdminStaffList(BaseModel):
    """A page of staff."""

    items: list[AdminStaff]
    next_cursor: str | None


class AdminBannerList(BaseModel):
    """A page of banners."""

    items: list[AdminBanner]
    next_cursor: str | None


class AdminCollectionList(BaseModel):
    """A page of collections."""

    items: list[AdminCollection]
    next_cursor: str | None


class AdminSynonymList(BaseModel):
    """A page of synonyms."""

    items: list[AdminSynonym]
    next_cursor: str | None
