"""States and union territories of India by their ISO 3166-2 code; GST depends on them."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

INDIAN_STATES = frozenset(
    {"AN", "AP", "AR", "AS", "BR", "CG", "CH", "DH", "DL", "GA", "GJ", "HP", "HR", "JH", "JK", "KA", "KL", "LA", "LD"}
    | {"MH", "ML", "MN", "MP", "MZ", "NL", "OD", "PB", "PY", "RJ", "SK", "TN", "TR", "TS", "UK", "UP", "WB"}
)
# Codes that ISO replaced, and that forms still send.
FORMER_CODES = {"CT": "CG", "DD": "DH", "DN": "DH", "OR": "OD", "TG": "TS", "UT": "UK"}

# The tax office numbers the states (the first two digits of a GSTIN).
# fmt: off
GST_CODES = {
    "JK": "01", "HP": "02", "PB": "03", "CH": "04", "UK": "05", "HR": "06", "DL": "07", "RJ": "08", "UP": "09",
    "BR": "10", "SK": "11", "AR": "12", "NL": "13", "MN": "14", "MZ": "15", "TR": "16", "ML": "17", "AS": "18",
    "WB": "19", "JH": "20", "OD": "21", "CG": "22", "MP": "23", "GJ": "24", "DH": "26", "MH": "27", "KA": "29",
    "GA": "30", "LD": "31", "KL": "32", "TN": "33", "PY": "34", "AN": "35", "TS": "36", "AP": "37", "LA": "38",
}
# fmt: on


def state_code(text: str) -> str:
    """The present code for ``text``. Raises ValueError for what is no state of India."""
    code = FORMER_CODES.get(text, text)
    if code not in INDIAN_STATES:
        raise ValueError("must be the two-letter ISO 3166-2 code of an Indian state")
    return code


StateCode = Annotated[
    str, StringConstraints(strip_whitespace=True, to_upper=True, min_length=2, max_length=2), AfterValidator(state_code)
]
