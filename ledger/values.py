"""The versions of each connector's value tables: one history, numbered from 1, the last one in force.

Rule of this file: a version never changes and never goes. Going back is a new version with the old content.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import ColumnElement, Select, func, insert, select

from ledger import tables
from ledger.access import Reader, Writer
from ledger.codec import Row
from ledger.model import ValueVersion

_versions = tables.value_versions.c
_LISTED = [column for column in tables.value_versions.columns if column.name not in ("tables", "file")]


class ValuesReader(Reader):
    def value_versions(self, connector: str) -> list[ValueVersion]:
        """All versions, oldest first, without their tables."""
        return [_listed(row) for row in self._all(_of(connector).order_by(_versions.version))]

    def value_version(self, connector: str, version: int | None = None) -> ValueVersion | None:
        """One version with its tables; without a number the one in force. None: there is no such version."""
        which: ColumnElement[bool] = (
            _versions.version == version if version is not None else _versions.version == _last(connector)
        )
        row = self._first(_of(connector, _versions.tables).where(which))
        return replace(_listed(row), tables=row.tables) if row else None

    def value_version_in_force(self, connector: str) -> ValueVersion | None:
        """The version in force, without its tables: cheap to ask at every refresh."""
        row = self._first(_of(connector).where(_versions.version == _last(connector)))
        return _listed(row) if row else None

    def value_hash_on_disk(self, connector: str) -> str | None:
        """The hash of the file that was last read from disk."""
        statement = select(_versions.file_hash).where(_versions.connector == connector, _versions.origin == "disk")
        row = self._first(statement.order_by(_versions.version.desc()).limit(1))
        return row.file_hash if row else None

    def value_file(self, connector: str, version: int) -> bytes | None:
        """The file of a version, as it was uploaded."""
        row = self._first(select(_versions.file).where(_versions.connector == connector, _versions.version == version))
        return row.file if row else None


class ValuesWriter(ValuesReader, Writer):
    def save_value_version(self, version: ValueVersion, file: bytes) -> ValueVersion:
        """Store as the next version, in force from now on; answers it with its number.

        Raises LedgerError if somebody stores one at the same moment: try again.
        """
        in_force = self.value_version_in_force(version.connector)
        stored = replace(version, version=in_force.version + 1 if in_force else 1)
        row = {name: getattr(stored, name) for name in ValueVersion.__slots__}
        self._connection.execute(
            insert(tables.value_versions).values({**row, "tables": dict(stored.tables), "file": file})
        )
        return stored


def _of(connector: str, *more: ColumnElement[object]) -> Select[tuple[object, ...]]:
    return select(*_LISTED, *more).where(_versions.connector == connector)


def _last(connector: str) -> ColumnElement[int]:
    return select(func.max(_versions.version)).where(_versions.connector == connector).scalar_subquery()


def _listed(row: Row) -> ValueVersion:
    return ValueVersion(**{column.name: getattr(row, column.name) for column in _LISTED})
