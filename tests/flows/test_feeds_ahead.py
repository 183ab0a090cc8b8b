"""Pages that come while a batch is at work wait for each other, and the cursor never moves past what waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from connectors.contract import Query
from connectors.entity import Page
from connectors.errors import Unavailable
from connectors.memory import LIMITS, MemoryConfig, MemoryConnector, MemorySystem, define, forget
from flows.feeds import Reading
from flows.guard import Writer
from flows.job import End
from ledger.model import Cursor, Feed
from mappings.config import Side
from mappings.translate import Directory

URL = "memory://feeds-ahead"


@pytest.fixture
def system() -> Iterator[MemorySystem]:
    """Seven tickets, in pages of two."""
    made = define(MemorySystem(URL, limits=replace(LIMITS, max_page=2)))
    for number in range(7):
        made.add("", "ticket", {"title": str(number)}, by=made.users[1])
    yield made
    forget(URL)


@pytest.fixture
def reading(system: MemorySystem) -> Reading:
    connector = MemoryConnector(MemoryConfig(url=system.url, max_page=2))
    writer = Writer(connector, Side.LEFT, frozenset(), lambda _: None)
    end = End(Side.LEFT, connector, system.url, "", "ticket", 1.0, Directory(), writer)
    feed = Feed("tickets", "", "ticket=ticket", Side.LEFT, "entities", "")
    return Reading(end, feed, Query("", "ticket"), Cursor())


def titles(pages: list[Page]) -> list[object]:
    return [entity.fields["title"] for page in pages for entity in page.entities]


async def test_what_comes_while_nobody_waits_is_taken_together(reading: Reading) -> None:
    assert titles(await reading.some(asyncio.Event())) == list("0123456")


async def test_who_waits_gets_the_first_page_that_comes(reading: Reading) -> None:
    waiting = asyncio.Event()
    waiting.set()
    assert titles(await reading.some(waiting)) == list("01")


async def test_the_scan_has_ended_only_when_its_last_page_is_at_work(reading: Reading) -> None:
    waiting = asyncio.Event()
    waiting.set()
    reading.delivered(await reading.some(waiting))
    ahead = await reading.some(asyncio.Event())
    assert reading.reached().scanned is None, "pages still wait that the ledger knows nothing of"
    reading.delivered(ahead)
    assert reading.reached().scanned is not None


async def test_what_came_before_an_error_goes_to_work_and_the_rest_follows(
    reading: Reading, system: MemorySystem
) -> None:
    pages = reading.end.connector.changes(reading.query)
    reading.stream = broken_after(2, pages)
    first = await reading.some(asyncio.Event())
    assert titles(first) == list("0123")
    reading.delivered(first)
    system.fail(Unavailable("still down"), on="changes")
    with pytest.raises(Unavailable):
        await reading.some(asyncio.Event())
    rest = await reading.some(asyncio.Event())
    assert set(titles([*first, *rest])) == set("0123456")


async def broken_after(most: int, pages: AsyncIterator[Page]) -> AsyncIterator[Page]:
    for _ in range(most):
        yield await anext(pages)
    raise Unavailable("down")
