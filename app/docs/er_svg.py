"""docs/er-diagram.svg: every table at a glance. Areas are panels, tables are boxes, foreign keys are lines.

The layout is worked out here and depends on the models alone, so the picture is the same on every machine.
"""

from dataclasses import dataclass
from xml.sax.saxutils import escape

from sqlalchemy import Table

from app.docs.er_areas import AREAS, areas, foreign_keys

BOX_WIDTH, ROW, HEAD = 236, 15, 22
GAP, MARGIN, TITLE = 14, 26, 34
PANELS_A_ROW = 4
COLOURS = ("#1f6f8b", "#7a4988", "#3f7d20", "#b5541c", "#8a3033", "#2d5d7b", "#6b6b1f", "#8b5e1f", "#4a5899")
STYLE = (
    "text{font-family:ui-sans-serif,system-ui,sans-serif;font-size:11px;fill:#222}"
    ".area{font-size:17px;font-weight:600}.table{font-size:12px;font-weight:600;fill:#fff}"
    ".key{fill:#555}.line{fill:none;stroke-width:1.1;opacity:.42}"
)


@dataclass(frozen=True, slots=True)
class Box:
    """A table's place on the page."""

    x: float
    y: float
    height: float
    colour: str


def page() -> str:
    """The picture as SVG."""
    boxes, panels, size = _layout()
    width, height = size
    drawn = [f'<rect width="{width}" height="{height}" fill="#fbfaf7"/>', *panels]
    drawn += [_line(boxes[table.name], boxes[other], boxes[table.name].colour) for table, other in _relations(boxes)]
    drawn += [_box(table, boxes[table.name]) for tables in areas().values() for table in tables]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img" aria-label="The tables of schema store">\n<style>{STYLE}</style>\n'
        + "\n".join(drawn)
        + "\n</svg>\n"
    )


def _rows(table: Table) -> list[str]:
    """What a box says: the primary key, then the foreign keys with where they lead."""
    primary = ", ".join(column.name for column in table.primary_key.columns)
    keys = [f"{', '.join(c.name for c in key.columns)} → {key.referred_table.name}" for key in foreign_keys(table)]
    return [f"PK {primary}", *keys]


def _layout() -> tuple[dict[str, Box], list[str], tuple[int, int]]:
    """Panels beside one another, the next where there is most room above; the boxes of each in two columns."""
    boxes: dict[str, Box] = {}
    panels: list[str] = []
    panel_width = 2 * BOX_WIDTH + 3 * GAP
    bottoms = [float(MARGIN)] * PANELS_A_ROW
    for number, (module, tables) in enumerate(areas().items()):
        column = min(range(PANELS_A_ROW), key=lambda at: bottoms[at])
        left, top = MARGIN + column * (panel_width + MARGIN), bottoms[column]
        colour = COLOURS[number % len(COLOURS)]
        heights = [top + TITLE, top + TITLE]
        for table in tables:
            side = 0 if heights[0] <= heights[1] else 1
            height = HEAD + ROW * len(_rows(table)) + 8
            boxes[table.name] = Box(left + GAP + side * (BOX_WIDTH + GAP), heights[side], height, colour)
            heights[side] += height + GAP
        bottom = max(heights)
        panels.append(
            f'<rect x="{left}" y="{top}" width="{panel_width}" height="{bottom - top}" rx="9" fill="{colour}"'
            f' fill-opacity=".07" stroke="{colour}" stroke-opacity=".35"/>'
            f'<text class="area" x="{left + GAP}" y="{top + 23}" fill="{colour}">{escape(AREAS[module])}</text>'
        )
        bottoms[column] = bottom + MARGIN
    return boxes, panels, (MARGIN + PANELS_A_ROW * (panel_width + MARGIN), round(max(bottoms)))


def _relations(boxes: dict[str, Box]) -> list[tuple[Table, str]]:
    return [
        (table, key.referred_table.name)
        for tables in areas().values()
        for table in tables
        for key in foreign_keys(table)
        if key.referred_table.name in boxes and key.referred_table is not table
    ]


def _line(start: Box, end: Box, colour: str) -> str:
    """From a side of one box to a side of the other, bent in the space between."""
    right = end.x >= start.x
    x1 = start.x + (BOX_WIDTH if right else 0)
    x2 = end.x + (0 if right and end.x != start.x else BOX_WIDTH)
    y1, y2 = start.y + start.height / 2, end.y + HEAD / 2
    bend = max(abs(x2 - x1) / 2, 40) * (1 if right else -1)
    far = x2 + (-bend if end.x != start.x else bend)
    return (
        f'<path class="line" stroke="{colour}" d="M{x1:.0f} {y1:.0f} C{x1 + bend:.0f} {y1:.0f} {far:.0f} {y2:.0f}'
        f' {x2:.0f} {y2:.0f}"/><circle cx="{x2:.0f}" cy="{y2:.0f}" r="2.4" fill="{colour}" opacity=".7"/>'
    )


def _box(table: Table, box: Box) -> str:
    head = (
        f'<g><rect x="{box.x}" y="{box.y}" width="{BOX_WIDTH}" height="{box.height}" rx="5" fill="#fff"'
        f' stroke="{box.colour}"/><path d="M{box.x} {box.y + HEAD} v-{HEAD - 5} q0 -5 5 -5 h{BOX_WIDTH - 10}'
        f' q5 0 5 5 v{HEAD - 5} z" fill="{box.colour}"/><text class="table" x="{box.x + 8}" y="{box.y + 15}">'
        f"{escape(table.name)}</text>"
    )
    rows = [
        f'<text class="key" x="{box.x + 8}" y="{box.y + HEAD + 14 + ROW * number}">{escape(_short(row))}</text>'
        for number, row in enumerate(_rows(table))
    ]
    return head + "".join(rows) + "</g>"


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
