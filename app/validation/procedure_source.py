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
        """The SQL inside the body: statements, CALLs and expressions, each parsed on its own."""
        trees: list[Any] = []
        for expression in self.plpgsql_nodes("PLpgSQL_expr"):
            mode, query = expression.get("parseMode", 0), expression["query"]
            if mode == 2:
                query = f"SELECT {query}"
            elif mode == 3:
                query = "SELECT " + query.split(":=", 1)[1]
            trees += [raw.stmt for raw in pglast.parse_sql(query)]
        return trees

    def nodes(self, *kinds: type[Any]) -> list[Any]:
        """Every SQL node of these classes in the body."""
        collected: list[Any] = []

        class Collect(Visitor):
            def visit(self, _ancestors: Any, node: Any) -> None:
                if isinstance(node, kinds):
                    collected.append(node)

        for tree in self.sql_trees:
            Collect()(tree)
        return collected


def _of_kind(value: Any, kind: str) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == kind:
                yield inner
            yield from _of_kind(inner, kind)
    elif isinstance(value, list):
        for inner in value:
            yield from _of_kind(inner, kind)
