"""Words of a text, as the search sees them."""

import unicodedata

MOST_WORDS = 12


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case, in order, each once."""
    spaced = "".join(character if _in_word(character) else " " for character in text)
    return list(dict.fromkeys(spaced.lower().split()))[:MOST_WORDS]


def _in_word(character: str) -> bool:
    """Letters, digits, and the marks that belong to letters (vowel signs of Indian scripts among them)."""
    return character.isalnum() or unicodedata.category(character).startswith("M")
