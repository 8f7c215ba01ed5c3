"""What a schema calls an integer, a boolean or a date-time is taken as that and nothing else."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.main import create_app
from app.utils.times import Day, Moment
from command_api.schemas.base import Body
from command_api.schemas.carts import NewItem
from command_api.schemas.catalog import BrandBody, StatusBody

create_app()  # so that all bodies are imported


def bodies(kind: type[Body]) -> Iterator[type[Body]]:
    for below in kind.__subclasses__():
        yield below
        yield from bodies(below)


def lax(schema: Any) -> Iterator[str]:
    """The numbers and flags below that take what only looks like one."""
    if isinstance(schema, dict):
        if schema.get("type") in {"int", "bool"} and not schema.get("strict"):
            yield str(schema)
        for part in schema.values():
            yield from lax(part)
    elif isinstance(schema, list | tuple):
        for part in schema:
            yield from lax(part)


def test_every_number_and_flag_of_a_body_is_exact() -> None:
    found = {body.__name__: list(lax(body.__pydantic_core_schema__)) for body in bodies(Body)}
    assert len(found) > 50
    assert {name: loose for name, loose in found.items() if loose} == {}


@pytest.mark.parametrize("quantity", ["2", True, 2.0, None])
def test_a_quantity_is_a_number(quantity: object) -> None:
    with pytest.raises(ValidationError):
        NewItem.model_validate({"sku": "MUG", "quantity": quantity})
    assert NewItem.model_validate({"sku": "MUG", "quantity": 2}).quantity == 2


@pytest.mark.parametrize("flag", [0, 1, "true", "yes"])
def test_a_flag_is_true_or_false(flag: object) -> None:
    with pytest.raises(ValidationError):
        BrandBody.model_validate({"name": "Sutra", "is_active": flag})
    assert BrandBody.model_validate({"name": "Sutra", "is_active": False}).is_active is False


@pytest.mark.parametrize("moment", [0, 1.5, "0", "1795453610", "2026-11-23", True])
def test_a_moment_is_written_in_full(moment: object) -> None:
    with pytest.raises(ValidationError):
        StatusBody.model_validate({"status": "active", "published_at": moment})
    assert TypeAdapter(Moment).validate_python("2026-11-23T10:00:00+05:30").hour == 10


@pytest.mark.parametrize("day", [0, "0", "20261123", "2026-11-23T00:00:00Z"])
def test_a_day_is_a_date(day: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Day).validate_python(day)
    assert TypeAdapter(Day).validate_python("2026-11-23").day == 23
