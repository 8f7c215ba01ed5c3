"""R12, R14–R17 by parse tree: what is wrong with a procedure file, in words; nothing for one that is as it must be."""

import re
from collections.abc import Callable
from typing import Any

from pglast import ast
from pglast.parser import ParseError

from app.validation.procedure_source import ProcedureSource

INSTALLS = {"CreateFunctionStmt", "CommentStmt", "GrantStmt", "DropStmt"}


def faults(source: ProcedureSource, *judges: Callable[[ProcedureSource], list[str]]) -> list[str]:
    """What these judges find wrong with one file. One that can't be read as a procedure has one fault."""
    try:
        return [fault for judge in judges for fault in judge(source)]
    except (ParseError, KeyError, StopIteration) as error:
        return [f"can't be read as a procedure: {str(error).splitlines()[0]}"]


def file_faults(source: ProcedureSource) -> list[str]:
    """One whole plpgsql procedure of the file's name, and nothing else that would run at install."""
    kinds = [type(statement).__name__ for statement in source.statements]
    found = []
    if kinds.count("CreateFunctionStmt") != 1 or not set(kinds) <= INSTALLS:
        return ["must be one procedure, its comment and its grants"]
    create = source.create
    if [part.sval for part in create.funcname] != ["store", source.name]:
        found.append("the file's name is not the procedure's, in schema store")
    if not create.is_procedure:
        found.append("a function")
    if not create.replace:
        found.append("not CREATE OR REPLACE")
    if {option.defname for option in create.options} != {"language", "as"}:
        found.append("a SET clause or SECURITY DEFINER would forbid COMMIT")
    if not source.parameters:
        found.append("no explicit parameters")
    if len(source.body_text.strip().splitlines()) < 12:
        found.append("hardly a body")
    return found


def transaction_faults(source: ProcedureSource) -> list[str]:
    """BEGIN, an inner block with WHEN OTHERS, ROLLBACK and a bare RAISE, then COMMIT."""
    outer = source.outer_block["body"]
    kinds = [next(iter(statement)) for statement in outer]
    if kinds[:2] != ["PLpgSQL_stmt_block", "PLpgSQL_stmt_if"] or kinds[2:] not in ([], ["PLpgSQL_stmt_return"]):
        return ["the body is an inner block, then IF p_own_tx THEN COMMIT, and nothing after it"]
    return _commit_faults(outer[1]["PLpgSQL_stmt_if"]) + _block_faults(outer[0]["PLpgSQL_stmt_block"])


def _commit_faults(commit: dict[str, Any]) -> list[str]:
    owned = commit["cond"]["PLpgSQL_expr"]["query"] == "p_own_tx"
    ends = [next(iter(statement)) for statement in commit["then_body"]] == ["PLpgSQL_stmt_commit"]
    return [] if owned and ends else ["no COMMIT of a transaction of its own"]


def _block_faults(block: dict[str, Any]) -> list[str]:
    first = block["body"][0].get("PLpgSQL_stmt_if", {})
    role = [
        statement.get("PLpgSQL_stmt_execsql", {}).get("sqlstmt", {}).get("PLpgSQL_expr", {}).get("query")
        for statement in first.get("then_body", ())
    ]
    found = [] if role[:1] == ["SET LOCAL ROLE kirana_writer"] else ["does not begin by taking the writer's role"]
    handlers = block.get("exceptions", {}).get("PLpgSQL_exception_block", {}).get("exc_list", [])
    if len(handlers) != 1:
        return [*found, "no EXCEPTION WHEN OTHERS"]
    handler = handlers[0]["PLpgSQL_exception"]
    if [one["PLpgSQL_condition"]["condname"] for one in handler["conditions"]] != ["others"]:
        found.append("no EXCEPTION WHEN OTHERS")
    guard, *rest = handler["action"]
    undone = [next(iter(statement)) for statement in guard.get("PLpgSQL_stmt_if", {}).get("then_body", ())]
    if undone != ["PLpgSQL_stmt_rollback"]:
        found.append("no ROLLBACK in its handler")
    if len(rest) != 1 or not set(rest[0].get("PLpgSQL_stmt_raise", {"sqlstate": 0})) <= {"lineno", "elog_level"}:
        found.append("does not RAISE the error again as it was")
    return found


def locks(source: ProcedureSource) -> int:
    """How many SELECTs of the body lock rows."""
    return len(source.nodes(ast.LockingClause))


def dynamic_faults(source: ProcedureSource) -> list[str]:
    """Nothing that a caller sends becomes SQL."""
    dynamic = list(source.plpgsql_nodes("PLpgSQL_stmt_dynexecute"))
    outside = re.search(r"\bdblink|\bpg_sleep\b", source.body_text)
    return (["EXECUTE"] if dynamic else []) + (["waits for something outside"] if outside else [])
