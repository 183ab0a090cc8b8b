"""How far a connector has come: cursors, resolved starts of polling, mapping versions, and intents under way.

Rule of this file: an intent is in the ledger before its call leaves, and leaves the ledger with its outcome (SPEC D4).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, select

from ledger import codec, tables
from ledger.access import Reader, Writer
from ledger.model import Cursor, Feed, Intent
from mappings.config import Side

_cursors = tables.cursors.c
_starts = tables.polling_starts.c
_versions = tables.mapping_versions.c


class ProgressReader(Reader):
    def intents(self, connector: str) -> list[Intent]:
        """What the connector was about to write when it last said so, oldest first."""
        intents = tables.intents.c
        statement = select(tables.intents).where(intents.connector == connector).order_by(intents.id)
        return [codec.intent_from(row) for row in self._all(statement)]

    def cursor(self, feed: Feed) -> Cursor | None:
        """Where the feed stands. None: it was never polled, or under another fingerprint; scan from the start."""
        row = self._first(select(tables.cursors).where(*_of_feed(feed), _cursors.fingerprint == feed.fingerprint))
        return Cursor(row.since, row.scanned) if row else None

    def start(self, connector: str, target: str, row: str, side: Side) -> tuple[bool, datetime | None]:
        """The start of polling as resolved at activation (SPEC B15): whether it is known, and the moment.

        No moment means everything.
        """
        found = self._first(select(_starts.moment).where(*_of_start(connector, target, row, side)))
        return (True, found.moment) if found else (False, None)

    def mapping_version(self, connector: str, version: str) -> dict[str, Any] | None:
        """The fingerprints of that version: {entity row key: {field row key: fingerprint}}."""
        where = (_versions.connector == connector, _versions.version == version)
        row = self._first(select(_versions.fingerprints).where(*where))
        return row.fingerprints if row else None


class ProgressWriter(ProgressReader, Writer):
    def save_intents(self, intents: list[Intent]) -> list[Intent]:
        """Insert those with id 0, update the others; all of them, with their ids, in the given order."""
        return self._save(tables.intents, intents, codec.intent_row)

    def drop_intents(self, ids: Collection[int]) -> None:
        self._delete(tables.intents, ids)

    def save_cursor(self, feed: Feed, cursor: Cursor) -> None:
        """Replaces the feed's cursor, that of another fingerprint too."""
        place = {"connector": feed.connector, "target": feed.target, "entity_row": feed.row, "side": str(feed.side)}
        stand = {"fingerprint": feed.fingerprint, "since": cursor.since, "scanned": cursor.scanned}
        self._put(tables.cursors, [{**place, "feed": feed.feed, **stand}])

    def reset_cursors(self, connector: str, target: str | None = None) -> None:
        """Forget where the connector (or one target of it) stands: it scans again from its start of polling."""
        where = [_cursors.connector == connector] + ([] if target is None else [_cursors.target == target])
        self._run(delete(tables.cursors).where(*where))

    def save_start(self, connector: str, target: str, row: str, side: Side, moment: datetime | None) -> None:
        """Remember a resolved start of polling; no moment means everything."""
        place = {"connector": connector, "target": target, "entity_row": row, "side": str(side)}
        self._put(tables.polling_starts, [{**place, "moment": moment}])

    def save_mapping_version(self, connector: str, version: str, fingerprints: Mapping[str, Any]) -> None:
        row = {"connector": connector, "version": version, "fingerprints": dict(fingerprints)}
        self._put(tables.mapping_versions, [row])


def _of_feed(feed: Feed) -> list[ColumnElement[bool]]:
    return [
        _cursors.connector == feed.connector,
        _cursors.target == feed.target,
        _cursors.entity_row == feed.row,
        _cursors.side == str(feed.side),
        _cursors.feed == feed.feed,
    ]


def _of_start(connector: str, target: str, row: str, side: Side) -> list[ColumnElement[bool]]:
    return [
        _starts.connector == connector,
        _starts.target == target,
        _starts.entity_row == row,
        _starts.side == str(side),
    ]
