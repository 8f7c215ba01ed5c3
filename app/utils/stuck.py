"""What counts as stuck, in SQL: said once for staff's lists, metrics and the doctor.

A payment is stuck when its gateway was asked three times and gave no end of it; a refund when five sendings or three
questions came to nothing. ``p`` and ``r`` are the aliases of store.payments and store.refunds.
"""

QUESTIONS = 3
SENDINGS = 5

STUCK_PAYMENT = f"(p.check_at IS NOT NULL AND p.check_attempts >= {QUESTIONS})"
STUCK_REFUND = (
    f"((r.status = 'initiated' AND r.submit_attempts >= {SENDINGS} AND r.next_submit_at < 'infinity')"
    f" OR (r.status = 'submitted' AND r.check_attempts >= {QUESTIONS}))"
)
