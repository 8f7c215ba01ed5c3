"""Settings and secrets, and whether each role can log in."""

from collections.abc import Iterator
from typing import get_args

import psycopg

from app.core.config import NotConfigured, Role, ServersDown
from app.doctor.findings import CONNECT_SECONDS, Finding, Patient, failed, ok, said, value, warning
from app.doctor.schema import LOGIN

SETTINGS, LOGINS = "settings", "logins"
READ_ONLY = "SET default_transaction_read_only = on; SET statement_timeout = '10s'; SET lock_timeout = '2s'"


def settings(patient: Patient) -> Iterator[Finding]:
    """Secrets, the sender of codes, the proxy."""
    chosen = patient.settings
    try:
        chosen.check()
    except NotConfigured as error:
        yield failed(SETTINGS, "secrets", str(error), "set them; docs/settings.md says what each is for")
    else:
        yield ok(SETTINGS, "secrets", "all set")
    if chosen.environment == "production":
        if chosen.otp_sender != "http":
            yield failed(
                SETTINGS,
                "one-time passwords",
                f"KIRANA_OTP_SENDER is {chosen.otp_sender}, which shows codes to whoever reads them",
                "set KIRANA_OTP_SENDER=http and KIRANA_OTP_HTTP_URL",
            )
        if not chosen.trusted_proxies:
            yield warning(
                SETTINGS,
                "proxies",
                "KIRANA_TRUSTED_PROXIES is empty: behind a proxy, all clients share its address and its rate limit",
                "name your proxies' networks",
            )
    else:
        yield ok(SETTINGS, "environment", "development")


def logins(patient: Patient) -> Iterator[Finding]:
    """Log in as each role; what could be opened stays open for the other checks."""
    for role in get_args(Role):
        yield _login(patient, role)


def _login(patient: Patient, role: Role) -> Finding:
    name = f"as {role}"
    try:
        dsn = patient.settings.dsn(role)
        connection = psycopg.connect(dsn, autocommit=True, connect_timeout=CONNECT_SECONDS)
    except ServersDown as error:
        return failed(LOGINS, name, str(error), "run `kirana servers start`")
    except NotConfigured as error:
        if role == "owner":
            return warning(LOGINS, name, str(error), "where you migrate or install, set KIRANA_OWNER_DATABASE_URL")
        return failed(LOGINS, name, str(error), f"set KIRANA_{role.upper()}_DATABASE_URL")
    except psycopg.OperationalError as error:
        mend = f"see that PostgreSQL runs and that KIRANA_{role.upper()}_DATABASE_URL has the right host and password"
        if f'role "kirana_{role}" does not exist' in str(error):
            mend = "run `kirana migrate`"
        return failed(LOGINS, name, said(error), mend)
    connection.execute(READ_ONLY)
    patient.connections[role] = connection
    user = value(connection, "SELECT current_user::text")
    if role != "owner" and user != f"kirana_{role}":
        return failed(
            LOGINS, name, f"works as {user}", f"log in as kirana_{role}: its grants are the wall around the store"
        )
    if role == "owner" and user in LOGIN:
        return failed(LOGINS, name, f"works as {user}", "set KIRANA_OWNER_DATABASE_URL to the schema's owner")
    return ok(LOGINS, name, f"works as {user}")
