"""/readyz while a release is rolled out, and what it costs."""

from typing import Any

import httpx
import psycopg
import pytest


@pytest.mark.parametrize(
    ("revision", "status"), [("0001", 503), ("9999", 200)], ids=["an older database", "a newer release's database"]
)
async def test_a_newer_schema_does_not_take_the_running_release_away(
    api: httpx.AsyncClient, owner: psycopg.Connection[Any], revision: str, status: int
) -> None:
    owner.execute("UPDATE public.alembic_version SET version_num = %s", (revision,))
    answer = await api.get("/readyz")
    assert answer.status_code == status
    if status == 503:
        assert "kirana migrate" in answer.json()["checks"]["command"]


async def test_missing_procedures_say_what_to_run(api: httpx.AsyncClient, owner: psycopg.Connection[Any]) -> None:
    owner.execute("DELETE FROM store.procedure_checksums WHERE name = 'send_otp'")
    answer = await api.get("/readyz")
    assert answer.status_code == 503
    assert "kirana procedures install" in answer.json()["checks"]["query"]
