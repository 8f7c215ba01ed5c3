"""What a product is to be when a file says some of it: the rest is as the store has it."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.catalog_import.definition import Product
from app.catalog_import.stored import Stored

Item = dict[str, Any]
_PAGE = (
    *("title", "description_html", "brand", "category", "product_type", "tags", "attributes", "options", "seo_title"),
    *("seo_description", "status", "published_at"),
)
_NOTHING: Item = {"description_html": "", "tags": [], "attributes": {}, "options": [], "status": "draft"}
_VARIANT = ("sku", "title", "option_values", "price", "mrp", "tax_class", "hsn_code", "barcode", "weight_grams")
_MORE = ("position", "max_per_order")


def merged(stored: Stored | None, product: Product) -> Item | None:
    """The whole definition for ``save_product``; None when it is what is stored already."""
    if stored is None:
        variants = [_normal({**product.variant_defaults, **_said(v)}, None) for v in _variants(product) or []]
        return {**product.defaults, **product.definition, "variants": variants} | {"images": _images(product) or []}
    page = {name: getattr(stored, name) for name in _PAGE} | {
        name: value for name, value in product.definition.items() if name in _PAGE
    }
    page["published_at"] = _instant(page["published_at"]) or stored.published_at
    variants, renamed = _merge_variants(stored, product)
    images = _merge_images(stored, product, renamed)
    if _same(stored, page, variants, images):
        return None
    published_at = None if page["published_at"] is None else page["published_at"].isoformat()
    return page | {"published_at": published_at, "variants": variants, "images": images}


def _variants(product: Product) -> list[Item] | None:
    return product.definition.get("variants")


def _images(product: Product) -> list[Item] | None:
    return product.definition.get("images")


def _said(variant: Mapping[str, Any]) -> Item:
    return {name: value for name, value in variant.items() if name != "sku_given"}


def _merge_variants(stored: Stored, product: Product) -> tuple[list[Item], dict[str, str]]:
    """The variants on sale, and by the file's SKU the SKU of those that are known by another one."""
    named = _variants(product)
    if named is None:
        return [_known(variant) for variant in stored.on_sale], {}
    by_sku = {variant["sku"]: variant for variant in stored.variants}
    by_options = {tuple(variant["option_values"]): variant for variant in stored.on_sale}
    found: list[Item] = []
    olds: list[Item | None] = []
    renamed: dict[str, str] = {}
    for said in named:
        old = by_sku.get(said["sku"])
        if old is None and not said.get("sku_given", True):
            # a variant that the file gives no SKU of is the one with its options
            old = by_options.get(tuple(said.get("option_values", ())))
        new = {**(product.variant_defaults if old is None else _known(old)), **_said(said)}
        if old is not None and old["sku"] != said["sku"]:
            new["sku"] = renamed[said["sku"]] = old["sku"]
        found.append(_normal(new, old))
        olds.append(old)
    _place(found, olds)
    if product.partial:
        here = {variant["sku"] for variant in found}
        found += [_known(variant) for variant in stored.on_sale if variant["sku"] not in here]
    return found, renamed


def _known(variant: Mapping[str, Any]) -> Item:
    """A stored variant as a definition has it: a title that only repeats the options follows them."""
    item = {name: variant[name] for name in _VARIANT + _MORE}
    if item["title"] == _plain_title(item["option_values"]):
        item["title"] = None
    return item


def _normal(variant: Item, old: Mapping[str, Any] | None) -> Item:
    """With an MRP that is no less than the price."""
    price = variant.get("price")
    mrp = variant.get("mrp") if "mrp" in variant or old is None else old["mrp"]
    return variant if price is None else variant | {"mrp": max(price, mrp or price)}


def _place(found: list[Item], olds: Sequence[Item | None]) -> None:
    """Positions as they are stored where the file has the stored order, else by place in the file."""
    known = [(old["position"], old["sku"]) for old in olds if old is not None]
    if len(known) < len(found) or known != sorted(known):
        for place, variant in enumerate(found, 1):
            variant["position"] = place


def _merge_images(stored: Stored, product: Product, renamed: Mapping[str, str]) -> list[Item]:
    named = _images(product)
    if named is None:
        return stored.images
    found = [_image(image, renamed) for image in named]
    if product.partial:
        urls = {image["url"] for image in found}
        found += [image for image in stored.images if image["url"] not in urls]
    return found


def _image(image: Mapping[str, Any], renamed: Mapping[str, str]) -> Item:
    sku = image.get("variant_sku")
    variant_sku = sku if sku is None else renamed.get(sku, sku)
    return {"url": image["url"], "alt_text": image.get("alt_text", ""), "variant_sku": variant_sku}


def _same(stored: Stored, page: Item, variants: Sequence[Item], images: Sequence[Item]) -> bool:
    if any(page[name] != getattr(stored, name) for name in _PAGE) or images != stored.images:
        return False
    if json.dumps(page["attributes"], sort_keys=True) != json.dumps(stored.attributes, sort_keys=True):
        return False  # 1 and True are the same to Python, and not to who reads them
    whole = [
        variant | {"title": variant.get("title") or _plain_title(variant.get("option_values", ())), "is_active": True}
        for variant in variants
    ]
    return whole == stored.on_sale


def _plain_title(option_values: Sequence[str]) -> str:
    return " / ".join(option_values) or "Default"


def _instant(value: str | datetime | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
