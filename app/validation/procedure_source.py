"""A procedure file as data: its header, its parse tree, and walks over the SQL inside its body."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pglast
from pglast import ast
from pglast.visitors import Visitor

# How PL/pgSQL parses the text of an expression node (RawParseMode).
PARSED_AS_EXPRESSION = 2
PARSED_AS_ASSIGNMENT = 3
HEADER_LINE = re.compile(r"^-- (?P<key>[A-Za-z_ ]+?):\s+(?P<value>.*)$")


@dataclass(frozen=True)
class ProcedureSource:
    """One file of procedures/."""

    path: Path

    @property
    def name(self) -> str:
        """The file's stem, which is the procedure's name."""
        return self.path.stem

    @cached_property
    def text(self) -> str:
        """The whole file."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def header(self) -> dict[str, str]:
        """Header fields by name; the first is the procedure's own name with its summary. Long values may wrap."""
        found: dict[str, str] = {}
        last = ""
        for line in self.text.splitlines():
            if not line.startswith("--"):
                break
            match = HEADER_LINE.match(line)
            if match:
                last = match["key"]
                found[last] = match["value"].strip()
            elif last:
                found[last] += " " + line.removeprefix("--").strip()
        return found

    @cached_property
    def statements(self) -> list[Any]:
        """What the file does when it is installed, parsed."""
        return [raw.stmt for raw in pglast.parse_sql(self.text)]

    @cached_property
    def create(self) -> Any:
        """The statement that creates it."""
        return next(s for s in self.statements if isinstance(s, ast.CreateFunctionStmt))

    @cached_property
    def body_text(self) -> str:
        """The body, as text."""
        options = {option.defname: option.arg for option in self.create.options}
        body = options["as"][0].sval
        assert isinstance(body, str)
        return body

    @cached_property
    def outer_block(self) -> dict[str, Any]:
        """The body's outermost block, as PL/pgSQL parses it."""
        tree = json.loads(json.dumps(pglast.parse_plpgsql(self.text)))
        block = tree[0]["PLpgSQL_function"]["action"]["PLpgSQL_stmt_block"]
        assert isinstance(block, dict)
        return block

    @property
    def parameters(self) -> list[Any]:
        """The parameters, in order."""
        return list(self.create.parameters or ())

    def plpgsql_nodes(self, kind: str) -> Iterator[dict[str, Any]]:
        """Every PL/pgSQL node of a kind, such as ``PLpgSQL_stmt_raise``."""
        yield from _of_kind(self.outer_block, kind)

    @cached_property
    def sql_trees(self) -> list[Any]:
        """The SQL inside the body: statements, CALLs and expressions, each parsed on its own, in the body's order."""
        return [tree for _, tree in self.placed_sql]

    @cached_property
    def placed_sql(self) -> list[tuple[int, Any]]:
        """The same, each with the line of the body that its PL/pgSQL statement begins on."""
        placed: list[tuple[int, Any]] = []
        for line, expression in _with_lines(self.outer_block, 0):
            mode, query = expression.get("parseMode", 0), expression["query"]
            if mode == PARSED_AS_EXPRESSION:
                query = f"SELECT {query}"
            elif mode == PARSED_AS_ASSIGNMENT:
                query = "SELECT " + query.split(":=", 1)[1]
            placed += [(line, raw.stmt) for raw in pglast.parse_sql(query)]
        return sorted(placed, key=lambda found: found[0])

    def nodes(self, *kinds: type[Any]) -> list[Any]:
        """Every SQL node of these classes in the body."""
        return [node for tree in self.sql_trees for node in nodes_of(tree, *kinds)]

    @cached_property
    def calls(self) -> set[str]:
        """The procedures that it CALLs."""
        return {node.funccall.funcname[-1].sval for node in self.nodes(ast.CallStmt)}


def all_sources(directory: Path) -> list[ProcedureSource]:
    """Every file of procedures/, by name."""
    return [ProcedureSource(path) for path in sorted(directory.glob("*.sql"))]


def nodes_of(tree: Any, *kinds: type[Any]) -> list[Any]:
    """Every node of these classes in one SQL tree, itself included."""
    collected: list[Any] = []

    class Collect(Visitor):
        def visit(self, _ancestors: Any, node: Any) -> None:
            if isinstance(node, kinds):
                collected.append(node)

    Collect()(tree)
    return collected


def _with_lines(value: Any, line: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every expression of a PL/pgSQL tree, with the line of the statement that it is part of."""
    if isinstance(value, dict):
        line = value.get("lineno", line)
        for key, inner in value.items():
            if key == "PLpgSQL_expr":
                yield line, inner
            else:
                yield from _with_lines(inner, line)
    elif isinstance(value, list):
        for inner in value:
            yield from _with_lines(inner, line)


def _of_kind(value: Any, kind: str) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == kind:
                yield inner
            yield from _of_kind(inner, kind)
    elif isinstance(value, list):
        for inner in value:
            yield from _of_kind(inner, kind)
