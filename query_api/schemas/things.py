"""What the GETs of brands, categories, warehouses, shipping rules and staff answer. Amounts in paise."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel


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
