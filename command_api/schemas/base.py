"""What request bodies share: nothing unknown is accepted, and text is one line with an end."""

import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema

EXACT = ("int", "bool")


def _exact(schema: Any) -> None:
    """Mark every number and flag below as strict."""
    if isinstance(schema, dict):
        if schema.get("type") in EXACT:
            schema["strict"] = True
        for part in schema.values():
            _exact(part)
    elif isinstance(schema, list | tuple):
        for part in schema:
            _exact(part)


class Body(BaseModel):
    """A request body; a member that is not of its schema is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """With exact numbers and flags: what a schema calls an integer is no "5", and what it calls a boolean no 0."""
        schema = handler(source)
        _exact(schema)
        return schema


def one_line(text: str) -> str:
    """``text`` if it is one line of printable characters. Raises ValueError, as for NUL, which no column can hold."""
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text):
        raise ValueError("must be one line of printable text")
    return text


Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), AfterValidator(one_line)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120), AfterValidator(one_line)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(one_line)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=200)]
