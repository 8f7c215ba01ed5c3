"""Shopify's product CSV: every rule of it, and every row that is no good told with its line."""

from pathlib import Path
from typing import Any

import pytest

from app.catalog_import.definition import Category, NotThatFormat, Product
from app.catalog_import.files import format_of
from app.catalog_import.shopify import parse
from tests.catalog_import.files import FIRST, lone, parted, shopify_file, sized


def only(path: Path, *rows: dict[str, object]) -> Product:
    products, rejects = parted(parse(shopify_file(path, *rows)))
    assert rejects == []
    [product] = products
    return product


def variant(path: Path, **cells: object) -> dict[str, Any]:
    """As it would be made."""
    product = only(path, lone(**cells))
    [made] = product.definition["variants"]
    return {**product.variant_defaults, **made}


def test_a_product_without_options(tmp_path: Path) -> None:
    product = only(
        tmp_path,
        lone(
            "Blue Mug",
            **{
                "Body_(HTML)": "<p>Holds tea.</p>",
                "Vendor": "Tara & Sons",
                "Type": "Mugs",
                "Tags": "tea, gift,, tea",
                "Variant_Grams": "320.4",
                "Variant_Barcode": "'8901",
                "Variant_Inventory_Qty": "7",
                "SEO_Title": "A mug",
                "SEO_Description": "Of clay",
            },
        ),
    )
    assert (product.slug, product.line, product.lines, product.known_by_sku) == ("blue-mug", 2, 1, False)
    assert product.brand == ("tara-and-sons", "Tara & Sons")
    assert product.categories == (Category("mugs", "Mugs"),)
    assert product.stock == {"BLUE-MUG": 7}
    assert product.defaults == {"status": "active", "category": "mugs"}, "the Type says where a new one goes"
    assert product.definition == {
        "title": "Blue Mug",
        "description_html": "<p>Holds tea.</p>",
        "brand": "tara-and-sons",
        "product_type": "Mugs",
        "tags": ["tea", "gift"],
        "options": [],
        "seo_title": "A mug",
        "seo_description": "Of clay",
        "status": "active",
        "images": [],
        "variants": [
            {
                "sku": "BLUE-MUG",
                "sku_given": False,
                "option_values": [],
                "price": 5000,
                "mrp": 5000,
                "barcode": "8901",
                "weight_grams": 320,
            }
        ],
    }


def test_rows_of_a_handle_are_its_variants(tmp_path: Path) -> None:
    product = only(
        tmp_path,
        sized("S", **FIRST, Option2_Name="Colour", Option2_Value="Red"),
        sized("S", Option2_Value="Blue", Variant_Price="849.50", Variant_SKU="OWN 1"),
    )
    assert product.definition["options"] == ["Size", "Colour"]
    assert [(v["sku"], v["option_values"], v["price"]) for v in product.definition["variants"]] == [
        ("SHIRT--S--RED", ["S", "Red"], 79900),
        ("OWN-1", ["S", "Blue"], 84950),
    ]
    assert (product.line, product.lines) == (2, 2)


def test_pictures_by_position_and_one_for_each_variant_that_has_its_own(tmp_path: Path) -> None:
    product = only(
        tmp_path,
        sized("S", **FIRST, Image_Src="https://i.example/2", Image_Position="2", Image_Alt_Text="back"),
        sized("M", Variant_Image="https://i.example/m"),
        sized("L", Variant_Image="https://i.example/m"),
        {"Handle": "shirt", "Image Src": "https://i.example/1", "Image Position": "1", "Image Alt Text": "front"},
    )
    images = product.definition["images"]
    assert [(image["url"][-1], image["alt_text"], image.get("variant_sku")) for image in images] == [
        ("1", "front", None),
        ("2", "back", None),
        ("m", "", "SHIRT--M"),
    ]
    assert len(product.definition["variants"]) == 3


@pytest.mark.parametrize(("compare_at", "mrp"), [("", 5000), ("60.5", 6050), ("40", 5000), ("0", 5000)])
def test_compare_at_is_the_mrp_unless_it_is_lower(tmp_path: Path, compare_at: str, mrp: int) -> None:
    assert variant(tmp_path, Variant_Compare_At_Price=compare_at)["mrp"] == mrp


@pytest.mark.parametrize(
    ("taxable", "tax_class"), [("true", "gst-18"), ("", "gst-18"), ("false", "gst-0"), ("FALSE", "gst-0")]
)
def test_tax(tmp_path: Path, taxable: str, tax_class: str) -> None:
    assert variant(tmp_path, Variant_Taxable=taxable)["tax_class"] == tax_class


@pytest.mark.parametrize(
    ("published", "status", "kept"),
    [
        ("true", "", "active"),
        ("", "", "active"),
        ("FALSE", "", "draft"),
        ("true", "draft", "draft"),
        ("true", "archived", "archived"),
        ("false", "active", "draft"),
    ],
)
def test_published_and_status(tmp_path: Path, published: str, status: str, kept: str) -> None:
    assert only(tmp_path, lone(Published=published, Status=status)).definition["status"] == kept


def test_the_taxonomy_is_a_path_of_categories(tmp_path: Path) -> None:
    product = only(tmp_path, lone(Product_Category="Home > Kitchen > Mugs", Type="Cups"))
    assert product.categories == (
        Category("home", "Home"),
        Category("home-kitchen", "Kitchen", "home"),
        Category("home-kitchen-mugs", "Mugs", "home-kitchen"),
    )
    assert (product.definition["category"], product.definition["product_type"]) == ("home-kitchen-mugs", "Cups")


def test_no_vendor_and_no_type(tmp_path: Path) -> None:
    product = only(tmp_path, lone())
    assert product.brand is None
    assert product.categories == ()
    assert product.definition["brand"] is None
    assert "category" not in product.definition


@pytest.mark.parametrize(("quantity", "stock"), [("-3", 0), ("0", 0), ("12", 12), ("9999999", 1_000_000)])
def test_stock(tmp_path: Path, quantity: str, stock: int) -> None:
    assert only(tmp_path, lone(Variant_Inventory_Qty=quantity)).stock == {"MUG": stock}


def test_stock_that_the_file_does_not_state_is_not_nought(tmp_path: Path) -> None:
    assert only(tmp_path, lone()).stock == {}


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"Variant_Price": ""}, "price_unreadable"),
        ({"Variant_Price": "a lot"}, "price_unreadable"),
        ({"Variant_Price": "0"}, "price_not_positive"),
        ({"Variant_Price": "-5"}, "price_unreadable"),
        ({"Variant_Compare_At_Price": "much"}, "mrp_unreadable"),
        ({"Variant_Grams": "heavy"}, "weight_unreadable"),
        ({"Variant_Inventory_Qty": "some"}, "stock_unreadable"),
        ({"Variant_SKU": "é"}, "sku_unreadable"),
        ({"Variant_SKU": "TAKEN"}, "sku_again"),
        ({"Option1_Value": "S"}, "options_again"),
        ({"Option1_Value": "", "Variant_SKU": "X"}, "option_missing"),
        ({"Image_Src": "ftp://i.example/1"}, "image_unreadable"),
    ],
)
def test_a_bad_row_is_told_and_the_others_go_in(tmp_path: Path, cells: dict[str, object], reason: str) -> None:
    file = shopify_file(
        tmp_path, sized("S", **FIRST, Variant_SKU="TAKEN"), sized("M") | as_columns(cells), sized("L"), lone()
    )
    products, rejects = parted(parse(file))
    assert rejects == [(3, "shirt", reason)]
    assert [[v["option_values"] for v in product.definition["variants"]] for product in products] == [
        [["S"], ["L"]],
        [[]],
    ]


def as_columns(cells: dict[str, object]) -> dict[str, object]:
    return {name.replace("_", " "): value for name, value in cells.items()}


@pytest.mark.parametrize(
    ("bad", "key", "reason"),
    [
        (lone(Title=""), "mug", "title_missing"),
        (lone(""), "", "handle_missing"),
        (lone("!!", Title="Two"), "!!", "handle_missing"),
        (lone(Gift_Card="true"), "mug", "gift_card"),
        (lone(Vendor="!!"), "mug", "brand_unreadable"),
        (lone(Type="!!"), "mug", "category_unreadable"),
    ],
)
def test_a_bad_product_is_told_and_the_others_go_in(
    tmp_path: Path, bad: dict[str, object], key: str, reason: str
) -> None:
    products, rejects = parted(parse(shopify_file(tmp_path, lone("cup"), bad, lone("pot"))))
    assert rejects == [(3, key, reason)]
    assert [product.slug for product in products] == ["cup", "pot"]


def test_a_handle_that_comes_back_later(tmp_path: Path) -> None:
    products, rejects = parted(parse(shopify_file(tmp_path, lone("cup"), lone("pot"), lone("Cup"))))
    assert rejects == [(4, "Cup", "handle_again")]
    assert [product.slug for product in products] == ["cup", "pot"]


def test_a_product_of_which_no_row_is_any_good(tmp_path: Path) -> None:
    products, rejects = parted(parse(shopify_file(tmp_path, lone(Variant_Price="x"))))
    assert products == []
    assert rejects == [(2, "mug", "price_unreadable"), (2, "mug", "no_variant")]


def test_lines_are_lines_of_the_file_not_records(tmp_path: Path) -> None:
    """A cell may hold line breaks; the editor that opens the file counts them."""
    file = shopify_file(tmp_path, lone("cup", **{"Body_(HTML)": "<p>\nTwo\nmore\n</p>"}), lone(Variant_Price="x"))
    _, rejects = parted(parse(file))
    assert file.read_text().splitlines()[rejects[0][0] - 1].startswith("mug,")


def test_gzip_a_byte_order_mark_and_auto(tmp_path: Path) -> None:
    assert format_of(shopify_file(tmp_path, lone())) == "shopify"
    zipped = shopify_file(tmp_path, lone(), name="shop.csv.gz")
    assert format_of(zipped) == "shopify"
    assert len(parted(parse(zipped))[0]) == 1
    marked = tmp_path / "marked.csv"
    marked.write_bytes(b"\xef\xbb\xbf" + shopify_file(tmp_path, lone()).read_bytes())
    assert format_of(marked) == "shopify"
    assert len(parted(parse(marked))[0]) == 1


def test_files_that_are_something_else(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(NotThatFormat, match="neither"):
        format_of(other)
    with pytest.raises(NotThatFormat, match="no column 'Title' and no 'URL handle'"):
        list(parse(other))
    latin = tmp_path / "latin.csv"
    latin.write_bytes(shopify_file(tmp_path, lone()).read_bytes() + b"caf\xe9,Cafe\n")
    with pytest.raises(NotThatFormat, match="not CSV in UTF-8"):
        list(parse(latin))
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(
        shopify_file(tmp_path, *[lone(f"m{n}") for n in range(500)], name="whole.csv.gz").read_bytes()[:900]
    )
    with pytest.raises(NotThatFormat):
        list(parse(cut))
