"""Pages that are asked for ahead lose nothing, whatever is edited while they are under way."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from connectors.paging import ByModified, Listed, Seen, pages_ahead

START = datetime(2026, 11, 21, 8, tzinfo=UTC)


class Tracker:
    """Entities with distinct modified times; before each answer somebody may edit, and answers come in any order."""

    def __init__(self, entities: int, edits: list[list[int]], delays: list[int]) -> None:
        self.times = {number: START + timedelta(seconds=number) for number in range(entities)}
        self.clock = START + timedelta(seconds=entities)
        self.edits, self.delays = edits, delays
        self.asked = self.under_way = self.most = 0

    async def ask(self, since: datetime | None, offset: int) -> Listed[int]:
        self.asked += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            for _ in range(self.delays.pop(0) if self.delays else 1):
                await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        for number in self.edits.pop(0) if self.edits else ():
            self.edit(number)
        rows = sorted((at, n) for n, at in self.times.items() if since is None or at >= since)
        page = [(Seen((n, at), at), n) for at, n in rows[offset : offset + 3]]
        return Listed(page, len(rows), self.clock)

    def edit(self, number: int) -> None:
        if number in self.times:
            self.clock += timedelta(seconds=1)
            self.times[number] = self.clock


async def arrived(tracker: Tracker, most: int = 4) -> list[int]:
    pages = pages_ahead(ByModified(None, 3), tracker.ask, most)
    return [row async for rows, _ in pages for row in rows]


@given(
    entities=st.integers(0, 40),
    edits=st.lists(st.lists(st.integers(0, 40), max_size=3), max_size=30),
    delays=st.lists(st.integers(1, 9), max_size=40),
    most=st.integers(1, 8),
)
async def test_every_entity_arrives(entities: int, edits: list[list[int]], delays: list[int], most: int) -> None:
    tracker = Tracker(entities, edits, delays)
    assert set(await arrived(tracker, most)) == set(range(entities))
    assert tracker.most <= most
    assert tracker.under_way == 0


async def test_nobody_edits_and_nothing_comes_twice() -> None:
    came = await arrived(Tracker(20, [], []))
    assert came == list(range(20)), "each once, oldest first"


async def test_pages_are_under_way_at_the_same_time() -> None:
    tracker = Tracker(40, [], [])
    await arrived(tracker, 4)
    assert tracker.most == 4


async def test_a_listing_that_fits_into_one_page_costs_one_request() -> None:
    tracker = Tracker(2, [], [])
    assert await arrived(tracker) == [0, 1]
    assert tracker.asked == 1


async def test_who_stops_early_leaves_nothing_under_way() -> None:
    tracker = Tracker(40, [], [])
    async with aclosing(pages_ahead(ByModified(None, 3), tracker.ask, 4)) as pages:
        await anext(pages)
        await anext(pages)
    assert tracker.under_way == 0
