"""``make bench``: measure everything, print one table, and with ``--write`` keep it for docs/performance.md."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from app.core.config import NotConfigured
from app.core.paths import ROOT
from tests.bench import flow, footprint, reads, size, writes
from tests.bench.figures import Figure
from tests.bench.ground import Ground, console, ground
from tests.bench.report import chart, machine, markdown, merged, print_table
from tests.bench.wrk import wrk_program
from tests.support.databases import Database

Part = Callable[[], Iterator[Figure]]
FOLDER = ROOT / "docs" / "performance"
LARGE = 100_000
BEGIN, END = "<!-- measured by make bench -->", "<!-- end of what was measured -->"
PARTS = ("pages", "lists", "database", "http", "flow", "footprint", "size")


def main(
    only: Annotated[str, typer.Option(help=f"Some parts only, of {', '.join(PARTS)}.")] = ",".join(PARTS),
    rounds: Annotated[int, typer.Option(help="Runs of each, ours and the reference in turn.")] = 5,
    seconds: Annotated[int, typer.Option(help="Seconds of one run.")] = 3,
    products: Annotated[int, typer.Option(help="Products of the large store.")] = LARGE,
    sizes: Annotated[str, typer.Option(help="The two sizes that part `size` compares.")] = "10000,1000000",
    write: Annotated[bool, typer.Option(help="Write the table and the chart to docs/performance/.")] = False,
) -> None:
    """Measure; needs wrk. Servers of its own are started and ended, and nothing but this machine is loaded."""
    wanted = only.split(",")
    try:
        wrk_program()
    except NotConfigured as error:
        raise SystemExit(f"bench: {error}") from None
    with ground() as made:
        figures = []
        for figure in measured(made, wanted, rounds, seconds, products, [int(size) for size in sizes.split(",")]):
            print_table(console, [figure])
            figures.append(figure)
    print_table(console, figures)
    console.print(machine())
    if write:
        keep(figures, FOLDER)


def measured(
    ground: Ground, wanted: list[str], rounds: int, seconds: int, products: int, sizes: list[int]
) -> Iterator[Figure]:
    """Every figure of the parts that are wanted."""
    if set(wanted) - {"size"}:
        database = ground.database("bench", 1, products=products, carts=0, orders=products // 10)
        shoppers = writes.Shoppers(database)
        parts: dict[str, Part] = {
            "pages": lambda: reads.warm_pages(ground, database, rounds, seconds),
            "lists": lambda: reads.dear_lists(ground, database, rounds, seconds),
            "database": lambda: writes.in_the_database(ground, database, shoppers, rounds, seconds),
            "http": lambda: writes.over_http(ground, database, shoppers, rounds, seconds),
            "flow": lambda: flow.figures(ground, database, shoppers, rounds),
            "footprint": lambda: footprint.figures(database, rounds),
        }
        for name, part in parts.items():
            if name in wanted:
                yield from part()
        audited(database)
    if "size" in wanted:
        yield from size.figures(ground, sizes[0], sizes[1], rounds, seconds)


def audited(database: Database) -> None:
    """What was measured must also be right."""
    with database.connect() as owner:
        wrong = owner.execute(
            "SELECT count(*) FROM store.inventory AS i WHERE i.reserved <> COALESCE((SELECT sum(r.quantity)"
            " FROM store.inventory_reservations AS r WHERE r.variant_id = i.variant_id"
            " AND r.warehouse_id = i.warehouse_id AND r.bucket = i.bucket AND r.status = 'held'), 0)"
        ).fetchone()
    assert wrong == (0,), f"{wrong} rows of stock are not what is held"


def keep(figures: list[Figure], folder: Path) -> None:
    """Write every run, the chart, and the table into the page, between its marks; parts not measured now stay."""
    folder.mkdir(exist_ok=True)
    figures = merged(folder / "figures.json", figures)
    chart(figures, folder / "chart.svg")
    page = folder.with_suffix(".md")
    before, rest = page.read_text(encoding="utf-8").split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    table = f"{BEGIN}\n\n{markdown(figures)}\n{machine()}.\n\n{END}"
    page.write_text(before + table + after, encoding="utf-8")
    console.print(f"written: {page}, {folder}/chart.svg")


if __name__ == "__main__":
    typer.run(main)
