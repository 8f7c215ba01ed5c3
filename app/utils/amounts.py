"""Amounts in words, the way Indian invoices say them: crores, lakhs, thousands."""

# fmt: off
ONES = (
    "Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve",
    "Thirteen", "Fourteen", "Fifteen", "Sixteen", "Seventeen", "Eighteen", "Nineteen",
)
# fmt: on
TENS = ["Zero", "Ten", "Twenty", "Thirty", "Forty", "Fifty", "Sixty", "Seventy", "Eighty", "Ninety"]
SCALES = ((10_000_000, "Crore"), (100_000, "Lakh"), (1_000, "Thousand"), (100, "Hundred"))


def in_words(paise: int) -> str:
    """``123456`` paise → ``Rupees One Thousand Two Hundred Thirty-Four and Fifty-Six Paise Only``."""
    rupees, rest = divmod(paise, 100)
    words = f"Rupees {_number(rupees)}"
    return f"{words} and {_number(rest)} Paise Only" if rest else f"{words} Only"


def _number(number: int) -> str:
    for size, name in SCALES:
        if number >= size:
            rest = number % size
            return f"{_number(number // size)} {name}" + (f" {_number(rest)}" if rest else "")
    if number < len(ONES):
        return ONES[number]
    return TENS[number // 10] + (f"-{ONES[number % 10]}" if number % 10 else "")
