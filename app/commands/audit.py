"""``kirana audit``: do stock, money, coupons, orders and outbox add up? Exit status 1 names the rows that do not."""

from dataclasses import asdict
from typing import Annotated

import orjson
import typer
from rich.table import Table

from app.audit.books import Finding
from app.audit.books import audit as run_audit
from app.commands.console import CommandFailed, err, out, say
from app.core.config import get_settings


def audit(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a check, for machines.")] = False,
) -> None:
    """Check every ledger against its balance, in one snapshot; exit 1 and name each row that differs."""
    findings = []
    for finding in run_audit(get_settings().dsn("owner")):
        findings.append(finding)
        if as_json:
            say(_json(finding))
    if not as_json:
        table = Table("check", "what must hold", "differences")
        for finding in findings:
            colour = "red" if finding.count else "green"
            table.add_row(finding.check.name, finding.check.rule, f"[{colour}]{finding.count}[/]")
        out.print(table)
    for finding in findings:
        for row in finding.differences:
            line = f"{finding.check.name}: {row.table_name} {row.key}: expected {row.expected}, found {row.found}"
            err.print(line, markup=False, soft_wrap=True)
    wrong = sum(finding.count for finding in findings)
    if wrong:
        raise CommandFailed(f"the books do not balance: {wrong} rows differ")


def _json(finding: Finding) -> str:
    rows = [asdict(row) for row in finding.differences]
    document = {"check": finding.check.name, "differences": finding.count, "rows": rows}
    return orjson.dumps(document, default=str).decode()
