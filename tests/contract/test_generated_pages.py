"""What is generated is committed, and never stale."""

from app.core.paths import ROOT
from app.docs.pages import PAGES, stale


def test_the_generated_pages_are_up_to_date() -> None:
    assert stale() == [], "run `kirana docs generate` and commit"


def test_a_stale_page_is_noticed(tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert set(stale(tmp_path)) == set(PAGES), "missing pages count as stale"
    for path in PAGES:
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((ROOT / path).read_text() + "x")
    assert set(stale(tmp_path)) == set(PAGES)
