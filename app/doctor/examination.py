"""The whole examination, in the order in which things depend on each other."""

from collections.abc import Callable, Iterator

import psycopg

from app.core.config import Settings
from app.doctor import events, flow, money, schema, servers, setup
from app.doctor.findings import Finding, Patient, failed, said

CHECKS: tuple[Callable[[Patient], Iterator[Finding]], ...] = (
    setup.settings,
    setup.logins,
    servers.postgres,
    servers.redis,
    servers.clocks,
    schema.schema,
    schema.roles,
    schema.grants,
    flow.flow,
    money.money,
    events.events,
    flow.transactions,
)


def examine(settings: Settings) -> list[Finding]:
    """Everything that was found. Reads only; a check that can't look says so, and the others go on."""
    patient = Patient(settings)
    findings: list[Finding] = []
    try:
        for check in CHECKS:
            try:
                findings.extend(check(patient))
            except psycopg.Error as error:
                mend = "mend what is said above and look again; with the owner's login the doctor sees everything"
                findings.append(failed(check.__name__, "could not look", said(error), mend))
    finally:
        patient.close()
    return findings
