"""House rules as tests: each with a name, and a failure that says what to do."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from app.core.errors import BY_CODE, REFUSALS
from app.core.paths import ROOT

PACKAGES = ("app", "command_api", "query_api", "projections")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MAX_FILE, MAX_FUNCTION, MAX_ROUTE = 400, 70, 15

each = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body without its docstring: what a reader has to follow."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@each
def test_files_and_functions_are_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_FILE, "split the file by reason to change"
    routes = "routes" in path.parts
    for node in functions(ast.parse(text)):
        limit = MAX_ROUTE if routes else MAX_FUNCTION
        assert body_lines(node) <= limit, f"{node.name} has {body_lines(node)} lines; at most {limit}"


@each
def test_only_one_module_says_call(path: Path) -> None:
    """One seam knows how to CALL, retry and read a result; in `app/` the CLI's own connections may."""
    if path.parts[len(ROOT.parts)] != "app" and path.name != "procedures.py":
        assert not re.search(r"\bCALL store\.", path.read_text(encoding="utf-8")), (
            "use command_api/services/procedures.py"
        )


@pytest.mark.parametrize("path", [p for p in SOURCES if "query_api" in p.parts], ids=lambda p: str(p.relative_to(ROOT)))
def test_the_query_side_only_reads(path: Path) -> None:
    """R29: no INSERT, UPDATE, DELETE, CALL or lock in any text of the query API."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = re.search(
                r"\b(INSERT\s+INTO|UPDATE\s+\w+\.\w+|DELETE\s+FROM|CALL\s+\w+\.|FOR UPDATE)\b", node.value
            )
            assert found is None, f"a write in the query API: {found and found.group()}"


def test_plain_writes_stay_with_profile_addresses_and_wishlist() -> None:
    """R25: the command API's only statements that are not a CALL."""
    allowed = {"profile.py", "addresses.py", "wishlist.py"}
    writers = {
        path.name
        for path in (ROOT / "command_api").rglob("*.py")
        if re.search(r"from sqlalchemy\b.*import|state\.engine", path.read_text(encoding="utf-8"))
    } - {"state.py"}
    assert writers <= allowed, f"only {sorted(allowed)} may write without a CALL"


def test_nothing_is_unfinished() -> None:
    """R9: no stub, TODO or placeholder anywhere."""
    pattern = "TO" + "DO|FIX" + "ME|XX" + "X|Not" + "ImplementedError"
    found = subprocess.run(
        ["git", "grep", "-nIE", rf"\b({pattern})\b", "--", *PACKAGES, "procedures", "migrations"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""


def test_no_function_is_created_anywhere() -> None:
    """R17: no CREATE FUNCTION, so no trigger functions either; and no migration makes a procedure (R12)."""
    for path in [*SOURCES, *(ROOT / "migrations").rglob("*.py"), *(ROOT / "procedures").glob("*.sql")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"CREATE\s+(OR\s+REPLACE\s+)?(FUNCTION|TRIGGER)\b", text, re.IGNORECASE), path
        if path.suffix == ".py":
            assert not re.search(r"CREATE\s+(OR\s+REPLACE\s+)?PROCEDURE\b", text), path


def test_no_payment_sdk() -> None:
    """R9: the gateway is spoken to over HTTP and HMAC."""
    text = (ROOT / "pyproject.toml").read_text() + (ROOT / "requirements.lock").read_text()
    assert not re.search(r"(?im)^\s*\"?(stripe|razorpay|braintree|paypal\w*|adyen|cashfree\w*|juspay)\b", text)


def test_the_error_table_is_consistent() -> None:
    assert len(BY_CODE) == len(REFUSALS), "a code is listed twice"
    states = [refusal.sqlstate for refusal in REFUSALS if refusal.sqlstate]
    assert len(states) == len(set(states)), "a SQLSTATE is listed twice"
    assert all(re.fullmatch(r"KI\d{3}", state) for state in states)
    assert all(400 <= refusal.status < 600 for refusal in REFUSALS)
    wrong = [refusal.code for refusal in REFUSALS if "`status`" in refusal.remedy]
    assert wrong == [], "a problem's `status` is the HTTP status; what a refusal says of its own goes out as `state`"


def test_every_listed_refusal_is_made_somewhere() -> None:
    """Both ways: what procedures raise is in the table (test_procedure_shape), what is in the table is raised."""
    sql = "\n".join(path.read_text() for path in (ROOT / "procedures").glob("*.sql"))
    python = "\n".join(path.read_text() for path in SOURCES if path.name != "errors.py")
    unused = [
        refusal.code for refusal in REFUSALS if f"'{refusal.sqlstate}'" not in sql and f'"{refusal.code}"' not in python
    ]
    assert unused == [], "raise it or take it out of app/core/errors.py"
