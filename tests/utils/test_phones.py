"""Phone numbers: one form for each, whoever writes it how; and nothing else gets through."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.utils.phones import e164, mobile_e164
from app.utils.states import FORMER_CODES, INDIAN_STATES, state_code

COLUMN = re.compile(r"^\+[1-9][0-9]{7,14}$")


@pytest.mark.parametrize(
    "written", ["9876543210", "+919876543210", "+91 98765 43210", "098765-43210", "0091 9876543210", "(+91) 9876543210"]
)
def test_one_number_has_one_form(written: str) -> None:
    assert e164(written) == mobile_e164(written) == "+919876543210"


def test_other_countries_are_told_by_their_code() -> None:
    assert e164("+1 650 253 0000") == "+16502530000"
    assert mobile_e164("+44 7400 123456") == "+447400123456"


def test_a_landline_is_a_phone_but_gets_no_sms() -> None:
    assert e164("080 2222 2222") == "+918022222222"
    with pytest.raises(ValueError, match="mobile"):
        mobile_e164("080 2222 2222")


@pytest.mark.parametrize("text", ["", "1", "12345", "abcdefghij", "+91", "+919876543210 ext. 5", "0000000000", "\x00"])
def test_what_is_no_phone(text: str) -> None:
    with pytest.raises(ValueError, match="phone number"):
        e164(text)


@given(st.text(max_size=32))
def test_any_text_is_refused_or_fits_the_column(text: str) -> None:
    try:
        kept = e164(text)
    except ValueError:
        return
    assert COLUMN.match(kept)
    assert e164(kept) == kept


@given(st.integers(min_value=6_000_000_000, max_value=9_999_999_999))
def test_what_is_kept_stays_the_same(number: int) -> None:
    try:
        kept = mobile_e164(str(number))
    except ValueError:
        return
    assert kept == f"+91{number}"
    assert mobile_e164(kept) == kept


def test_states_are_known_by_their_present_code() -> None:
    assert state_code("KA") == "KA"
    assert state_code("OR") == "OD"
    assert set(FORMER_CODES.values()) <= INDIAN_STATES
    assert not set(FORMER_CODES) & INDIAN_STATES
    assert len(INDIAN_STATES) == 36
    with pytest.raises(ValueError, match="state"):
        state_code("XX")
