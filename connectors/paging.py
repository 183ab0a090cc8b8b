"""Paging as tiny objects without I/O: they say where the next page begins, the connector fetches it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Hashable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

Row = TypeVar("Row")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen:
    """What tells one state of one entity from another: `key` moves with every edit, `at` is its modified time."""

    key: Hashable
    at: datetime


class ByModified(Generic[Row]):
    """Pages of a listing sorted by modified time, oldest first, that lose nothing although entities are edited.

    Ask for everything modified at or after `since` (inclusive; None = from the beginning), leave out `offset` of it,
    take at most `size`; hand the answer to `fresh`; go on until `done`.

    Each page starts at the last time seen; the offset only counts within that. An edit takes an entity away from
    before the offset and would push its successors past us: so each page begins with an entity that we know already.
    If it does not, we step back until it does.
    """

    def __init__(self, since: datetime | None, size: int) -> None:
        self.since = since
        self.size = size
        self.offset = 0
        self.done = False
        self._seen: dict[Hashable, datetime] = {}

    def fresh(self, page: Sequence[tuple[Seen, Row]]) -> list[Row]:
        """The rows of this page that no earlier page brought."""
        if self.offset and not (page and page[0][0].key in self._seen):
            self.offset = max(0, self.offset - self.size + 1)
            return []
        rows = [row for seen, row in page if seen.key not in self._seen]
        self._seen.update({seen.key: seen.at for seen, _ in page})
        self.done = len(page) < self.size
        if page and not self.done:
            self._advance(page[-1][0].at)
        return rows

    def _advance(self, last: datetime) -> None:
        if self.since is not None and last <= self.since:
            self.offset += self.size - 1
            return
        self.since = last
        # What is older may still be listed by a system with coarse times; it cannot be unknown.
        self._seen = {key: at for key, at in self._seen.items() if (last - at).total_seconds() <= 1}
        self.offset = sum(at >= last for at in self._seen.values()) - 1


@dataclass(frozen=True, slots=True)
class Listed(Generic[Row]):
    """One answer of a listing: its rows, how many there are in all from `since` on, and the system's clock then."""

    page: Sequence[tuple[Seen, Row]]
    total: int
    at: datetime | None = None


Ask = Callable[[datetime | None, int], Coroutine[Any, Any, Listed[Row]]]
"""(since, offset) -> that page of a listing sorted by modified time, oldest first."""


async def pages_ahead(
    pages: ByModified[Row], ask: Ask[Row], most: int
) -> AsyncGenerator[tuple[list[Row], datetime | None], None]:
    """What `pages` brings, with up to `most` requests under way: the fresh rows of each page, and the clock then.

    The first page tells how many follow; the full ones among them are asked for at once, each from the last row of
    the page before. An edit moves its entity to the end and pulls all that follow one place forward: then a page does
    not begin with the row that it should, what was asked for ahead is thrown away, and it goes on from the last row.
    The end is asked for alone, when nothing else is under way: whoever moved meanwhile is found there.
    """
    while not pages.done:
        since, offset = pages.since, pages.offset
        listed = await ask(since, offset)
        fresh = pages.fresh(listed.page)
        yield fresh, listed.at
        if pages.done or not fresh:
            continue
        step = pages.size - 1
        places = range(offset + step, listed.total - pages.size + 1, step)
        async with aclosing(ahead((ask(since, place) for place in places), most)) as answers:
            async for following in answers:
                if len(following.page) < pages.size or following.page[0][0].key != listed.page[-1][0].key:
                    break
                listed = following
                yield pages.fresh(listed.page), listed.at


async def ahead(asked: Iterable[Coroutine[Any, Any, T]], most: int) -> AsyncGenerator[T, None]:
    """The results of `asked` in their order, with up to `most` of them under way at a time."""
    under_way: deque[asyncio.Task[T]] = deque()
    try:
        for one in asked:
            under_way.append(asyncio.create_task(one))
            if len(under_way) == most:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
