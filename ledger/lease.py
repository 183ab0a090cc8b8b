"""The lease of a connector: who may refresh it now (DESIGN.md, "One refresh").

Rule of this file: the epoch only grows. Whoever took a lease later has the higher epoch, and every transaction checks
that its own is still the one in the ledger; so a run that was thought dead can come back and harm nothing.
"""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from ledger import codec, tables
from ledger.access import Writer
from ledger.codec import Row
from ledger.database import moment
from ledger.errors import LeaseLost
from ledger.model import Lease

_leases = tables.leases.c
_PROC = Path("/proc")


class LeaseWriter(Writer):
    """The steps of a lease, inside a writing transaction. What they promise stands at `Ledger`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def acquire(self, connector: str, owner: str, seconds: float) -> Lease | None:
        asked = datetime.now(UTC)
        now = moment(self._connection)
        there = self._lease_row(connector)
        if there is not None and there.until > now and there.owner != owner and not dead(there.owner):
            return None
        lease = Lease(connector, there.epoch + 1 if there else 1, owner, now + timedelta(seconds=seconds))
        values = {"epoch": lease.epoch, "owner": owner, "until": lease.until}
        if there is not None:
            self._run(update(tables.leases).where(_leases.connector == connector).values(values))
        else:
            try:
                with self._connection.begin_nested():
                    self._connection.execute(insert(tables.leases).values(connector=connector, **values))
            except IntegrityError:
                return None  # somebody else took it for the first time, just now
        return replace(lease, until=asked + timedelta(seconds=seconds))

    def renew(self, lease: Lease, seconds: float) -> Lease:
        asked = datetime.now(UTC)
        self.check(lease)
        until = moment(self._connection) + timedelta(seconds=seconds)
        self._run(update(tables.leases).where(_leases.connector == lease.connector).values(until=until))
        return replace(lease, until=asked + timedelta(seconds=seconds))

    def release(self, lease: Lease) -> None:
        mine = (_leases.connector == lease.connector, _leases.epoch == lease.epoch, _leases.owner == lease.owner)
        self._run(update(tables.leases).where(*mine).values(owner="", until=moment(self._connection)))

    def check(self, lease: Lease) -> None:
        """Raises LeaseLost unless the lease is still the ledger's. It stays so until the transaction ends."""
        row = self._lease_row(lease.connector, shared=True)
        if row is None or (row.epoch, row.owner) != (lease.epoch, lease.owner):
            taker = f"{row.owner} has it" if row is not None and row.owner else "nobody has it"
            raise LeaseLost(
                f"The lease on {lease.connector} (epoch {lease.epoch}) is gone: {taker} now. "
                "Nothing of this transaction was written. This run must end; the next one goes on from the ledger"
            )

    def _lease_row(self, connector: str, *, shared: bool = False) -> Row | None:
        # In SQLite a writing transaction is alone anyway, and the lock clause is not rendered.
        statement = select(tables.leases).where(_leases.connector == connector)
        return self._first(statement.with_for_update(read=shared))


def live_lease(connection: Connection, connector: str) -> Lease | None:
    """The lease that somebody holds now, if any."""
    row = connection.execute(select(tables.leases).where(_leases.connector == connector)).first()
    if row is None or not row.owner or row.until <= moment(connection) or dead(row.owner):
        return None
    return codec.lease_from(row)


# -- owners --------------------------------------------------------------------------------------------------


def this_owner() -> str:
    """A new name for a run in this process: `host:pid:pid-start-time:random`.

    The host carries the number of its process namespace: a container sees other processes under the same numbers.
    """
    return f"{_host()}:{os.getpid()}:{_started(os.getpid()) or 0}:{secrets.token_hex(4)}"


def dead(owner: str) -> bool:
    """Whether the owner's process is seen to be dead: on this host, and ended or another one under its number."""
    host, pid, started, _ = (owner.split(":") + [""] * 4)[:4]
    if host != _host() or not pid.isdigit() or not _PROC.joinpath("self", "stat").exists():
        return False  # cannot be seen from here: it lives until its lease ends
    return str(_started(int(pid))) != started


def _started(pid: int) -> int | None:
    """When the process started, in ticks since the host did; None if there is no such process, or only its remains."""
    try:
        stat = _PROC.joinpath(str(pid), "stat").read_text()
    except OSError:
        return None
    # The second field is the name in brackets, which may hold anything; the state is the first after it.
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in ("Z", "X", "x") else int(fields[18])


def _host() -> str:
    try:
        namespace = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        namespace = ""
    return f"{socket.gethostname().replace(':', '.')}/{namespace}"
