"""Intents: what is about to be written, on disk before the call (SPEC D4).

Rule of this file: no call begins that could still be under way when its intent expires; recovery relies on it to
conclude that something was not written. Intents are recorded in groups, one durable commit for many calls.
"""

from __future__ import annotations

import uuid
from collections.abc import Hashable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.entity import EntityRef
from flows.job import Job
from ledger.model import Intent
from mappings.config import Side

MARGIN = timedelta(seconds=10)
"""Calls of a group may begin this long after its commit before its intents are renewed."""


def intent(
    job: Job,
    kind: str,
    side: Side,
    payload: Mapping[str, Any],
    *,
    source: EntityRef | None = None,
    link: int | None = None,
) -> Intent:
    """An intent to write on `side`, not yet recorded."""
    now = datetime.now(UTC)
    place = (job.name, job.target.name, job.row.key)
    marker = f"syncline-{uuid.uuid4().hex}"
    return Intent(0, *place, kind, side, source, link, marker, payload, now, now + job.ends[side].call_time + MARGIN)


class Intents:
    """The recorded intents of one write stage, by whatever tells them apart. In a dry run there are none."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._open: dict[Hashable, Intent] = {}
        self._begun: set[Hashable] = set()

    def record(self, intents: Mapping[Any, Intent]) -> None:
        """Commit them durably, all at once."""
        if intents and self.job.lease is not None:
            with self.job.ledger.begin(self.job.lease, durable=True) as tx:
                self._open |= dict(zip(intents, tx.save_intents(list(intents.values())), strict=True))

    def not_begun(self) -> list[Intent]:
        """Those whose call never began."""
        return [found for key, found in self._open.items() if key not in self._begun]

    def get(self, key: Hashable) -> Intent | None:
        return self._open.get(key)

    def cover(self, key: Hashable) -> Intent | None:
        """The intent of a call that begins now; all of the group are renewed where it could outlast its own."""
        found = self._open.get(key)
        if found is None:
            return None
        self._begun.add(key)
        now, call = datetime.now(UTC), self.job.ends[found.side].call_time
        if now + call > found.expires and self.job.lease is not None:
            renewed = {k: replace(i, expires=now + call + MARGIN) for k, i in self._open.items()}
            still = {i.id for i in self.job.ledger.intents(self.job.name)}
            self.record({k: i for k, i in renewed.items() if i.id in still})
        return self._open[key]
