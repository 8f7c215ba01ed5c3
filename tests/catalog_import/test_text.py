"""What is typed into catalogs, read the one way it can be kept."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalog_import.text import LONGEST_SLUG, derived_sku, paise, sku_in, slug_of, title_of

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SKU = re.compile(r"[A-Z0-9-]{1,64}")
handles = st.from_regex(SLUG, fullmatch=True).filter(lambda slug: len(slug) <= LONGEST_SLUG)
values = st.lists(st.text(min_size=1, max_size=40), max_size=3)


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Salt & Pepper", "salt-and-pepper"),
        ("Crème  Brûlée!", "creme-brulee"),
        ("Dad's 3D Clock", "dads-3d-clock"),
        ("--A--", "a"),
    ],
)
def test_slugs(text: str, slug: str) -> None:
    assert slug_of(text) == slug


@given(st.text(max_size=300))
def test_whatever_is_typed_a_slug_is_one_or_refused(text: str) -> None:
    try:
        slug = slug_of(text)
    except ValueError:
        assert not re.search("[A-Za-z0-9]", text)
    else:
        assert SLUG.fullmatch(slug)
        assert len(slug) <= LONGEST_SLUG


def test_long_texts_that_differ_only_at_the_end_differ_as_slugs() -> None:
    assert slug_of("a" * 200 + "1") != slug_of("a" * 200 + "2")


@pytest.mark.parametrize(
    ("slug", "options", "sku"),
    [
        ("ocean-shirt", [], "OCEAN-SHIRT"),
        ("ocean-shirt", ["Extra Large", "Blue"], "OCEAN-SHIRT--EXTRA-LARGE--BLUE"),
    ],
)
def test_derived_skus(slug: str, options: list[str], sku: str) -> None:
    assert derived_sku(slug, options) == sku


@given(handles, values)
def test_a_derived_sku_fits_and_is_the_same_each_time(slug: str, options: list[str]) -> None:
    sku = derived_sku(slug, options)
    assert SKU.fullmatch(sku)
    assert derived_sku(slug, list(options)) == sku


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a-b", ["c"]), ("a", ["b-c"])),
        (("a", ["½ kg"]), ("a", ["¼ kg"])),
        (("a", ["छोटा"]), ("a", ["बड़ा"])),
        (("a", ["x" * 80 + "1"]), ("a", ["x" * 80 + "2"])),
        (("a", ["S+"]), ("a", ["S"])),
    ],
)
def test_what_differs_has_another_derived_sku(one: tuple[str, list[str]], other: tuple[str, list[str]]) -> None:
    assert derived_sku(*one) != derived_sku(*other)


@pytest.mark.parametrize(("text", "sku"), [("AB 1", "AB-1"), ("x/1.b", "x/1.b")])
def test_skus_are_kept_as_they_are_but_for_blanks(text: str, sku: str) -> None:
    assert sku_in(text) == sku


@pytest.mark.parametrize("text", ["", "é", "x" * 65])
def test_what_no_sku_can_be(text: str) -> None:
    with pytest.raises(ValueError, match="SKU"):
        sku_in(text)


@pytest.mark.parametrize(
    ("text", "amount"), [("50", 5000), ("7.65", 765), ("1,299.005", 129901), ("0", 0), ("0.004", 0), ("1e2", 10000)]
)
def test_rupees_as_paise_half_up(text: str, amount: int) -> None:
    assert paise(text) == amount


@pytest.mark.parametrize("text", ["", "-1", "abc", "nan", "inf", "1e30", "₹5"])
def test_what_no_amount_can_be(text: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        paise(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_every_whole_paise_survives(amount: int) -> None:
    assert paise(f"{amount // 100}.{amount % 100:02d}") == amount


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("WHITE HANGING  HEART T-LIGHT HOLDER", "White Hanging Heart T-Light Holder"),
        ("PAPPA'S SHED 3D SIGN", "Pappa's Shed 3D Sign"),
        ("CAFÉ ÉTOILE 60 CM", "Café Étoile 60 Cm"),
        ("Dr. Jam's Arouzer LED", "Dr. Jam's Arouzer LED"),
    ],
)
def test_what_is_shouted_becomes_a_title(text: str, title: str) -> None:
    assert title_of(text) == title
