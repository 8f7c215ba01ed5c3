"""Money: attempts, refunds and settlements that nothing moves any more, and questions that nobody asks."""

from collections.abc import Iterator

from app.doctor.findings import Finding, Patient, failed, ok, value, warning
from app.utils.stuck import STUCK_PAYMENT, STUCK_REFUND

MONEY = "money"
LATE_SECONDS = 600
_CAN_READ = (
    "SELECT to_regclass('store.settlement_lines') IS NOT NULL AND"
    " has_table_privilege(to_regclass('store.settlement_lines'), 'SELECT')"
)
_OVERDUE = (
    "SELECT (SELECT count(*) FROM store.payments p WHERE p.check_at < now() - make_interval(secs => {late})"
    " AND p.created_at < now() - make_interval(secs => {late} + {after}))"
    " + (SELECT count(*) FROM store.refunds r WHERE r.check_at < now() - make_interval(secs => {late} + {after}))"
)
_OPEN = (
    "SELECT count(*) FROM store.settlement_lines l WHERE l.status <> 'matched'"
    " AND NOT EXISTS (SELECT 1 FROM store.settlement_resolutions z WHERE z.line_id = l.id)"
)


def money(patient: Patient) -> Iterator[Finding]:
    """Payments and refunds that are stuck, gateways that are not asked, settlements that differ."""
    connection = next(
        (patient.connections[role] for role in ("owner", "query", "projector") if role in patient.connections), None
    )
    if connection is None or not value(connection, _CAN_READ):
        return
    look = "GET /v1/admin/attention says which; look at the gateway's own page, then `kirana worker` goes on"
    for name, table, condition in (
        ("stuck payments", "payments p", STUCK_PAYMENT),
        ("stuck refunds", "refunds r", STUCK_REFUND),
    ):
        count = value(connection, f"SELECT count(*) FROM store.{table} WHERE {condition}")  # noqa: S608
        if count:
            yield warning(MONEY, name, f"{count}: their gateway was asked and gave no end of them", look)
        else:
            yield ok(MONEY, name, "none")
    after = max(patient.settings.payment_check_seconds, patient.settings.refund_check_seconds)
    overdue = value(connection, _OVERDUE.format(late=LATE_SECONDS, after=after))
    if overdue:
        seen = f"{overdue} questions to gateways are more than {LATE_SECONDS} s late"
        yield failed(MONEY, "questions to gateways", seen, "see that `kirana worker` is running, and what its log says")
    else:
        yield ok(MONEY, "questions to gateways", "none is late")
    differing = value(connection, _OPEN)
    if differing:
        mend = "GET /v1/admin/settlement-lines?open=true, and close each with what became of it"
        yield warning(MONEY, "settlements", f"{differing} lines differ from the ledger", mend)
    else:
        yield ok(MONEY, "settlements", "nothing differs from the ledger")
