"""The user's addresses: one statement each. An order keeps its own copy, so nothing here reaches an order.

Each statement takes the user's row first and the address after it, as checkout does.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import CTE, Executable, case, exists, func, insert, literal, select, true, update

from app.core.errors import Refused
from app.models.accounts import Address, User
from command_api.state import CommandState

MOST_ADDRESSES = 100
PRIVATE = {"user_id", "is_active"}
TABLE = Address.__table__
SHOWN = [column.name for column in TABLE.columns if column.name not in PRIVATE]


def _owner(user_id: UUID) -> CTE:
    """The user's row, locked: what a user changes at the same time in two places happens one after the other."""
    return (
        select(User.id, User.default_address_id)
        .where(User.id == user_id, User.status == "active")
        .with_for_update(key_share=True)
        .cte("owner")
    )


async def _one(state: CommandState, statement: Executable) -> dict[str, Any] | None:
    async with state.engine.connect() as connection:
        row = (await connection.execute(statement)).mappings().one_or_none()
    # column names are a subclass of str, which orjson takes for no key
    return None if row is None else {str(name): value for name, value in row.items()}


def _document(row: dict[str, Any] | None) -> dict[str, Any]:
    if row is None:
        raise Refused("address_not_found")
    return row


async def add_address(state: CommandState, user_id: UUID, fields: dict[str, Any], make_default: bool) -> dict[str, Any]:
    """The new address; the user's first one is the default. Raises invalid_value when there are too many."""
    owner = _owner(user_id)
    values = {"user_id": owner.c.id} | {name: literal(value, TABLE.c[name].type) for name, value in fields.items()}
    active = select(func.count()).where(Address.user_id == user_id, Address.is_active).scalar_subquery()
    source = select(*values.values()).select_from(owner).where(active < MOST_ADDRESSES)
    added = insert(Address).from_select(list(values), source).returning(*TABLE.columns).cte("added")
    chosen = (
        update(User)
        .where(User.id == added.c.user_id, true() if make_default else User.default_address_id.is_(None))
        .values(default_address_id=added.c.id, version=User.version + 1, updated_at=func.now())
        .returning(User.id)
        .cte("chosen")
    )
    is_default = exists(select(chosen.c.id)).label("is_default")
    row = await _one(state, select(*(added.c[name] for name in SHOWN), is_default))
    if row is None:
        raise Refused("invalid_value", "There are too many addresses.", field="addresses", reason="too_many")
    return row


async def change_address(
    state: CommandState, user_id: UUID, address_id: UUID, fields: dict[str, Any]
) -> dict[str, Any]:
    """The address with all its fields replaced. Raises address_not_found, also for another user's."""
    default_id = select(User.default_address_id).where(User.id == user_id).scalar_subquery()
    statement = (
        update(Address)
        .where(Address.id == address_id, Address.user_id == user_id, Address.is_active)
        .values(**fields, updated_at=func.now())
        .returning(*(TABLE.c[name] for name in SHOWN), (Address.id == default_id).is_(true()).label("is_default"))
    )
    return _document(await _one(state, statement))


async def remove_address(state: CommandState, user_id: UUID, address_id: UUID) -> None:
    """Hide the address; no address is the default if this one was. Raises address_not_found."""
    owner = _owner(user_id)
    removed = (
        update(Address)
        .where(Address.id == address_id, Address.user_id == owner.c.id, Address.is_active)
        .values(is_active=False, updated_at=func.now())
        .returning(Address.id, Address.user_id)
        .cte("removed")
    )
    was_default = User.default_address_id == removed.c.id
    # No condition on the old default: after a wait for the lock, only these expressions see the row as it is now.
    cleared = (
        update(User)
        .where(User.id == removed.c.user_id)
        .values(
            default_address_id=func.nullif(User.default_address_id, removed.c.id),
            version=User.version + case((was_default, 1), else_=0),
            updated_at=func.now(),
        )
        .returning(User.id)
        .cte("cleared")
    )
    _document(await _one(state, select(removed.c.id).select_from(removed.join(cleared, true()))))


async def choose_default(state: CommandState, user_id: UUID, address_id: UUID) -> dict[str, Any]:
    """The address, now the user's default. Raises address_not_found."""
    owner = _owner(user_id)
    address = (
        select(*TABLE.columns)
        .where(Address.id == address_id, Address.user_id == owner.c.id, Address.is_active)
        .with_for_update(read=True, of=Address)
        .cte("address")
    )
    chosen = (
        update(User)
        .where(User.id == address.c.user_id)
        .values(default_address_id=address.c.id, version=User.version + 1, updated_at=func.now())
        .returning(User.id)
        .cte("chosen")
    )
    shown = select(*(address.c[name] for name in SHOWN), true().label("is_default"))
    return _document(await _one(state, shown.select_from(address.join(chosen, true()))))
