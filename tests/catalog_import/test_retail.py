"""The retail file: one product a stock code, and no postage, fee or correction among them."""

from pathlib import Path

import pytest

from app.catalog_import.definition import Product
from app.catalog_import.files import format_of
from app.catalog_import.retail import is_goods, parse, sku_of
from tests.catalog_import.files import parted, retail_file


def only(path: Path, *rows: tuple[object, object, object]) -> Product:
    products, rejects = parted(parse(retail_file(path, *rows)))
    assert rejects == []
    [product] = products
    return product


@pytest.mark.parametrize("code", ["22752", "85123A", "84406b", "15056BL", " 22752 "])
def test_goods(code: str) -> None:
    assert is_goods(code)
    assert sku_of(code) == code.strip().upper()


@pytest.mark.parametrize(
    "code", ["POST", "DOT", "C2", "M", "D", "S", "AMAZONFEE", "BANK CHARGES", "gift_0001_40", "DCGS0076", "", "2275"]
)
def test_no_goods(tmp_path: Path, code: str) -> None:
    assert not is_goods(code)
    products, rejects = parted(parse(retail_file(tmp_path, ("22752", "BOXES", "1"), (code, "SOMETHING", "5"))))
    assert len(products) == 1
    assert rejects == [(3, code, "not_a_product")]


def test_a_stock_code_is_a_product(tmp_path: Path) -> None:
    product = only(tmp_path, ("85123A", "WHITE HANGING HEART", "2.55"))
    assert (product.slug, product.line, product.known_by_sku) == ("white-hanging-heart-85123a", 2, True)
    assert product.definition == {
        "title": "White Hanging Heart",
        "variants": [{"sku": "85123A", "sku_given": True, "price": 255, "mrp": 255}],
    }
    assert (product.defaults, product.variant_defaults) == ({"status": "active"}, {"tax_class": "gst-18"})
    assert product.partial, "what else staff made of it stays"


def test_codes_that_differ_in_case_are_one(tmp_path: Path) -> None:
    assert (
        only(tmp_path, ("85123A", "HEART", "1"), ("85123a", "HEART", "1")).definition["variants"][0]["sku"] == "85123A"
    )


def test_the_first_positive_price_and_the_highest(tmp_path: Path) -> None:
    rows = [("22752", "BOXES", price) for price in ("0", "-3", "7.65", "8.50", "6")]
    [variant] = only(tmp_path, *rows).definition["variants"]
    assert (variant["price"], variant["mrp"]) == (765, 850)


def test_the_most_frequent_description(tmp_path: Path) -> None:
    rows = [("22752", text, "1") for text in ("?", "?", "?", "", "damaged", "SET 7 BOXES", "SET 7 BOXES")]
    assert only(tmp_path, *rows).definition["title"] == "Set 7 Boxes"


def test_two_products_of_one_title_have_two_slugs(tmp_path: Path) -> None:
    products, _ = parted(parse(retail_file(tmp_path, ("11111", "BOX", "1"), ("22222", "BOX", "1"))))
    assert [product.slug for product in products] == ["box-11111", "box-22222"]


def test_what_was_never_sold_or_never_described(tmp_path: Path) -> None:
    rows = [
        ("11111", "BOX", "0"),
        ("22222", "?", "1"),
        ("33333", "", "1"),
        ("11111", "BOX", "-1"),
        ("44444", "POT", "1"),
    ]
    products, rejects = parted(parse(retail_file(tmp_path, *rows)))
    assert rejects == [
        (2, "11111", "never_sold_at_a_price"),
        (3, "22222", "never_described"),
        (4, "33333", "never_described"),
    ]
    assert [product.slug for product in products] == ["pot-44444"]


def test_a_price_that_is_none(tmp_path: Path) -> None:
    products, rejects = parted(parse(retail_file(tmp_path, ("11111", "BOX", "cheap"), ("11111", "BOX", "2"))))
    assert rejects == [(2, "11111", "price_unreadable")]
    assert products[0].definition["variants"][0]["price"] == 200


def test_auto(tmp_path: Path) -> None:
    assert format_of(retail_file(tmp_path, ("11111", "BOX", "1"), name="retail.csv.gz")) == "retail"
