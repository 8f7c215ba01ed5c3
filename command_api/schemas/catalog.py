"""Bodies and answers of the catalog's and the store's settings, by staff. Amounts are paise."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from app.utils.html import LONGEST_HTML, clean_html
from app.utils.states import StateCode
from app.utils.times import Moment
from command_api.schemas.base import Body, Line, Name, Slug
from command_api.schemas.inventory import Sku

MAX_PRICE = 10_000_000_000  # ₹ 10 crore
MAX_VARIANTS = 500
MAX_IMAGES = 100
Price = Annotated[int, Field(gt=0, le=MAX_PRICE, description="Paise, GST included.")]
Charge = Annotated[int, Field(ge=0, le=MAX_PRICE, description="Paise.")]
SortOrder = Annotated[int, Field(ge=0, le=1_000_000, description="Lower comes first.")]
Text = Annotated[str, StringConstraints(max_length=200_000, pattern=r"^[^\x00]*$")]
Html = Annotated[
    str,
    StringConstraints(max_length=LONGEST_HTML, pattern=r"^[^\x00]*$"),
    AfterValidator(clean_html),
    Field(
        description="HTML. What could act (scripts, handlers, `javascript:`, styles) is taken out; the answer has what"
        " is kept. docs/operations/merchandising.md lists the tags."
    ),
]
Url = Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[\x21-\x7e]+$")]
Pincode = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{5}$")]
AttributeValue = Line | int | float | bool | Annotated[list[Line], Field(max_length=50)]
Status = Literal["draft", "active", "archived"]
StaffRole = Literal["owner", "catalog", "inventory", "orders", "support", "finance", "read_only"]


class BrandBody(Body):
    """All that is said about a brand."""

    name: Name
    is_active: bool = True


class CategoryBody(Body):
    """All that is said about a category; another `parent` moves it with everything below it."""

    name: Name
    parent: Slug | None = None
    description: Text | None = None
    image_url: Url | None = None
    sort_order: SortOrder = 0
    is_active: bool = True


class ImageBody(Body):
    """A picture of the product, or of one of its variants."""

    url: Url
    alt_text: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")] = ""
    variant_sku: Sku | None = None


class VariantBody(Body):
    """What is put in a cart. `option_values` has one value for each of the product's `options`."""

    sku: Sku
    title: Line | None = None
    option_values: list[Line] = Field(default_factory=list, max_length=3)
    price: Price
    mrp: Price | None = Field(default=None, description="Paise; the price, if it is not said.")
    tax_class: Annotated[str, StringConstraints(min_length=1, max_length=40)] = Field(examples=["gst-5"])
    hsn_code: Annotated[str, StringConstraints(pattern=r"^[0-9]{4,8}$")] | None = None
    barcode: Line | None = None
    weight_grams: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    max_per_order: Annotated[int, Field(ge=1, le=100_000)] | None = None
    is_active: bool = True

    @model_validator(mode="after")
    def _mrp_not_below_price(self) -> "VariantBody":
        if self.mrp is not None and self.mrp < self.price:
            raise ValueError("mrp must not be below price")
        return self


class ProductBody(Body):
    """All that is said about a product. Variants that it no longer names go off sale; they are never deleted."""

    title: Line
    description_html: Html = ""
    brand: Slug | None = None
    category: Slug | None = None
    product_type: Line | None = None
    tags: list[Line] = Field(default_factory=list, max_length=100)
    attributes: dict[Line, AttributeValue] = Field(default_factory=dict, max_length=100)
    options: list[Line] = Field(default_factory=list, max_length=3)
    seo_title: Line | None = None
    seo_description: Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")] | None = None
    status: Status | None = Field(default=None, description="Stays as it is if it is not said; a new one is a draft.")
    published_at: Moment | None = None
    images: list[ImageBody] = Field(default_factory=list, max_length=MAX_IMAGES)
    variants: Annotated[list[VariantBody], Field(min_length=1, max_length=MAX_VARIANTS)]


class StatusBody(Body):
    """On sale (`active`, from `published_at` on if that is to come), not on sale, or put away."""

    status: Status
    published_at: Moment | None = None


class PriceBody(Body):
    """A price, now or from `effective_from` on. Without `mrp` the MRP stays."""

    price: Price
    mrp: Price | None = None
    effective_from: Moment | None = None
    reason: Line | None = None


class WarehouseBody(Body):
    """All that is said about a warehouse; of several, the lower `priority` is drawn from first."""

    name: Name
    state_code: StateCode
    pincode: Pincode
    priority: SortOrder = 100
    is_active: bool = True


class ShippingRuleBody(Body):
    """What delivery costs for addresses and carts that it fits; the first that fits, by `priority`, decides."""

    priority: SortOrder = 100
    pincode_prefix: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}$")] | None = None
    state_code: StateCode | None = None
    min_subtotal: Charge = 0
    is_serviceable: bool = True
    cod_allowed: bool = True
    charge: Charge = 0
    tax_rate_bp: Annotated[int, Field(ge=0, le=10_000, description="Basis points: 1800 is 18 %.")] = 1800
    is_active: bool = True


class StaffBody(Body):
    """The role somebody works in; `is_active` false ends it."""

    role: StaffRole
    is_active: bool = True


class Saved(BaseModel):
    """What every saved thing answers: whether it is new, whether it changed, and the version it has now."""

    id: UUID
    version: int
    created: bool
    changed: bool


class Brand(Saved):
    """A brand as it is now."""

    slug: str
    name: str
    is_active: bool


class Category(Saved):
    """A category as it is now."""

    slug: str
    name: str
    parent: str | None
    description: str | None
    image_url: str | None
    sort_order: int
    is_active: bool


class Image(BaseModel):
    """A picture."""

    url: str
    alt_text: str
    position: int
    variant_sku: str | None


class Variant(BaseModel):
    """A variant as it is now."""

    sku: str
    title: str
    option_values: list[str]
    price: int
    mrp: int
    tax_class: str
    hsn_code: str | None
    barcode: str | None
    weight_grams: int
    position: int
    max_per_order: int | None
    is_active: bool


class Product(BaseModel):
    """A product as it is now, with all its variants, those off sale too."""

    id: UUID
    slug: str
    title: str
    description_html: str
    brand: str | None
    category: str | None
    product_type: str | None
    tags: list[str]
    attributes: dict[str, object]
    options: list[str]
    seo_title: str | None
    seo_description: str | None
    status: str
    published_at: datetime | None
    images: list[Image]
    variants: list[Variant]
    version: int
    created: bool = False
    changed: bool


class PriceChange(BaseModel):
    """The price a SKU has, or will have; `id` is that of its row in the list of prices, null where nothing changed."""

    id: int | None = None
    sku: str
    price: int
    mrp: int
    currency: str
    status: Literal["applied", "scheduled"]
    effective_from: datetime
    changed: bool


class Warehouse(Saved):
    """A warehouse as it is now."""

    code: str
    name: str
    state_code: str
    pincode: str
    priority: int
    is_active: bool


class ShippingRule(Saved):
    """A shipping rule as it is now."""

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


class StaffMember(BaseModel):
    """Somebody who works for the store."""

    user_id: UUID
    phone: str
    role: StaffRole
    is_active: bool
    created: bool
    changed: bool
