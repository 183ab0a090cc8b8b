"""What waits for somebody: conflicts for a steward, failures for a retry, requests for a refresh.

Rule of this file: closing keeps the row. What a person once had to decide can be looked up later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, select, update

from connectors.entity import EntityRef
from ledger import codec, tables
from ledger.access import Reader, Writer, chunks
from ledger.database import insert_or
from ledger.model import Conflict, Failure, RefreshRequest
from mappings.config import Side

_conflicts = tables.conflicts.c
_failures = tables.failures.c
_requests = tables.requests.c


class InboxReader(Reader):
    def conflicts(
        self,
        connector: str | None = None,
        *,
        state: str | None = None,
        link: int | None = None,
        ids: Collection[int] | None = None,
    ) -> list[Conflict]:
        """Conflicts, oldest first."""
        where = _given((_conflicts.connector, connector), (_conflicts.state, state), (_conflicts.link, link))
        statement = select(tables.conflicts).where(*where).order_by(_conflicts.id)
        return [codec.conflict_from(row) for row in self._all_of(statement, _conflicts.id, ids)]

    def failures(
        self,
        connector: str | None = None,
        *,
        state: str | None = None,
        due: datetime | None = None,
        ids: Collection[int] | None = None,
    ) -> list[Failure]:
        """Failures, oldest first. `due`: only open ones that are to be tried again by themselves by that moment."""
        where = _given((_failures.connector, connector), (_failures.state, state))
        if due is not None:
            where += [_failures.state == "open", _failures.next <= due]
        statement = select(tables.failures).where(*where).order_by(_failures.id)
        return [codec.failure_from(row) for row in self._all_of(statement, _failures.id, ids)]

    def requests(self, connector: str | None = None) -> list[RefreshRequest]:
        """Requests to refresh that nobody has taken yet, oldest first."""
        statement = select(tables.requests).where(*_given((_requests.connector, connector))).order_by(_requests.id)
        return [codec.request_from(row) for row in self._all(statement)]


class InboxWriter(InboxReader, Writer):
    def save_conflicts(self, conflicts: list[Conflict]) -> list[Conflict]:
        """Insert those with id 0, update the others; all of them, with their ids, in the given order.

        A field of a link has at most one open conflict: a new one updates it, and keeps its id and moment.
        """
        there = {_field(found): found for found in self._open_conflicts({c.link for c in conflicts if not c.id})}
        known = []
        for conflict in conflicts:
            first = None if conflict.id else there.get(_field(conflict))
            known.append(replace(conflict, id=first.id, at=first.at) if first else conflict)
        return self._save(tables.conflicts, known, codec.conflict_row, _field)

    def close_conflicts(self, link: int, state: str, *, fields: Collection[str] | None = None) -> None:
        """Close the open conflicts of a link (of some fields) as `resolved` or `agreed`."""
        where = [_conflicts.link == link, _conflicts.state == "open"]
        if fields is not None:
            where.append(_conflicts.field.in_(list(fields)))
        self._run(update(tables.conflicts).where(*where).values(state=state))

    def save_failures(self, failures: list[Failure]) -> list[Failure]:
        """Insert those with id 0, update the others; all of them, with their ids, in the given order.

        An entity has at most one open failure per connector, target and side: a new one updates it.
        """
        there = {_place(found): found.id for found in self._open_failures([f for f in failures if not f.id])}
        known = [failure if failure.id else replace(failure, id=there.get(_place(failure), 0)) for failure in failures]
        return self._save(tables.failures, known, codec.failure_row, _place)

    def close_failures(
        self,
        connector: str,
        *,
        target: str | None = None,
        side: Side | None = None,
        refs: Collection[EntityRef] | None = None,
        ids: Collection[int] | None = None,
        state: str = "done",
    ) -> int:
        """Close open failures as `done` or `ignored`, and say how many: of these entities, these ids, or all."""
        where = _given((_failures.connector, connector), (_failures.target, target), (_failures.side, side))
        close = update(tables.failures).where(*where, _failures.state == "open").values(state=state)
        if ids is not None:
            return sum(self._run(close.where(_failures.id.in_(chunk))) for chunk in chunks(ids))
        if refs is not None:
            return sum(self._run(close.where(where)) for where in _each_of(refs))
        return self._run(close)

    def add_request(self, connector: str, options: Mapping[str, Any], by: str) -> RefreshRequest:
        """Ask for a refresh. An untaken request with equal options is that request (SPEC A3)."""
        key = hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()
        row = {
            "connector": connector,
            "options": dict(options),
            "options_key": key,
            "at": datetime.now(UTC),
            "requested_by": by,
        }
        statement = insert_or(self._connection, tables.requests).values(row)
        # Writing the same key again changes nothing, but answers the row that is there, in one step.
        merged = statement.on_conflict_do_update(
            index_elements=[_requests.connector, _requests.options_key], set_={"options_key": key}
        )
        return codec.request_from(self._connection.execute(merged.returning(tables.requests)).one())

    def take_requests(self, ids: Collection[int]) -> None:
        """These requests are being served now: they leave the ledger."""
        self._delete(tables.requests, ids)

    def _open_conflicts(self, links: Collection[int]) -> list[Conflict]:
        statement = select(tables.conflicts).where(_conflicts.state == "open")
        return [codec.conflict_from(row) for row in self._all_of(statement, _conflicts.link, links)]

    def _open_failures(self, like: list[Failure]) -> Iterator[Failure]:
        """Open failures of the same entities (and perhaps of their namesakes elsewhere)."""
        connectors = {failure.connector for failure in like}
        statement = select(tables.failures).where(_failures.connector.in_(connectors), _failures.state == "open")
        for where in _each_of({failure.entity for failure in like}):
            yield from (codec.failure_from(row) for row in self._all(statement.where(where)))


def _given(*pairs: tuple[ColumnElement[Any], str | int | None]) -> list[ColumnElement[bool]]:
    """The conditions of the values that are given."""
    return [column == value for column, value in pairs if value is not None]


def _field(conflict: Conflict) -> tuple[int, str]:
    """What can have one open conflict at a time."""
    return conflict.link, conflict.field


def _place(failure: Failure) -> tuple[str, str, Side, EntityRef]:
    """What can have one open failure at a time."""
    return failure.connector, failure.target, failure.side, failure.entity


def _each_of(refs: Collection[EntityRef]) -> Iterator[ColumnElement[bool]]:
    """Conditions that together find the failures of these entities, each with a list of bounded length."""
    by_type: dict[str, set[str]] = {}
    for ref in refs:
        by_type.setdefault(ref.type, set()).add(ref.id)
    for type, ids in by_type.items():
        for chunk in chunks(ids):
            yield and_(_failures.entity_type == type, _failures.entity_id.in_(chunk))
