"""What each procedure's header says, held against its body and against those that it calls.

docs/procedures.md is made of the headers, so a header that says something else than its SQL is a wrong document. Each
rule yields what does not hold. A header names its callers first; what else it wants to say comes after a semicolon.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from pglast import ast

from app.core.errors import BY_SQLSTATE
from app.events.catalogue import TYPES
from app.validation.procedure_locks import HELD, changed_tables, locked_tables
from app.validation.procedure_source import ProcedureSource, nodes_of

FIELDS = ("Locks", "Raises", "Emits", "Called by")
SQLSTATE = re.compile(r"\bKI\w{3}\b")
NAME = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
ROUTE = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) (/v1/[\w{}/-]*[\w}])")
COMMAND = re.compile(r"\bkirana ([a-z][a-z-]*(?: [a-z][a-z-]*)?)")
EVENT = re.compile(r"\b[a-z_]+\.[a-z_]+\b")
PREFIX = re.compile(r"'([a-z_]+\.)' \|\|")
IN_PARENTHESES = re.compile(r"\([^)]*\)")
# The parameters by which a caller says which event is to be written.
TOLD_BY_CALLER = ("p_event", "p_type")
# So many call these that a list would say less than the sentence does.
MANY = ("every procedure", "whatever ", "staff procedures", "the procedures that")
# Who is no procedure, route or command, and where its CALL is.
PROCESSES = ("the worker", "the sweeper", "the relay", "the reading of a settlement file", "the catalog import")
# What a header calls a table's rows, where that is not the last word of its name.
SAID_AS: dict[str, tuple[str, ...]] = {
    "addresses": ("address",),
    "cod_collections": ("cash",),
    "idempotency_keys": ("key", "answer"),
    "otp_verifications": ("otp",),
    "price_changes": ("price",),
    "refund_approvals": ("request",),
    "staff_members": ("staff",),
}
ANY_ROW = re.compile(r"the rows it (deletes|closes)|the tree|what is below it")
CHECKED_NOUNS = {
    "order": "orders",
    "cart": "carts",
    "coupon": "coupons",
    "inventory": "inventory",
    "payment": "payments",
    "refund": "refunds",
    "return": "returns",
    "shipment": "shipments",
    "transfer": "stock_transfers",
    "count": "stock_counts",
    "invoice series": "invoice_series",
}


class Library:
    """All procedures, and who calls whom."""

    def __init__(self, sources: Sequence[ProcedureSource]) -> None:
        self.by_name = {source.name: source for source in sources}

    @cached_property
    def callers(self) -> dict[str, set[str]]:
        """Who CALLs each."""
        found: dict[str, set[str]] = {name: set() for name in self.by_name}
        for source in self.by_name.values():
            for called in source.calls:
                found.setdefault(called, set()).add(source.name)
        return found

    def within(self, source: ProcedureSource) -> list[ProcedureSource]:
        """It and all that it calls, and they call."""
        found = {source.name}
        waiting = [source.name]
        while waiting:
            new = {name for name in self.by_name[waiting.pop()].calls if name in self.by_name} - found
            found |= new
            waiting += sorted(new)
        return [self.by_name[name] for name in sorted(found)]


HeaderRule = Callable[[ProcedureSource, Library], Iterator[str]]


def header_has_its_fields(source: ProcedureSource, _: Library) -> Iterator[str]:
    """The name with a sentence, and the four fields, in their order."""
    if list(source.header) != [source.name, *FIELDS]:
        yield f"header lines must be: {source.name}, {', '.join(FIELDS)}; found {', '.join(source.header)}"


def raised_codes(source: ProcedureSource) -> set[str]:
    """The SQLSTATEs of refusals that the body names."""
    return set(re.findall(r"'(KI\w{3})'", source.body_text))


def raises_what_it_says(source: ProcedureSource, library: Library) -> Iterator[str]:
    """Its own refusals are listed, and what is listed is raised by it or by what it calls."""
    said = source.header["Raises"]
    own, listed = raised_codes(source), set(SQLSTATE.findall(said))
    for sqlstate in sorted(listed | own):
        if sqlstate not in BY_SQLSTATE:
            yield f"{sqlstate} is not in app/core/errors.py"
    for sqlstate, code in re.findall(r"(KI\w{3}) (\w+)", said):
        if sqlstate in BY_SQLSTATE and BY_SQLSTATE[sqlstate].code != code:
            yield f"{sqlstate} is {BY_SQLSTATE[sqlstate].code}, not {code}"
    reached = {sqlstate for each in library.within(source) for sqlstate in raised_codes(each)}
    if own - listed:
        yield f"raises {', '.join(sorted(own - listed))}, which its header does not say"
    if listed - reached:
        yield f"says that it raises {', '.join(sorted(listed - reached))}: neither it nor what it calls does"


def locks_what_it_says(source: ProcedureSource, library: Library) -> Iterator[str]:
    """The rows that it locks are named; what is named is locked or written by it, by what it calls, or its caller."""
    said = source.header["Locks"].lower()
    for table in sorted(locked_tables(source)):
        if not ANY_ROW.search(said) and not any(word in said for word in _said_as(table)):
            yield f"locks rows of {table}, which its header does not say"
    touched = {table for each in library.within(source) for table in locked_tables(each) | changed_tables(each)}
    if HELD in said or "locks" in said:
        return
    for noun, table in CHECKED_NOUNS.items():
        if re.search(rf"(?<![\w'] ){noun}s?\b(?!'| event)", IN_PARENTHESES.sub("", said)) and table not in touched:
            yield f"says that it locks {noun}: neither it nor what it calls touches {table}"


def emits_what_it_says(source: ProcedureSource, library: Library) -> Iterator[str]:
    """Events that it writes are listed; what is listed is a type of the catalogue that it or what it calls writes."""
    said = source.header["Emits"]
    known = {event.name for event in TYPES}
    listed = set(EVENT.findall(said))
    for name in sorted(listed - known):
        yield f"says that it emits {name}, which is no type of app/events/catalogue.py"
    around = library.within(source)
    if any(parameter.name in TOLD_BY_CALLER for parameter in source.parameters):
        around += [library.by_name[name] for name in library.callers[source.name]]
    literals = {name for each in around for name in re.findall(r"'([a-z_]+\.[a-z_]+)'", each.body_text)}
    prefixes = tuple(prefix for each in around for prefix in PREFIX.findall(each.body_text))
    for name in sorted((listed & known) - literals):
        if not name.startswith(prefixes or ("-",)):
            yield f"says that it emits {name}: neither it nor what it calls does"
    for name in sorted((_written_events(source) & known) - listed):
        yield f"emits {name}, which its header does not say"


def is_called_as_it_says(source: ProcedureSource, library: Library) -> Iterator[str]:
    """Every procedure that CALLs it is named, and those named as callers do."""
    said = source.header["Called by"]
    callers, everywhere = library.callers[source.name], set(NAME.findall(said)) & set(library.by_name)
    first = set(NAME.findall(IN_PARENTHESES.sub("", said.split(";")[0]))) & set(library.by_name)
    if first - callers:
        yield f"says that it is called by {', '.join(sorted(first - callers))}, which does not CALL it"
    if callers - everywhere and not said.startswith(MANY) and not any(f"; {many}" in said for many in MANY):
        yield f"is called by {', '.join(sorted(callers - everywhere))}, which its header does not say"
    outside = ROUTE.search(said) or COMMAND.search(said) or any(process in said for process in PROCESSES)
    if not callers and not outside:
        yield "says of nobody that they call it"


def routes_of(source: ProcedureSource) -> list[tuple[str, str]]:
    """``(method, path)`` of the operations that its header names, each parameter written as ``{}``."""
    return [(method, re.sub(r"{\w+}", "{}", path)) for method, path in ROUTE.findall(source.header["Called by"])]


def commands_of(source: ProcedureSource) -> list[str]:
    """The commands of the ``kirana`` command line that its header names."""
    return COMMAND.findall(source.header["Called by"])


def _said_as(table: str) -> tuple[str, ...]:
    last = table.rsplit("_", maxsplit=1)[-1]
    return SAID_AS.get(table, (last[:-3] if last.endswith("ies") else last.removesuffix("s"),))


def _written_events(source: ProcedureSource) -> set[str]:
    """The types that it writes to the outbox, or has written by the parameter p_event or p_type of what it calls."""
    found: set[str] = set()
    for insert in source.nodes(ast.InsertStmt):
        if insert.relation.relname == "outbox":
            found |= _texts(insert)
    for argument in source.nodes(ast.NamedArgExpr):
        if argument.name in TOLD_BY_CALLER:
            found |= _texts(argument)
    return found


def _texts(tree: Any) -> set[str]:
    return {str(node.val.sval) for node in nodes_of(tree, ast.A_Const) if isinstance(node.val, ast.String)}


HEADER_RULES: tuple[HeaderRule, ...] = (
    header_has_its_fields,
    raises_what_it_says,
    locks_what_it_says,
    emits_what_it_says,
    is_called_as_it_says,
)
