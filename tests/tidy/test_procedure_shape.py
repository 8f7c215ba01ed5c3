"""R12, R14–R17: every file of procedures/ is one whole procedure of the house's shape. What is checked, and why:

a procedure that forgets its ROLLBACK, its re-RAISE or its role would work in every test of its own feature and fail a
store on the day that something goes wrong.
"""

import re
from pathlib import Path

import pytest
from pglast import ast, parser

from app.validation.procedure_locks import NEEDS_NO_LOCK, changed_tables, lock_faults, locked_tables
from app.validation.procedure_shape import file_faults, transaction_faults
from tests.tidy.procedure_source import ALL, PROCEDURES, ProcedureSource

REQUIRED = [
    "send_otp",
    "verify_otp",
    "add_to_cart",
    "update_cart_quantity",
    "validate_cart_before_checkout",
    "lock_inventory",
    "release_inventory",
    "decrease_inventory",
    "increase_inventory",
    "apply_coupon",
    "rollback_coupon",
    "validate_coupon_usage_limit",
    "create_order",
    "cancel_order",
    "update_order_status",
    "freeze_order_pricing",
    "register_payment_attempt",
    "verify_payment",
    "payment_webhook",
    "initiate_refund",
    "restore_inventory",
]
MAX_LINES = 200

each = pytest.mark.parametrize("source", ALL, ids=lambda source: source.name)


def test_every_procedure_of_the_brief_is_there() -> None:
    assert set(REQUIRED) <= {source.name for source in ALL}, "R18–R24 name these procedures; each needs its file"


def test_the_folder_holds_nothing_but_sql() -> None:
    strange = [path.name for path in PROCEDURES.iterdir() if path.suffix != ".sql" or not path.is_file()]
    assert not strange, f"R12: procedures/ holds only .sql files, flat; move these: {strange}"


@each
def test_one_procedure_a_file_named_like_it(source: ProcedureSource) -> None:
    kinds = [type(statement).__name__ for statement in source.statements]
    assert kinds.count("CreateFunctionStmt") == 1, "one procedure per file"
    assert set(kinds) <= {"CreateFunctionStmt", "CommentStmt", "GrantStmt", "DropStmt"}, (
        "nothing else may run at install"
    )
    assert file_faults(source) == []
    assert next(o for o in source.create.options if o.defname == "language").arg.sval == "plpgsql", "R14"
    assert kinds.count("CommentStmt") == 1, "it carries its COMMENT"
    assert kinds.count("GrantStmt") >= 2, "it carries REVOKE … FROM PUBLIC and its GRANT"
    assert f"REVOKE ALL ON PROCEDURE store.{source.name} FROM PUBLIC" in source.text


@each
def test_transaction_and_exception_shape(source: ProcedureSource) -> None:
    assert transaction_faults(source) == []


@each
def test_parameters_are_explicit_and_in_order(source: ProcedureSource) -> None:
    names = [parameter.name for parameter in source.parameters]
    assert names[-2:] == ["p_own_tx", "o_result"]
    assert all(name.startswith("p_") for name in names[:-1]), "inputs are p_…"
    if "p_context" in names:
        assert names[-3] == "p_context"
    modes = [parameter.mode.name for parameter in source.parameters]
    assert modes == ["FUNC_PARAM_IN"] * (len(names) - 1) + ["FUNC_PARAM_INOUT"], "say IN, and one INOUT at the end"
    assert not source.create.parameters or all(p.defexpr is not None for p in source.parameters[-2:])


@each
def test_every_name_is_schema_qualified(source: ProcedureSource) -> None:
    ctes = {cte.ctename for cte in source.nodes(ast.CommonTableExpr)}
    of = {rel.relname for clause in source.nodes(ast.LockingClause) for rel in clause.lockedRels or ()}  # aliases
    tables = {n.relname for n in source.nodes(ast.RangeVar) if n.schemaname is None} - ctes - of
    assert not tables, f"a planted table in another schema would be used: qualify {tables}"
    calls = {
        node.funcname[0].sval
        for node in source.nodes(ast.FuncCall)
        if len(node.funcname) == 1 and node.funcformat.name == "COERCE_EXPLICIT_CALL"
    }
    assert not calls, f"a planted function in another schema would be used: write pg_catalog.… for {calls}"


@each
def test_nested_calls_name_their_arguments_and_share_the_transaction(source: ProcedureSource) -> None:
    for node in source.plpgsql_nodes("PLpgSQL_stmt_call"):
        query = node["expr"]["PLpgSQL_expr"]["query"]
        [tree] = [t for t in source.sql_trees if isinstance(t, ast.CallStmt) and _same_call(t, query)][:1] or [None]
        assert tree is not None
        arguments = {a.name for a in tree.funccall.args if isinstance(a, ast.NamedArgExpr)}
        assert len(arguments) == len(tree.funccall.args), f"CALL by => only: {query}"
        assert re.search(r"p_own_tx\s*=>\s*FALSE", query), f"a nested CALL must not end our transaction: {query}"


def _same_call(tree: ast.CallStmt, query: str) -> bool:
    return f"{tree.funccall.funcname[0].sval}.{tree.funccall.funcname[1].sval}" in query


@each
def test_rows_are_locked_before_they_are_changed(source: ProcedureSource) -> None:
    assert lock_faults(source) == []


def test_no_exception_to_the_lock_rule_is_kept_for_nobody() -> None:
    """What needs no lock is named with its reason; a name that the rule does not need any more goes."""
    by_name = {source.name: source for source in ALL}
    for name, table in NEEDS_NO_LOCK:
        assert table in changed_tables(by_name[name]) - locked_tables(by_name[name]), f"{name}: not needed for {table}"


def test_a_lock_that_comes_after_its_change_is_noticed(tmp_path: Path) -> None:
    """A lock elsewhere in the body is none: it comes before the change, on the table or on what owns its rows."""
    text = (PROCEDURES / "disable_webhook.sql").read_text(encoding="utf-8")
    (tmp_path / "disable_webhook.sql").write_text(re.sub(r"\s+FOR (NO KEY )?UPDATE", "", text), encoding="utf-8")
    [said] = lock_faults(ProcedureSource(tmp_path / "disable_webhook.sql"))
    assert "changes webhook_subscribers" in said


@each
def test_keywords_are_upper_case(source: ProcedureSource) -> None:
    body = source.body_text
    lower = {
        body[token.start : token.end + 1]
        for token in parser.scan(body)
        if token.kind == "RESERVED_KEYWORD" and not body[token.start : token.end + 1].isupper()
    }
    assert not lower, f"write these in upper case: {sorted(lower)}"


@each
def test_it_is_short_and_has_nothing_dynamic(source: ProcedureSource) -> None:
    assert len(source.text.splitlines()) <= MAX_LINES, "split it with p_own_tx => FALSE"
    assert not list(source.plpgsql_nodes("PLpgSQL_stmt_dynexecute")), "no EXECUTE: nothing a caller sends becomes SQL"
    assert not re.search(r"\bpg_sleep\b|\bdblink|\bNOTIFY\b", source.body_text), (
        "it waits for nothing outside the database"
    )
