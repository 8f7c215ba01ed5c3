"""States and union territories of India by their ISO 3166-2 code; GST depends on them."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

INDIAN_STATES = frozenset(
    {"AN", "AP", "AR", "AS", "BR", "CG", "CH", "DH", "DL", "GA", "GJ", "HP", "HR", "JH", "JK", "KA", "KL", "LA", "LD"}
    | {"MH", "ML", "MN", "MP", "MZ", "NL", "OD", "PB", "PY", "RJ", "SK", "TN", "TR", "TS", "UK", "UP", "WB"}
)
# Codes that ISO replaced, and that forms still send.
FORMER_CODES = {"CT": "CG", "DD": "DH", "DN": "DH", "OR": "OD", "TG": "TS", "UT": "UK"}


def state_code(text: str) -> str:
    """The present code for ``text``. Raises ValueError for what is no state of India."""
    code = FORMER_CODES.get(text, text)
    if code not in INDIAN_STATES:
        raise ValueError("must be the two-letter ISO 3166-2 code of an Indian state")
    return code


StateCode = Annotated[
    str, StringConstraints(strip_whitespace=True, to_upper=True, min_length=2, max_length=2), AfterValidator(state_code)
]
