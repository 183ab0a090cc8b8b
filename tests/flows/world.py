"""A small world for tests of the engine: two systems in memory, one integration connector, a real ledger on disk.

Rule of this file: a test says what people did and what was asked; the world refreshes and tells what came of it.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.entity import Choice, Entity, EntityRef, Fields, RichText, Value
from connectors.memory import ALICE, BOB, LIMITS, MemorySystem, define, forget
from flows.engine import refresh_connector
from flows.report import RefreshOptions, Report
from flows.runtime import Runtime
from flows.stewardship import resolve
from ledger.model import Conflict, Failure, Intent, Link
from mappings.config import Side

NAME = "tickets"
WRITES = ("create", "update", "delete", "archive", "add_comment", "edit_comment", "delete_comment")
_numbers = itertools.count(1)

FIELDS: list[dict[str, Any]] = [
    {"left": "title", "right": "title"},
    {"left": "description", "right": "description"},
    {"left": "status", "right": "status"},
    {"left": "priority", "right": "priority"},
    {"left": "labels", "right": "labels"},
    {"left": "points", "right": "points"},
    {"left": "due", "right": "due"},
]
"""Every field of a ticket but its assignee, both ways."""


@dataclass
class WatchedSystem(MemorySystem):
    """A system in memory that counts what it is asked, and lets people act between two requests."""

    asked: Counter[str] = field(default_factory=Counter)
    meanwhile: list[tuple[str, Any]] = field(default_factory=list)
    """(kind of request, what somebody does just before it is served)."""

    @contextmanager
    def request(self, name: str, id: str = "") -> Iterator[None]:
        self.asked[name] += 1
        for waiting in [w for w in self.meanwhile if w[0] in ("", name)]:
            self.meanwhile.remove(waiting)
            waiting[1]()
        with super().request(name, id):
            yield

    @property
    def writes(self) -> int:
        """Requests that were meant to write."""
        return sum(self.asked[name] for name in WRITES)

    # What people do

    def make(self, title: str, *, scope: str = "", **fields: Any) -> EntityRef:
        """Somebody makes a ticket."""
        with self._by_hand():
            return self.add(scope, "ticket", canonical({"title": title, **fields}), by=ALICE).ref

    def change(self, ref: EntityRef, **fields: Any) -> None:
        """Somebody edits a ticket."""
        with self._by_hand():
            self.edit(ref, canonical(fields), by=BOB)

    @contextmanager
    def _by_hand(self) -> Iterator[None]:
        """What is refused, ignored or cut concerns our account alone."""
        kept = self.rejects, self.ignores, self.cuts
        self.rejects, self.ignores, self.cuts = {}, set(), {}
        try:
            yield
        finally:
            self.rejects, self.ignores, self.cuts = kept

    def value(self, ref: EntityRef, name: str) -> Any:
        return plain(self.row(ref).fields.get(name))

    def texts(self, ref: EntityRef) -> list[str]:
        """The comments of a ticket, oldest first."""
        return [comment.text.canonical for comment in self.row(ref).comments]

    @property
    def living(self) -> list[EntityRef]:
        return [row.ref for row in self.rows.values() if not row.gone]

    def titled(self, title: str) -> EntityRef:
        """The one living ticket with this title."""
        (found,) = [ref for ref in self.living if self.value(ref, "title") == title]
        return found


def canonical(fields: dict[str, Any]) -> Fields:
    """Plain Python values as the fields of a ticket hold them."""
    return {name: _canonical(name, value) for name, value in fields.items()}


def _canonical(name: str, value: Any) -> Value:
    if isinstance(value, list | tuple | set):
        return tuple(Choice(member) for member in sorted(value))
    if isinstance(value, str) and name in ("status", "priority"):
        return Choice(value)
    return RichText(value) if isinstance(value, str) and name == "description" else value


def plain(value: Value) -> Any:
    """The inverse: choices and texts as str, several values as a set."""
    if isinstance(value, tuple):
        return {plain(member) for member in value}
    return str(value) if isinstance(value, Choice | RichText) else value


class Clock:
    """The clock of both systems: the real one, put forward as a test wants, or standing still."""

    def __init__(self) -> None:
        self.start = datetime.now(UTC)
        self.ahead = timedelta()
        self.frozen: datetime | None = None

    def __call__(self) -> datetime:
        return (self.frozen or datetime.now(UTC)) + self.ahead

    def freeze(self) -> None:
        """No time passes any more but what a test lets pass."""
        self.frozen = datetime.now(UTC).replace(microsecond=300_000)

    def skewed(self, seconds: float) -> Callable[[], datetime]:
        """The same clock, set wrong by so much."""
        return lambda: self() + timedelta(seconds=seconds)


class World:
    """Two systems (`left`, `right`), the connector `tickets` between them, and its ledger in `folder`."""

    def __init__(self, folder: Path, *, kind: dict[str, Any] | None = None, **connector: Any) -> None:
        number = next(_numbers)
        self.folder, self.clock = folder, Clock()
        self.systems = {
            side: WatchedSystem(f"memory://{side}-{number}", clock=self.clock, limits=LIMITS) for side in Side
        }
        self.left, self.right = self.systems[Side.LEFT], self.systems[Side.RIGHT]
        for system in self.systems.values():
            define(system)
        self.kinds: dict[Side, dict[str, Any]] = {
            side: {"kind": "memory", "url": system.url, "timeout": "0.01s", **(kind or {})}
            for side, system in self.systems.items()
        }
        row = {"left": "ticket", "right": "ticket", "fields": FIELDS}
        self.row: dict[str, Any] = {**row, **connector.pop("row", {})}
        self.connector: dict[str, Any] = {
            "name": NAME, "left": "ours", "right": "theirs", "start_polling": "all", **connector,
        }  # fmt: skip
        self.path = folder / "group.yaml"
        self.database = folder / "ledger.db"
        self._runtime: Runtime | None = None

    # Configuration and process

    def write(self) -> None:
        """Write the configuration as it stands."""
        systems = {"ours": self.kinds[Side.LEFT], "theirs": self.kinds[Side.RIGHT]}
        connector = {"entities": [self.row], **self.connector}
        # JSON is YAML.
        self.path.write_text(json.dumps({"group": "world", "systems": systems, "connectors": [connector]}, indent=1))

    @property
    def runtime(self) -> Runtime:
        if self._runtime is None:
            self.write()
            self._runtime = Runtime.open(self.path, f"sqlite:///{self.database}")
        return self._runtime

    async def restart(self) -> None:
        """End the process and start another one: all that stays are the ledger and the configuration."""
        if self._runtime is not None:
            await self._runtime.close()
        self._runtime = None

    async def remap(self, **row: Any) -> None:
        """Edit the mapping while the process runs."""
        self.row = {**self.row, **row}
        self.write()
        loaded = await self.runtime.reload()
        assert loaded.ok, [f.problem for f in loaded.findings]

    async def close(self) -> None:
        await self.restart()
        for system in self.systems.values():
            forget(system.url)

    # Refreshing

    async def refresh(self, *, retry: bool = False, **options: Any) -> Report:
        self.outlast()
        return await refresh_connector(self.runtime, NAME, RefreshOptions(**options), retry=retry)

    async def synced(self, **options: Any) -> Report:
        """Refresh; nothing may fail."""
        report = await self.refresh(**options)
        assert report.outcome == "done", report.message
        assert self.failures() == []
        return report

    async def resolve(self, *, take: Side | None = None, **values: str) -> Report:
        """A steward settles the oldest open conflict."""
        return await resolve(self.runtime, self.conflicts()[0].id, take=take, values=values, reason="agreed by phone")

    def later(self, seconds: float = 10.0) -> None:
        """Time passes for both systems."""
        self.clock.ahead += timedelta(seconds=seconds)

    def outlast(self) -> None:
        """No interrupted call can be under way any more."""
        now = datetime.now(UTC)
        with self.runtime.ledger.begin() as tx:
            tx.save_intents([replace(i, expires=now) for i in self.intents()])

    def forgive(self) -> None:
        """The pauses of all failures are over."""
        now = datetime.now(UTC)
        with self.runtime.ledger.begin() as tx:
            tx.save_failures([replace(f, next=now) for f in self.failures()])

    # What came of it

    @property
    def writes(self) -> int:
        """Requests that were meant to write, on both sides, since the world began."""
        return self.left.writes + self.right.writes

    def links(self) -> list[Link]:
        return self.runtime.ledger.links(NAME)

    def link(self, side: Side, ref: EntityRef) -> Link:
        (link,) = [link for link in self.links() if link.end(side).ref == ref]
        return link

    def twin(self, ref: EntityRef, side: Side = Side.LEFT) -> EntityRef:
        """The twin of an entity of `side`."""
        return self.link(side, ref).end(side.other).ref

    def conflicts(self, state: str = "open") -> list[Conflict]:
        return self.runtime.ledger.conflicts(NAME, state=state)

    def failures(self) -> list[Failure]:
        return self.runtime.ledger.failures(NAME, state="open")

    def intents(self) -> list[Intent]:
        return self.runtime.ledger.intents(NAME)

    def entity(self, side: Side, ref: EntityRef) -> Entity:
        found = self.systems[side].get(ref)
        assert isinstance(found, Entity)
        return found

    async def pair(self, title: str = "Boiler leaks", **fields: Any) -> tuple[EntityRef, EntityRef]:
        """A pair that agrees, long settled."""
        left = self.left.make(title, **fields)
        await self.synced()
        self.later()
        await self.synced()
        self.later()
        return left, self.twin(left)
