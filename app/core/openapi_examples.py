"""An example of whatever a schema describes, put together from its own examples and from names that are known."""

import re
from collections.abc import Mapping
from typing import Any

from app.core.openapi_words import DAY, MOMENT, UUID, VALUES

Schema = Mapping[str, Any]
_BY_FORMAT = {"uuid": UUID, "date-time": MOMENT, "date": DAY, "uri": "https://shop.example/"}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}
_PREFIX = "#/components/schemas/"


class Examples:
    """Examples by the schemas of one document."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas

    def of(self, schema: Schema, name: str = "", *, request: bool, above: tuple[str, ...] = ()) -> Any:
        """An example. A ``request`` leaves out what may be left out and nobody has said an example of.

        ``name`` is the member's; ``above`` the schemas it is in: one that holds itself ends there.
        """
        if "$ref" in schema:
            target = schema["$ref"].removeprefix(_PREFIX)
            return self.of(self._schemas[target], name, request=request, above=(*above, target))
        if schema.get("examples"):
            return schema["examples"][0]
        for member in ("example", "const"):
            if member in schema:
                return schema[member]
        if name in VALUES and self._takes(schema, VALUES[name]):
            return VALUES[name]
        if "enum" in schema:
            return schema["enum"][0]
        if schema.get("default") is not None:
            return schema["default"]
        for choice in ("anyOf", "oneOf", "allOf"):
            if choice in schema:
                return self._chosen(schema[choice], name, request, above)
        return self._by_type(schema, request, above)

    def _chosen(self, choices: list[Schema], name: str, request: bool, above: tuple[str, ...]) -> Any:
        """Of the first that is something, and that we are not in already."""
        fresh = [one for one in choices if one.get("$ref", "").removeprefix(_PREFIX) not in above]
        something = [one for one in fresh if one.get("type") != "null"]
        return None if not something else self.of(something[0], name, request=request, above=above)

    def _by_type(self, schema: Schema, request: bool, above: tuple[str, ...]) -> Any:
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            return self._object(schema, request, above)
        if kind == "array":
            item = schema.get("items", {})
            if item.get("$ref", "").removeprefix(_PREFIX) in above or schema.get("maxItems") == 0:
                return []
            if "prefixItems" in schema:
                return [self.of(one, request=request, above=above) for one in schema["prefixItems"]]
            return [self.of(item, request=request, above=above)] * max(1, schema.get("minItems", 1))
        if kind == "string":
            return _BY_FORMAT.get(schema.get("format", "")) or "text"
        if kind in {"integer", "number"}:
            low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + (1 if "exclusiveMinimum" in schema else 0))
            return max(int(low), 0)
        return {"boolean": True, "null": None}.get(str(kind), {})

    def _object(self, schema: Schema, request: bool, above: tuple[str, ...]) -> dict[str, Any]:
        members = schema.get("properties", {})
        named = [name for name in members if name in schema.get("required", ()) or "examples" in members[name]]
        if not request:
            named = list(members)
        elif not named:
            named = [name for name in members if name in VALUES] or list(members)[:1]
        return {name: self.of(members[name], name, request=request, above=above) for name in named}

    def _takes(self, schema: Schema, value: Any) -> bool:
        """Whether a value is one of this schema, as far as a guess has to know."""
        if "$ref" in schema:
            return self._takes(self._schemas[schema["$ref"].removeprefix(_PREFIX)], value)
        for choice in ("anyOf", "oneOf"):
            if choice in schema:
                return any(self._takes(one, value) for one in schema[choice])
        if "enum" in schema:
            return value in schema["enum"]
        kind = schema.get("type")
        if (
            kind is None
            or not isinstance(value, _TYPES.get(kind, ()))
            or (isinstance(value, bool) != (kind == "boolean"))
        ):
            return False
        if isinstance(value, list):
            return all(self._takes(schema.get("items", {}), item) for item in value)
        if isinstance(value, str):
            return "format" not in schema and _text_fits(schema, value)
        if isinstance(value, dict):
            return "properties" not in schema
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))


def _text_fits(schema: Schema, value: str) -> bool:
    fits = re.search(schema.get("pattern", ""), value) is not None
    return fits and schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
