"""How the themes of the ledger (links, progress, inbox, journal) reach the database.

Rule of this file: a reader works the same on its own and inside a transaction; a writer only inside one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Delete, Select, Table, Update, bindparam, delete, insert, update

from ledger.codec import Columns, Row
from ledger.database import insert_or
from ledger.errors import LedgerError
from ledger.model import Conflict, Failure, Intent, Link

T = TypeVar("T")
V = TypeVar("V", Link, Intent, Conflict, Failure)

CHUNK = 1000
"""Values per IN list: well below the limits of both databases."""


def chunks(values: Collection[T]) -> Iterator[list[T]]:
    """The values in lists of at most CHUNK."""
    rest = iter(values)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


class Reader:
    """Base of the readers."""

    def _connected(self) -> AbstractContextManager[Connection]:
        """A connection to read from."""
        raise NotImplementedError

    def _all(self, statement: Select[Any]) -> Sequence[Row]:
        with self._connected() as connection:
            return connection.execute(statement).all()

    def _all_of(self, statement: Select[Any], column: ColumnElement[Any], values: Collection[Any] | None) -> list[Row]:
        """The rows whose column is one of the values, in the order of the sorted values' chunks; None: all rows."""
        if values is None:
            return list(self._all(statement))
        return [row for chunk in chunks(sorted(values)) for row in self._all(statement.where(column.in_(chunk)))]

    def _first(self, statement: Select[Any]) -> Row | None:
        with self._connected() as connection:
            return connection.execute(statement).first()


class Writer(Reader):
    """Base of the writers: everything happens on the one connection of a transaction."""

    _connection: Connection

    def _connected(self) -> AbstractContextManager[Connection]:
        return nullcontext(self._connection)

    def _run(self, statement: Delete | Update) -> int:
        """The number of rows that it touched."""
        return self._connection.execute(statement).rowcount

    def _insert(self, table: Table, rows: list[Columns]) -> list[int]:
        """The new ids, in the order of the rows."""
        if not rows:
            return []
        statement = insert(table).returning(table.c.id, sort_by_parameter_order=True)
        return list(self._connection.execute(statement, rows).scalars())

    def _update(self, table: Table, rows: Mapping[int, Columns]) -> None:
        """Each row by its id. Raises LedgerError if one is not there any more."""
        if not rows:
            return
        statement = update(table).where(table.c.id == bindparam("row_id"))
        found = self._connection.execute(statement, [{**row, "row_id": id} for id, row in rows.items()]).rowcount
        if found != len(rows):
            raise LedgerError(f"{len(rows) - found} rows of {table.name} are not in the ledger any more")

    def _save(
        self, table: Table, values: list[V], row: Callable[[V], Columns], place: Callable[[V], Hashable] = id
    ) -> list[V]:
        """Insert the values with id 0, update the others; all of them, with their ids, in the given order.

        Values of one place are one row: the last of them is what is kept.
        """
        known = {value.id: row(value) for value in values if value.id}
        new = {place(value): row(value) for value in values if not value.id}
        self._update(table, known)
        ids = dict(zip(new, self._insert(table, list(new.values())), strict=True))
        return [value if value.id else replace(value, id=ids[place(value)]) for value in values]

    def _put(self, table: Table, rows: list[Columns]) -> None:
        """Insert, or replace what has the same primary key; of several, the last is kept."""
        if not rows:
            return
        keys = [column.name for column in table.primary_key]
        last = {tuple(row[key] for key in keys): row for row in rows}
        statement = insert_or(self._connection, table)
        rest = {column: statement.excluded[column] for column in rows[0] if column not in keys}
        put = statement.on_conflict_do_update(index_elements=table.primary_key, set_=rest)
        self._connection.execute(put, list(last.values()))

    def _delete(self, table: Table, ids: Collection[int]) -> None:
        for chunk in chunks(ids):
            self._connection.execute(delete(table).where(table.c.id.in_(chunk)))
