"""``kirana bench …``: what a running store can bear, measured over HTTP on the hardware it runs on."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from app.commands.console import CommandFailed, err, new_typer, out, say
from app.commands.progress import progress
from app.core.config import get_settings
from app.flash_sale.sale import Sale
from app.flash_sale.tally import BOUGHT, SOLD_OUT, Histogram, Tally
from app.replay.shop import Unexpected

BAR_WIDTH = 48
PLAIN_LINE_SECONDS = 2.0
LIVE_SECONDS = 0.25

app = new_typer("Measure a running store, over HTTP.")
app.callback()(lambda: None)


@app.command("flash-sale")
def flash_sale(
    buyers: Annotated[int, typer.Option(help="Shoppers who want one unit each.", min=1, max=1_000_000)] = 1_000,
    units: Annotated[int, typer.Option(help="Units there are.", min=1, max=1_000_000)] = 200,
    clients: Annotated[int, typer.Option(help="Shoppers at a time.", min=1, max=512)] = 32,
    buckets: Annotated[int, typer.Option(help="Rows that the SKU's stock is spread over.", min=1, max=64)] = 16,
    url: Annotated[str | None, typer.Option(help="The store; by default the one `kirana up` started.")] = None,
    staff: Annotated[str, typer.Option("--as", help="Phone of the staff who put it on sale.")] = "+919000000001",
    warehouse: Annotated[str, typer.Option(help="Where the units are received.")] = "BLR",
) -> None:
    """Sell few units of one SKU to many shoppers at once: cart, checkout, payment; then count what is left.

    It makes a product and shoppers of its own, so run it against a store that is there for trying things out. The store
    must run with KIRANA_OTP_SENDER=file, as `kirana up` does. Exit 1 when more was sold than there was, when units were
    left although somebody wanted them, or when somebody met an error.
    """
    settings = get_settings()
    base = url or f"http://{settings.host}:{settings.port}"
    sale = Sale(base, settings, staff, buyers, units, clients)
    try:
        sale.put_on_sale(warehouse, buckets)
        say(f"{units:,} units of {sale.sku} are on sale at {base}")
        with progress("shoppers", buyers) as came:
            sale.gather(came)
        _watched(sale)
        on_hand, reserved = sale.stock()
    except Unexpected as error:
        raise CommandFailed(str(error)) from None
    _tell(sale.tally, on_hand, reserved)


def _watched(sale: Sale) -> None:
    """Run the sale in a thread, and show how it goes: live on a terminal, a plain line now and then elsewhere."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(sale.run)
        try:
            with _shown(sale.tally) as show:
                while not wait([running], LIVE_SECONDS).done:
                    show()
        except KeyboardInterrupt:
            sale.stop()
            raise
        running.result()


@contextmanager
def _shown(tally: Tally) -> Iterator[Callable[[], None]]:
    """Yields what shows the sale as it is now."""
    if err.is_terminal:
        with Live(_view(tally), console=err, auto_refresh=False) as live:
            yield lambda: live.update(_view(tally), refresh=True)
        return
    told = time.monotonic()

    def show() -> None:
        nonlocal told
        if time.monotonic() - told >= PLAIN_LINE_SECONDS:
            told = time.monotonic()
            err.print(_line(tally), markup=False, soft_wrap=True)

    yield show


def _line(tally: Tally) -> str:
    rate = tally.done / tally.seconds if tally.seconds else 0.0
    bought, sold_out = tally.outcomes[BOUGHT], tally.outcomes[SOLD_OUT]
    return (
        f"{tally.done:,}/{tally.buyers:,} shoppers, {rate:,.0f}/s: {bought:,} bought, {sold_out:,} found it sold out,"
        f" {tally.done - bought - sold_out:,} errors, {tally.waits:,} waits"
    )


def _view(tally: Tally) -> RenderableType:
    return Group(Text(_line(tally)), Text("checkout"), histogram(tally.checkout))


def histogram(latencies: Histogram) -> RenderableType:
    """Latencies as bars, a bucket a row."""
    table = Table.grid(padding=(0, 1))
    most = max(latencies.counts)
    for edge, count in latencies.rows():
        bar = "█" * max(round(BAR_WIDTH * count / most), 1) if count else ""
        table.add_row(Text(f"≤ {edge:,.1f} ms", justify="right"), Text(bar), Text(f"{count:,}"))
    return table


def _tell(tally: Tally, on_hand: int, reserved: int) -> None:
    bought = tally.outcomes[BOUGHT]
    table = Table("what", "count", "p50", "p95", "p99", "slowest", title=f"sold in {tally.seconds:.1f} s")
    for name, latencies in (("checkouts", tally.checkout), ("purchases, cart to paid", tally.purchase)):
        shares = [f"{latencies.percentile(share):,.1f} ms" for share in (0.5, 0.95, 0.99)]
        table.add_row(name, f"{latencies.total:,}", *shares, f"{latencies.slowest:,.1f} ms")
    out.print(table)
    say("checkout latency")
    out.print(histogram(tally.checkout))
    say(_line(tally))
    say(f"{tally.checkout.total / tally.seconds:,.0f} checkouts/s; {on_hand:,} units on hand, {reserved:,} held")
    for line in tally.errors:
        err.print(line, markup=False, soft_wrap=True)
    wrong = wrongs(tally, on_hand, reserved)
    if wrong:
        raise CommandFailed("; ".join(wrong))
    say(f"Nothing was oversold: {bought:,} sold and {on_hand:,} left of {tally.units:,}.")


def wrongs(tally: Tally, on_hand: int, reserved: int) -> list[str]:
    """What must not be: units that do not add up, and shoppers who went home with an error."""
    bought = tally.outcomes[BOUGHT]
    errors = tally.done - bought - tally.outcomes[SOLD_OUT]
    found = []
    if bought + on_hand != tally.units:
        found.append(f"{bought} sold and {on_hand} left do not make {tally.units}")
    if reserved:
        found.append(f"{reserved} units are still held")
    if errors:
        found.append(f"{errors} shoppers met an error")
    elif bought < min(tally.units, tally.buyers):
        found.append(f"{tally.units - bought} units are left, and {tally.outcomes[SOLD_OUT]} shoppers went without")
    return found
