"""What is generated is committed, and never stale."""

import re

from app.core.paths import PROCEDURES_DIR, ROOT
from app.docs.api_contract import document
from app.docs.er_queries import PUT_TOGETHER, served_by
from app.docs.pages import PAGES, stale
from app.models.tables import Base


def test_the_generated_pages_are_up_to_date() -> None:
    assert stale() == [], "run `kirana docs generate` and commit"


def test_a_stale_page_is_noticed(tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert set(stale(tmp_path)) == set(PAGES), "missing pages count as stale"
    for path in PAGES:
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((ROOT / path).read_text() + "x")
    assert set(stale(tmp_path)) == set(PAGES)


def sections(path: str, level: str = "##") -> dict[str, str]:
    text = (ROOT / path).read_text(encoding="utf-8")
    found = re.findall(rf"^{level} (.+?)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert len({title for title, _ in found}) == len(found), "a heading comes twice"
    assert [title for title, body in found if not body.strip()] == [], "a section is empty"
    return dict(found)


def test_every_operation_of_the_contract_is_whole() -> None:
    written = sections("docs/api-contract.md")
    operations = [f"{method.upper()} {path}" for path, item in document()["paths"].items() for method in item]
    for name in operations:
        body = written[name]
        assert "\n- who may: " in body, name
        assert re.search(r"^- \*\*2\d\d\*\* ", body, re.MULTILINE), name
        assert "\n```http\n" in body, f"{name} has no example"
        for row in re.findall(r"^\| [45]\d\d .*$", body, re.MULTILINE):
            assert [cell for cell in row.strip("|").split("|") if not cell.strip()] == [], f"{name}: {row}"


def test_every_procedure_says_who_calls_it_what_it_locks_raises_and_emits() -> None:
    written = sections("docs/procedures.md")
    assert set(written) == {path.stem for path in PROCEDURES_DIR.glob("*.sql")}
    for name, body in written.items():
        for field in ("Locks", "Raises", "Emits", "Called by"):
            assert re.search(rf"^- \*\*{field}\*\*: \S", body, re.MULTILINE), f"{name} says nothing of {field}"
        assert f"store.{name}(" in body


def test_every_table_says_its_keys_its_writers_and_what_its_indexes_serve() -> None:
    written = sections("docs/er-diagram.md", "###")
    for table in Base.metadata.tables.values():
        body = written[table.name]
        assert "\n- primary key: `" in body
        assert re.search(r"^- written by \S", body, re.MULTILINE), table.name
        lines = re.findall(r"^- (?:unique )?index: .*$", body, re.MULTILINE)
        assert len(lines) == len(table.indexes)
        assert [line for line in lines if not re.search(r": \S.*: \S", line)] == [], "say what it serves"


def test_what_is_said_of_an_index_by_hand_is_about_an_index() -> None:
    indexes = {str(index.name): (table, index) for table in Base.metadata.tables.values() for index in table.indexes}
    assert set(PUT_TOGETHER) <= set(indexes)
    assert served_by(*indexes["ix_orders_attention"]) == [PUT_TOGETHER["ix_orders_attention"]]
