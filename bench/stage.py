"""What the benchmarks share: trackers to measure against, a configuration, a result, and the hand-written loop.

Rule of this file: what is compared runs on the same trackers, in the same run, with as many requests in flight.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any
from urllib.request import urlopen

import httpx

from bench.connector import BenchConnector
from flows.engine import refresh_connector
from flows.report import RefreshOptions, Report
from flows.runtime import Runtime

NAME = "tickets"
IN_FLIGHT = 8
"""Requests at the same time: the default budget of a system, and what the bare loops get."""
PAGE = BenchConnector.limits.max_page
ROUNDS = 3
FIELDS: list[dict[str, Any]] = [
    {"left": "title", "right": "title"},
    {"left": "description", "right": "description"},
    {"left": "status", "right": "status", "values": {"open": "open", "in progress": "in progress", "closed": "closed"}},
    {"left": "priority", "right": "priority"},
    {"left": "labels", "right": "labels"},
    {"left": "due", "right": "due"},
]
"""Six rows, both ways: text, rich text, a value table, a choice, several values, a date."""


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table. `met` is None where there is no target."""

    what: str
    measured: str
    target: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        return "" if self.met is None else "met" if self.met else "missed"


@contextmanager
def tracker(tickets: int = 0, latency: float = 0.0) -> Iterator[str]:
    """A tracker in a process of its own: its url."""
    command = [sys.executable, "-m", "bench.server", "--tickets", str(tickets), "--latency", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def counts(url: str) -> dict[str, int]:
    """Requests that a tracker has served so far, by kind."""
    with urlopen(f"{url}/counts") as answer:
        found: dict[str, int] = json.load(answer)
    return found


def configure(folder: Path, left: str, right: str, **connector: Any) -> Path:
    """Write a group with one connector between two trackers; its path."""
    systems = {
        name: {"kind": "bench.connector.BenchConnector", "url": url, "max_concurrency": IN_FLIGHT}
        for name, url in (("ours", left), ("theirs", right))
    }
    entities = [{"left": "ticket", "right": "ticket", "fields": FIELDS}]
    given = {"name": NAME, "left": "ours", "right": "theirs", "start_polling": "all", "entities": entities, **connector}
    path = folder / "group.yaml"
    # JSON is YAML.
    path.write_text(json.dumps({"group": "bench", "systems": systems, "connectors": [given]}))
    return path


@asynccontextmanager
async def engine(left: str, right: str, **connector: Any) -> AsyncIterator[Runtime]:
    """A runtime with a new ledger on disk."""
    with TemporaryDirectory() as folder:
        path = configure(Path(folder), left, right, **connector)
        async with Runtime.open(path, f"sqlite:///{folder}/ledger.db") as runtime:
            yield runtime


async def refresh(runtime: Runtime, **options: Any) -> Report:
    """One refresh without Prefect. What failed ends the benchmark."""
    report = await refresh_connector(runtime, NAME, RefreshOptions(**options))
    if report.outcome != "done":
        raise RuntimeError(report.message)
    return report


async def bare_read(url: str) -> int:
    """Every ticket of a tracker by hand: the first page tells how many follow, eight are in flight. Their number."""
    async with httpx.AsyncClient(base_url=url) as client:

        async def page(offset: int) -> Mapping[str, Any]:
            answer = await client.get("/tickets", params={"offset": offset, "limit": PAGE})
            told: dict[str, Any] = answer.raise_for_status().json()
            return told

        first = await page(0)
        found = len(first["tickets"])

        async def worker(places: Iterator[int]) -> int:
            return sum([len((await page(place))["tickets"]) for place in places])

        places = iter(range(PAGE, first["total"], PAGE))
        return found + sum(await asyncio.gather(*(worker(places) for _ in range(IN_FLIGHT))))


async def bare_create(url: str, tickets: Iterable[Mapping[str, Any]]) -> None:
    """Create tickets by hand, eight in flight."""
    async with httpx.AsyncClient(base_url=url) as client:

        async def worker(rows: Iterator[Mapping[str, Any]]) -> None:
            for row in rows:
                (await client.post("/tickets", json=dict(row))).raise_for_status()

        rows = iter(tickets)
        await asyncio.gather(*(worker(rows) for _ in range(IN_FLIGHT)))


class Watch:
    """Seconds of several attempts at each of several things, taken in turns. The best one counts: all that the others
    differ by is what else the machine was doing."""

    def __init__(self) -> None:
        self._taken: dict[str, list[float]] = {}

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        began = perf_counter()
        yield
        self._taken.setdefault(name, []).append(perf_counter() - began)

    def seconds(self, name: str) -> float:
        return min(self._taken[name])
