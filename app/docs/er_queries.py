"""Which statements of the code an index serves, and who writes a table: read from the parse trees, not from memory."""

import ast as python
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Index, Table

from app.core.paths import PROCEDURES_DIR, ROOT
from app.models.tables import Base

PACKAGES = ("query_api", "command_api", "projections", "app")
APART = ("app/validation/", "app/docs/", "app/models/", "app/replay/", "app/demo/")  # no traffic of a store
# Looks that are put together at run time, where no parse tree shows them.
PUT_TOGETHER = {
    "ix_users_name_prefix": "`query_api/repositories/customers.py` (customers whose name begins so)",
    "ix_users_email_prefix": "`query_api/repositories/customers.py` (customers whose e-mail begins so)",
    "ix_staff_actions_subject": "`query_api/repositories/admin.py` (the audit log of one thing)",
    "ix_orders_attention": "`query_api/repositories/admin_money.py` (what needs a person)",
    "ix_cod_collections_outstanding": "`query_api/repositories/admin_cash.py` (what couriers still owe, by age)",
    "ix_refunds_unsettled": "`query_api/repositories/admin_money.py` (refunds that are stuck)",
}
_PLACEHOLDER = re.compile(r"%\(\w+\)s|%s|(?<!:):[a-z]\w*")


@dataclass(frozen=True)
class Look:
    """One SELECT, UPDATE or DELETE: where it is, and which columns of which table it compares or sorts by."""

    where: str
    table: str
    compared: frozenset[str]
    sorted_by: tuple[str, ...]


def served_by(table: Table, index: Index) -> list[str]:
    """The procedures and modules whose statements look for rows by this index, those that use most of it first."""
    if index.name in PUT_TOGETHER:
        return [PUT_TOGETHER[str(index.name)]]
    columns = [column.name for column in index.columns]
    where = index.dialect_options["postgresql"].get("where")
    condition = {column.name for column in table.columns if where is not None and _names(column.name, str(where))}
    best: dict[str, int] = {}
    for look in looks():
        if look.table == table.name and condition <= look.compared:
            score = _used(columns, look) + len(condition)
            if _used(columns, look) and score > best.get(look.where, 0):
                best[look.where] = score
    return sorted(best, key=lambda name: (-best[name], name))


@cache
def writers() -> dict[str, list[str]]:
    """The procedures with an INSERT, UPDATE or DELETE of each table."""
    from app.validation.procedure_locks import changed_tables
    from app.validation.procedure_source import all_sources

    found: dict[str, list[str]] = {}
    for source in all_sources(PROCEDURES_DIR):
        for table in sorted(changed_tables(source)):
            found.setdefault(table, []).append(source.name)
    return found


@cache
def looks() -> tuple[Look, ...]:
    """Every look of the procedures and of the SQL in the Python packages."""
    return tuple(look for where, tree in _statements() for look in _looks_of(where, tree))


def _names(column: str, condition: str) -> bool:
    return re.search(rf"\b{column}\b", condition) is not None


def _used(columns: list[str], look: Look) -> int:
    """How many of an index's columns, from the left, the look compares or then sorts by."""
    compared = 0
    for column in columns:
        if column not in look.compared:
            break
        compared += 1
    rest = columns[compared:]
    in_order = 0
    while in_order < min(len(rest), len(look.sorted_by)) and rest[in_order] == look.sorted_by[in_order]:
        in_order += 1
    return compared + in_order


def _statements() -> Iterator[tuple[str, Any]]:
    from app.validation.procedure_source import all_sources

    for source in all_sources(PROCEDURES_DIR):
        for tree in source.sql_trees:
            yield f"`{source.name}`", tree
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(APART):
                for tree in _sql_of(path):
                    yield f"`{name}`", tree


def _sql_of(path: Path) -> Iterator[Any]:
    """The SQL statements among a module's strings; a part that is put together at run time counts as a name."""
    import pglast

    for node in python.walk(python.parse(path.read_text(encoding="utf-8"))):
        text = _text(node)
        if "store." in text:
            try:
                parsed = pglast.parse_sql(_PLACEHOLDER.sub("NULL", text))
            except pglast.parser.ParseError:
                continue  # a fragment of a statement, or prose
            yield from (raw.stmt for raw in parsed)


def _text(node: python.AST) -> str:
    if isinstance(node, python.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, python.JoinedStr):
        parts = [part.value if isinstance(part, python.Constant) else " part " for part in node.values]
        return "".join(map(str, parts))
    return ""


def _looks_of(where: str, tree: Any) -> Iterator[Look]:
    from pglast import ast

    from app.validation.procedure_source import nodes_of

    for node in nodes_of(tree, ast.SelectStmt, ast.UpdateStmt, ast.DeleteStmt):
        tables = _tables(node)
        compared = _columns([node.whereClause, *_joins(node)], tables)
        order = _order(node, tables)
        for table in sorted(set(tables.values())):
            yield Look(where, table, frozenset(compared.get(table, ())), tuple(order.get(table, ())))


def _tables(node: Any) -> dict[str, str]:
    """The tables of schema ``store`` that a statement reads or changes itself, by the name it calls them."""
    from pglast import ast

    from app.validation.procedure_source import nodes_of

    sources = [*(getattr(node, "fromClause", None) or ()), *(getattr(node, "usingClause", None) or ())]
    ranges = [one for source in sources for one in nodes_of(source, ast.RangeVar)]
    ranges += [node.relation] if getattr(node, "relation", None) is not None else []
    known = [r for r in ranges if f"{r.schemaname}.{r.relname}" in Base.metadata.tables]
    return {(r.alias.aliasname if r.alias else r.relname): r.relname for r in known}


def _joins(node: Any) -> list[Any]:
    from pglast import ast

    from app.validation.procedure_source import nodes_of

    return [join.quals for source in getattr(node, "fromClause", None) or () for join in nodes_of(source, ast.JoinExpr)]


def _columns(clauses: list[Any], tables: dict[str, str]) -> dict[str, set[str]]:
    from pglast import ast

    from app.validation.procedure_source import nodes_of

    found: dict[str, set[str]] = {}
    for clause in clauses:
        for reference in nodes_of(clause, ast.ColumnRef) if clause is not None else ():
            for table, column in _resolved(reference, tables):
                found.setdefault(table, set()).add(column)
    return found


def _order(node: Any, tables: dict[str, str]) -> dict[str, list[str]]:
    from pglast import ast

    found: dict[str, list[str]] = {}
    for item in getattr(node, "sortClause", None) or ():
        if isinstance(item.node, ast.ColumnRef):
            for table, column in _resolved(item.node, tables):
                found.setdefault(table, []).append(column)
    return found


def _resolved(reference: Any, tables: dict[str, str]) -> Iterator[tuple[str, str]]:
    names = [field.sval for field in reference.fields if hasattr(field, "sval")]
    if len(names) == 2 and names[0] in tables:
        yield tables[names[0]], names[1]
    elif len(names) == 1:
        owners = [t for t in set(tables.values()) if names[0] in Base.metadata.tables[f"store.{t}"].columns]
        if len(owners) == 1:
            yield owners[0], names[0]
