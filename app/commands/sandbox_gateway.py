"""``kirana sandbox-gateway``: a payment gateway for development."""

from typing import Annotated

import typer
import uvicorn

from app.commands.console import say
from app.core.config import SANDBOX, get_settings
from app.core.telemetry import configure_logging
from app.sandbox.gateway import create_sandbox


def sandbox_gateway(
    webhook_url: Annotated[
        str | None, typer.Option(help="Where events are sent; by default to the store on this machine.")
    ] = None,
    provider: Annotated[str, typer.Option(help="Whose secret it signs with.")] = SANDBOX,
) -> None:
    """Pay and refund without a bank: POST /pay, POST /refunds, PUT /plan. Not for production."""
    settings = get_settings()
    configure_logging(settings)
    store = webhook_url or f"http://{settings.host}:{settings.port}/v1/webhooks/payments/{provider}"
    app = create_sandbox(settings, store, provider)
    say(f"sandbox     http://{settings.host}:{settings.sandbox_port}/docs tells {store}")
    uvicorn.run(app, host=settings.host, port=settings.sandbox_port, log_level="warning", access_log=False)
