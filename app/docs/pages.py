"""The generated pages by path: `kirana docs generate` writes them, `kirana docs verify` fails when one is stale."""

from collections.abc import Callable
from pathlib import Path

from app.docs import api_contract, asyncapi, er_diagram, er_svg, errors, measured, procedures, settings

ROOT = Path(__file__).resolve().parents[2]

PAGES: dict[str, Callable[[], str]] = {
    "docs/er-diagram.md": er_diagram.page,
    "docs/er-diagram.svg": er_svg.page,
    "docs/errors.md": errors.page,
    "docs/procedures.md": procedures.page,
    "docs/settings.md": settings.page,
    "docs/api-contract.md": api_contract.page,
    "docs/openapi.json": api_contract.openapi_json,
    "docs/scalability.md": measured.page,
    "docs/asyncapi.json": asyncapi.page,
}


def generate(root: Path = ROOT) -> list[str]:
    """Write every page; returns the paths of those that changed."""
    changed = stale(root)
    for path in changed:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(PAGES[path](), encoding="utf-8")
    return changed


def stale(root: Path = ROOT) -> list[str]:
    """The pages whose file is missing or says something else than the code."""
    return [path for path, page in PAGES.items() if not _same(root / path, page())]


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
