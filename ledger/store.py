"""The ledger: opened, read, and written in transactions that only the holder of the lease can commit.

Rule of this file: nothing is written outside `begin`, and `begin` writes everything or nothing.
Everything here is synchronous and safe to call from several threads. Do not wait for anything else inside `begin`:
a transaction holds the ledger's one writing lock in SQLite.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, Table, delete, select, update

from ledger import tables
from ledger.database import connect, translated
from ledger.errors import LeaseLost, LedgerError, LedgerUnavailable, NewerLedger
from ledger.inbox import InboxReader, InboxWriter
from ledger.journal import AuditReader, JournalReader, JournalWriter
from ledger.lease import LeaseWriter, live_lease, this_owner
from ledger.links import LinkReader, LinkWriter
from ledger.model import Lease
from ledger.progress import ProgressReader, ProgressWriter
from ledger.values import ValuesReader, ValuesWriter

__all__ = [
    "LeaseLost",
    "Ledger",
    "LedgerError",
    "LedgerUnavailable",
    "NewerLedger",
    "Transaction",
    "this_owner",
]


class Transaction(LinkWriter, ProgressWriter, ValuesWriter, InboxWriter, JournalWriter):
    """All writing. Its readers see what it has written so far. Made by `Ledger.begin`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rename_connector(self, was: str, name: str) -> bool:
        """Everything that was remembered for `was` is now `name`'s; whether there was anything.

        A run that still works under the old name loses its lease. Raises LedgerError where both have links.
        """
        if not any(self._has(table, was) for table in (*tables.RENAMED, *tables.REPLACED)):
            return False
        if self._has(tables.links, was) and self._has(tables.links, name):
            raise LedgerError(
                f"{name} cannot take over what {was} has linked, because it has links of its own. "
                f"Nothing was changed. Remove `was: {was}` from {name}, or give the connector a new name"
            )
        for table in tables.REPLACED:
            self._run(delete(table).where(table.c.connector == name))
        for table in (*tables.RENAMED, *tables.REPLACED):
            self._run(update(table).where(table.c.connector == was).values(connector=name))
        self._run(delete(tables.requests).where(tables.requests.c.connector == was))
        self._end_lease(was)
        return True

    def _has(self, table: Table, connector: str) -> bool:
        return self._first(select(table.c.connector).where(table.c.connector == connector).limit(1)) is not None

    def _end_lease(self, connector: str) -> None:
        leases = tables.leases
        ended = {"owner": "", "epoch": leases.c.epoch + 1}
        self._run(update(leases).where(leases.c.connector == connector).values(ended))


class Ledger(LinkReader, ProgressReader, ValuesReader, InboxReader, JournalReader, AuditReader):
    """What was agreed. Open it with `Ledger.open`; it is a context manager."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> Self:
        """The ledger at `sqlite:///path/ledger.db` (folders are made) or `postgresql://…`, at the newest schema.

        Raises NewerLedger for one that a newer Syncline wrote, LedgerUnavailable where the database cannot be used,
        LedgerError for an address that is none.
        """
        return cls(connect(url))

    def close(self) -> None:
        """Give the connections back. The ledger can be opened again."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def begin(self, lease: Lease | None = None, durable: bool = False) -> Iterator[Transaction]:
        """A transaction: committed at the end, rolled back on any exception.

        `lease` is checked first and holds until the end, else LeaseLost; None is for administrative writes (audit,
        requests, states). `durable`: on the disk before this returns, even if the power fails then; for intents.
        """
        with self._writing(durable) as connection:
            if lease is not None:
                LeaseWriter(connection).check(lease)
            yield Transaction(connection)

    # -- lease -----------------------------------------------------------------------------------------------

    def acquire(self, connector: str, owner: str, seconds: float) -> Lease | None:
        """The lease on a connector, or None while another live owner has it. `owner` comes from `this_owner()`.

        It is given where it is free, expired, the owner's already, or held by a process seen dead on this host; each
        time with a higher epoch. `until` is by this process's clock, reckoned from before the call.
        """
        with self._writing() as connection:
            return LeaseWriter(connection).acquire(connector, owner, seconds)

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """The same lease, for `seconds` from now. Raises LeaseLost if somebody took it."""
        with self._writing() as connection:
            return LeaseWriter(connection).renew(lease, seconds)

    def release(self, lease: Lease) -> None:
        """Give the lease back. One that was lost already stays with whoever has it."""
        with self._writing() as connection:
            LeaseWriter(connection).release(lease)

    def lease_of(self, connector: str) -> Lease | None:
        """The lease that a live owner holds now, None where the connector is free."""
        with self._connected() as connection:
            return live_lease(connection, connector)

    # -- connections -----------------------------------------------------------------------------------------

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with translated(self._engine), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self, durable: bool = False) -> Iterator[Connection]:
        with translated(self._engine), self._engine.connect() as plain:
            connection = plain.execution_options(writes=True, durable=durable)
            with connection.begin():
                yield connection
