"""Paging as tiny objects without I/O: they say where the next page begins, the connector fetches it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

Row = TypeVar("Row")


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
