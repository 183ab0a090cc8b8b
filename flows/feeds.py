"""The feeds of a job: pages of what changed on both sides since the cursors.

Rule of this file: nothing that changed is ever passed over. A window overlaps the last one, a broken stream begins
again where it was last whole, and a cursor only tells what the batch before it has recorded.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connectors.contract import FeedsComments, Query, Searches
from connectors.entity import EntityRef, Page
from connectors.errors import ConfigurationError
from flows.job import End, Job
from ledger.model import Cursor, Feed
from mappings.config import Side
from mappings.start import start_polling

BATCH = 300
"""Entities of one feed that are worked on together at most, give or take a page: what came while others were."""
FALLBACK_START = timedelta(hours=26)
"""SPEC B15: where the source has no data, polling starts this long before now."""


@dataclass(slots=True)
class Reading:
    """One feed being read. `latest` is the newest change seen; `began_at` the system's clock at the first page."""

    end: End
    feed: Feed
    query: Query
    cursor: Cursor
    latest: datetime | None = None
    began_at: datetime | None = None
    stream: AsyncIterator[Page] | None = None
    pages: Sequence[Page] = ()
    """The pages that are now at work."""
    last: bool = False
    """No page comes after those at work."""
    over: bool = False
    """The stream has ended; pages that were fetched ahead may still wait for their turn."""

    async def next(self) -> Page | None:
        """The next page, None after the last. After an error the next call begins again where it was last whole."""
        if self.over:
            return None
        if self.stream is None:
            self.stream = self._open()
        try:
            page = await anext(self.stream, None)
        except BaseException:
            self.stream = None
            raise
        self.over = page is None
        return page

    async def some(self, enough: asyncio.Event) -> list[Page]:
        """The next pages: one, and what more there is until it is enough. None of them after the last."""
        found: list[Page] = []
        while sum(len(page.entities) for page in found) < BATCH and not (found and enough.is_set()):
            try:
                page = await self.next()
            except Exception:
                if not found:
                    raise
                break  # what came whole goes to work; the next call meets the error, if it is still there
            if page is None:
                break
            found.append(page)
        return found

    def delivered(self, pages: Sequence[Page]) -> None:
        """The pages go to work: once their outcomes are recorded, the cursor may move past them."""
        self.pages, self.last = pages, self.over
        for page in pages:
            self.began_at = self.began_at or page.server_time
        if self.feed.feed == "comments":
            return  # its entities' times say nothing about when a comment changed: the scan's own time does
        times = [entity.modified for page in pages for entity in page.entities if entity.modified is not None]
        self.latest = max([*times, self.latest] if self.latest else times, default=None)

    def _open(self) -> AsyncIterator[Page]:
        since = self.query.since
        if self.latest is not None and self.end.limits.timestamp_resolution is not None:
            since = max(self.latest, since) if since else self.latest
        query = Query(self.query.scope, self.query.entity_type, since, self.query.fields, self.query.native)
        if self.feed.feed == "comments" and isinstance(self.end.connector, FeedsComments):
            return self.end.connector.comment_changes(query)
        return self.end.connector.changes(query)

    def reached(self) -> Cursor:
        """Where the cursor stands once everything read so far is recorded."""
        newest = max((moment for moment in (self.latest, self.cursor.since) if moment), default=None)
        return Cursor(newest, (self.began_at or self.cursor.scanned) if self.last else self.cursor.scanned)


class Feeds:
    """All feeds of a job: entities of both sides, and comments where they do not show in an entity's time."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.starts: dict[Side, datetime | None] = {}
        self.readings: list[Reading] = []
        self.seen: dict[Side, datetime] = {}
        """The systems' clocks when the pages now at work were read."""
        self._upcoming: list[asyncio.Task[list[Page]]] = []
        self._enough = asyncio.Event()

    async def open(self) -> None:
        """Resolve the start of polling, find the cursors."""
        for side, end in self.job.ends.items():
            self.starts[side] = await resolve_start(self.job, end)
            self.readings.append(self._reading(end, "entities"))
            # A description may be a comment to its system (Roundup): the feed is read though none are mapped.
            if isinstance(end.connector, FeedsComments):
                self.readings.append(self._reading(end, "comments"))
            if native := _native(self.job, end):
                self.readings.append(self._reading(end, "native", native))

    def _reading(self, end: End, name: str, native: str | None = None) -> Reading:
        job = self.job
        feed = Feed(job.name, job.target.name, job.row.key, end.side, name, _fingerprint(job, end))
        cursor = job.ledger.cursor(feed) or Cursor()
        since = job.options.since or (None if job.options.full else window(end, cursor, self.starts[end.side]))
        return Reading(end, feed, Query(end.scope, end.type, since, native=native), cursor)

    async def next(self) -> dict[Side, list[Page]] | None:
        """The pages of each feed that has more, as far as they came; None when all are read."""
        self.fetch_ahead()
        self._enough.set()
        upcoming, self._upcoming = self._upcoming, []
        answers = await asyncio.gather(*upcoming, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                self._put_back(answers)
                raise answer
        found: dict[Side, list[Page]] = {side: [] for side in Side}
        for reading, answer in zip(self.readings, answers, strict=True):
            pages = answer if isinstance(answer, list) else []
            reading.delivered(pages)
            if pages:
                # Of several moments the first: an entity counts as settled by it, never too early.
                self.seen[reading.end.side] = min([reading.end.heard(page.server_time) for page in pages])
                found[reading.end.side] += pages
        return found if any(found.values()) else None

    def fetch_ahead(self) -> None:
        """Start on the next pages while the present ones are worked on."""
        if not self._upcoming:
            self._enough = asyncio.Event()
            self._upcoming = [asyncio.ensure_future(reading.some(self._enough)) for reading in self.readings]

    def _put_back(self, answers: Sequence[list[Page] | BaseException]) -> None:
        """One feed broke: what the others gave is kept for the next call."""

        async def again(pages: list[Page]) -> list[Page]:
            return pages

        self._enough = asyncio.Event()
        self._upcoming = [
            asyncio.ensure_future(again(answer) if isinstance(answer, list) else reading.some(self._enough))
            for reading, answer in zip(self.readings, answers, strict=True)
        ]

    def came_by(self, feed: str) -> dict[Side, set[EntityRef]]:
        """The entities of the pages at work that came by this feed; a side that has no such feed is not there."""
        return {
            reading.end.side: {entity.ref for page in reading.pages for entity in page.entities}
            for reading in self.readings
            if reading.feed.feed == feed
        }

    def matched(self) -> dict[Side, set[EntityRef]]:
        """What the native queries found: they only gate what is new, linked entities are polled without them."""
        return self.came_by("native")

    def cursors(self) -> list[tuple[Feed, Cursor]]:
        """Where the cursors stand once everything read so far is recorded. None for a run that looks elsewhere."""
        if self.job.options.since is not None:
            return []
        moved = [(reading.feed, reading.reached()) for reading in self.readings]
        return [
            (feed, cursor)
            for (feed, cursor), reading in zip(moved, self.readings, strict=True)
            if cursor != reading.cursor
        ]

    async def close(self) -> None:
        for task in self._upcoming:
            task.cancel()
        await asyncio.gather(*self._upcoming, return_exceptions=True)
        self._upcoming = []


def _native(job: Job, end: End) -> str | None:
    """The native query of a side. Raises ConfigurationError where its system has none."""
    native = given.native if (given := job.row.criteria.of(end.side)) else None
    if native and not isinstance(end.connector, Searches):
        raise ConfigurationError(
            f"criteria.{end.side}.native: {end.connector.kind} has no query language",
            remedy="Write the condition under `if:` instead.",
        )
    return native


def window(end: End, cursor: Cursor, start: datetime | None) -> datetime | None:
    """From when to poll: the last change seen, and not later than the last scan could be sure of.

    Once the last change is older than that, its tick is over: nothing can join it any more, and it is not read again.
    """
    tick = end.limits.timestamp_resolution
    if tick is None:
        return None
    if cursor.since and cursor.scanned and cursor.scanned - cursor.since > end.settle_time:
        return cursor.since + tick
    if cursor.scanned:
        return min(cursor.scanned - end.settle_time, cursor.since or cursor.scanned)
    # A system that does not tell its time: what may have come late is read again each time.
    return cursor.since - end.settle_time if cursor.since else start


async def resolve_start(job: Job, end: End) -> datetime | None:
    """The start of polling, resolved once at activation and stored; None = everything takes part."""
    known, moment = job.ledger.start(job.name, job.target.name, job.row.key, end.side)
    if known:
        return moment
    moment = await _resolve(job, end)
    if job.lease is not None:
        with job.ledger.begin(job.lease) as tx:
            tx.save_start(job.name, job.target.name, job.row.key, end.side, moment)
    return moment


async def _resolve(job: Job, end: End) -> datetime | None:
    configured = start_polling(job.connector, job.target, job.row)
    if isinstance(configured, datetime):
        return configured
    if configured == "all" or end.limits.timestamp_resolution is None:
        return None
    offset = timedelta(seconds=(await end.info()).clock_offset)
    now = datetime.now(UTC) + offset
    if configured == "now":
        return now
    # The last update on the source. If nothing changed within the fallback, starting there takes in the same.
    latest = now - FALLBACK_START
    async for page in end.connector.changes(Query(end.scope, end.type, latest)):
        latest = max([latest, *(entity.modified for entity in page.entities if entity.modified)])
    return latest


def _fingerprint(job: Job, end: End) -> str:
    """Of scope, query and criteria: a feed with another fingerprint is another feed and is scanned again."""
    given = job.row.criteria.of(end.side)
    content = [end.identity, end.scope, end.type, given.model_dump(mode="json", by_alias=True) if given else None]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]
