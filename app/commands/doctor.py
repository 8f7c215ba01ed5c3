"""``kirana doctor``: is this installation well, and if not, what mends it?"""

from dataclasses import asdict
from typing import Annotated

import orjson
import typer

from app.commands.console import out, say
from app.core.config import get_settings
from app.doctor.examination import examine
from app.doctor.findings import Finding

MARKS = {"ok": "[green]✓[/green]", "warning": "[yellow]![/yellow]", "failed": "[red]✗[/red]"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    problems_only: Annotated[bool, typer.Option("--problems", help="Only what is not well.")] = False,
) -> None:
    """Look at settings, servers, roles, schema and flow; say what is wrong and what mends it. Changes nothing."""
    findings = examine(get_settings())
    bad = [finding for finding in findings if finding.state == "failed"]
    shown = [finding for finding in findings if finding.state != "ok"] if problems_only else findings
    if as_json:
        document = {"ok": not bad, "findings": [asdict(finding) for finding in shown]}
        say(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        _print(shown)
        warnings = sum(finding.state == "warning" for finding in findings)
        say(f"{len(findings)} checks: {len(bad)} failed, {warnings} to be looked at")
    raise typer.Exit(1 if bad else 0)


def _print(findings: list[Finding]) -> None:
    for finding in findings:
        out.print(f"{MARKS[finding.state]} ", end="")
        say(f"{finding.area}, {finding.name}: {finding.seen}")
        if finding.mend:
            say(f"    → {finding.mend}")
