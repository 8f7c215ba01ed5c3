"""R15 by parse tree: which rows a procedure locks, and that it locks what it changes before it changes it."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from pglast import ast

from app.models.tables import Base
from app.validation.procedure_source import ProcedureSource, nodes_of

ADVISORY = {"pg_advisory_xact_lock", "pg_try_advisory_xact_lock"}
HELD = "held by the caller"
# Changes that need no lock taken before them: (procedure, table) -> why.
NEEDS_NO_LOCK = {
    ("close_cod_line", "cod_collections"): "a courier is set, and nothing that was read before goes into it",
    ("write_off_cash", "cod_remittance_lines"): "whoever changes the lines of an order's cash holds that cash",
    ("purge_deliveries", "webhook_subscribers"): "a deleted subscriber never comes back, and the DELETE itself looks",
}


def lock_faults(source: ProcedureSource) -> list[str]:
    """An UPDATE or DELETE comes after a SELECT … FOR UPDATE of its table, or of one that its rows belong to.

    The header says it where the caller holds the lock; an advisory lock does where there is no row to lock yet.
    """
    if HELD in source.header.get("Locks", "") or ADVISORY & {f.funcname[-1].sval for f in source.nodes(ast.FuncCall)}:
        return []
    first: dict[str, int] = {}
    for line, tree in source.placed_sql:
        for table in _locked_by(tree):
            first.setdefault(table, line)
    found = []
    for line, tree in source.placed_sql:
        for change in nodes_of(tree, ast.UpdateStmt, ast.DeleteStmt):
            table = change.relation.relname
            guarded = any(first.get(guard, line + 1) <= line for guard in {table} | owners_of(table))
            if not guarded and (source.name, table) not in NEEDS_NO_LOCK:
                found.append(f"changes {table} in line {line} of its body with no FOR UPDATE before it")
    return found


def locked_tables(source: ProcedureSource) -> set[str]:
    """The tables that the body locks rows of by itself."""
    return {table for tree in source.sql_trees for table in _locked_by(tree)}


def changed_tables(source: ProcedureSource) -> set[str]:
    """The tables that the body writes by itself."""
    return {node.relation.relname for node in source.nodes(ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt)}


@cache
def owners_of(table: str) -> frozenset[str]:
    """The tables that this one's rows belong to, by its foreign keys and theirs."""
    found: set[str] = set()
    waiting = [table]
    while waiting:
        known = Base.metadata.tables.get(f"store.{waiting.pop()}")
        keys = () if known is None else known.foreign_key_constraints
        new = {key.referred_table.name for key in keys} - found
        found |= new
        waiting += new
    return frozenset(found)


def _locked_by(tree: Any) -> Iterator[str]:
    """The tables of one SQL statement that a FOR UPDATE or FOR SHARE of it locks."""
    for select in nodes_of(tree, ast.SelectStmt):
        tables: dict[str, str] = {}
        for part in select.fromClause or ():
            for table in nodes_of(part, ast.RangeVar):
                tables[table.alias.aliasname if table.alias else table.relname] = table.relname
        for lock in select.lockingClause or ():
            named = [tables.get(r.relname, r.relname) for r in lock.lockedRels or ()]
            yield from named or tables.values()
