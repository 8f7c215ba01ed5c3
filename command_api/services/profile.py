"""The user's own profile: one guarded UPDATE of the columns that the command role may write."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from app.core.errors import Refused
from app.models.accounts import User
from command_api.state import CommandState

COLUMNS = (
    User.id,
    User.phone,
    User.full_name,
    User.email,
    User.marketing_opt_in,
    User.default_address_id,
    User.version,
    User.created_at,
    User.updated_at,
)


async def change_profile(state: CommandState, user_id: UUID, version: int, changes: dict[str, Any]) -> dict[str, Any]:
    """The profile after ``changes`` to the version that the user saw.

    Raises version_mismatch, user_blocked, user_not_found.
    """
    statement = (
        update(User)
        .where(User.id == user_id, User.version == version, User.status == "active")
        .values(**changes, version=User.version + 1, updated_at=func.now())
        .returning(*COLUMNS)
    )
    async with state.engine.connect() as connection:
        changed = (await connection.execute(statement)).mappings().one_or_none()
        if changed is not None:
            return {str(name): value for name, value in changed.items()}
        found = (await connection.execute(select(User.status, User.version).where(User.id == user_id))).one_or_none()
    if found is None:
        raise Refused("user_not_found")
    if found.status != "active":
        raise Refused("user_blocked")
    raise Refused("version_mismatch", version=found.version)
