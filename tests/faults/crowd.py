"""Shoppers in a process of their own, so that how fast they ask takes nothing from who answers."""

import asyncio
import multiprocessing
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

import httpx

PAUSE_SECONDS = 0.1  # of one who was turned away: shorter than Retry-After asks for


@dataclass
class Crowd:
    """What became of a crowd: answers by status, and refusals that did not say when to come back."""

    statuses: Counter[int] = field(default_factory=Counter)
    unannounced: int = 0


async def flood(url: str, headers: list[dict[str, str]], seconds: float) -> Crowd:
    """One shopper for each of the headers, all at once, as fast as they are answered, for so long."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as processes:
        return await asyncio.get_running_loop().run_in_executor(processes, _flood, url, headers, seconds)


def _flood(url: str, headers: list[dict[str, str]], seconds: float) -> Crowd:
    return asyncio.run(_all(url, headers, seconds))


async def _all(url: str, headers: list[dict[str, str]], seconds: float) -> Crowd:
    crowd = Crowd()
    limits = httpx.Limits(max_connections=len(headers), max_keepalive_connections=len(headers))
    async with httpx.AsyncClient(timeout=30, limits=limits) as client:
        end = time.monotonic() + seconds
        await asyncio.gather(*(_shopper(crowd, client, url, each, end) for each in headers))
    return crowd


async def _shopper(crowd: Crowd, client: httpx.AsyncClient, url: str, headers: dict[str, str], end: float) -> None:
    quantity = 0
    while time.monotonic() < end:
        quantity = quantity % 50 + 1
        answer = await client.put(url, json={"quantity": quantity}, headers=headers)
        crowd.statuses[answer.status_code] += 1
        if not answer.is_success:
            crowd.unannounced += "Retry-After" not in answer.headers
            await asyncio.sleep(PAUSE_SECONDS)
