"""Reading in bulk: single reads that are asked for at the same time become one request, and pages come ahead.

Rule of this file: a read begins after it was asked for, so what the asker wrote before is in the answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class Bulk(Generic[V]):
    """`fetch` answers many ids at once. While one fetch is under way, the ids asked for gather for the next."""

    def __init__(self, fetch: Callable[[list[str]], Awaitable[Mapping[str, V]]]) -> None:
        self._fetch = fetch
        self._open: _Batch[V] | None = None
        self._last: _Batch[V] | None = None

    async def load(self, ids: Iterable[str]) -> Mapping[str, V]:
        """The answer to these ids, and perhaps to others. Raises what `fetch` raises."""
        loop = asyncio.get_running_loop()
        batch = self._open
        if batch is None or batch.loop is not loop:
            batch = self._open = _Batch(loop)
            batch.task = loop.create_task(self._run(batch, self._last))
            self._last = batch
        batch.ids.update(ids)
        assert batch.task is not None
        return await asyncio.shield(batch.task)

    async def _run(self, batch: _Batch[V], previous: _Batch[V] | None) -> Mapping[str, V]:
        if previous is not None and previous.loop is batch.loop and previous.task is not None:
            await asyncio.wait({previous.task})
        if self._open is batch:
            self._open = None
        return await self._fetch(sorted(batch.ids, key=int))


class _Batch(Generic[V]):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.ids: set[str] = set()
        self.task: asyncio.Task[Mapping[str, V]] | None = None


async def ahead(reads: Iterable[Coroutine[Any, Any, V]], most: int) -> AsyncIterator[V]:
    """The results of `reads` in their order, with up to `most` of them under way at a time."""
    under_way: deque[asyncio.Task[V]] = deque()
    try:
        for read in reads:
            under_way.append(asyncio.create_task(read))
            if len(under_way) == most:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
