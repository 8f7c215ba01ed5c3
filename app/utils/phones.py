"""Phone numbers in the one form that is kept: E.164, such as ``+919876543210``."""

from typing import Annotated

import phonenumbers
from pydantic import AfterValidator, StringConstraints

DEFAULT_REGION = "IN"
LONGEST_INPUT = 32
_CAN_RECEIVE_SMS = frozenset({phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE})


def e164(text: str) -> str:
    """``text`` as E.164; without a country code it is an Indian number. Raises ValueError when it is no number."""
    return phonenumbers.format_number(_parsed(text), phonenumbers.PhoneNumberFormat.E164)


def mobile_e164(text: str) -> str:
    """The same for a number that can receive an SMS. Raises ValueError for a landline, too."""
    number = _parsed(text)
    if phonenumbers.number_type(number) not in _CAN_RECEIVE_SMS:
        raise ValueError("must be a mobile number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _parsed(text: str) -> phonenumbers.PhoneNumber:
    try:
        number = phonenumbers.parse(text, DEFAULT_REGION)
    except phonenumbers.NumberParseException:
        raise ValueError("must be a phone number") from None
    if number.extension or not phonenumbers.is_valid_number(number):
        raise ValueError("must be a phone number")
    return number


_Input = StringConstraints(strip_whitespace=True, min_length=4, max_length=LONGEST_INPUT)
Phone = Annotated[str, _Input, AfterValidator(e164)]
MobilePhone = Annotated[str, _Input, AfterValidator(mobile_e164)]
