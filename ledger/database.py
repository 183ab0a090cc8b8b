"""The database under the ledger: SQLite or PostgreSQL, at the schema of `tables.py`.

Rule of this file: it is the only one that knows which of the two it is.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.sql.schema import Table

from ledger.errors import LedgerError, LedgerUnavailable, NewerLedger
from ledger.tables import HEAD

LOCK_TIMEOUT = 30.0
"""Seconds that a transaction waits for another process to finish its own."""

OLDEST_SQLITE = (3, 35)
"""The first one that answers the ids of what was inserted."""

_UPGRADE_LOCK = 7361946
"""Any number: names the advisory lock of PostgreSQL under which the schema is upgraded."""


def connect(url: str) -> Engine:
    """The engine of a ledger at the newest schema. Raises LedgerError in words for people."""
    address = _address(url)
    is_sqlite = address.get_backend_name() == "sqlite"
    if is_sqlite:
        _make_folder(Path(str(address.database)).parent)
    engine = _engine(address)
    try:
        with translated(engine):
            if is_sqlite:
                _use_wal(engine)
            _upgrade(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(f"The folder {folder} for the ledger cannot be made: {error.strerror}") from error


def _engine(address: URL) -> Engine:
    is_sqlite = address.get_backend_name() == "sqlite"
    try:
        engine = create_engine(
            address,
            json_serializer=json.JSONEncoder(separators=(",", ":")).encode,
            hide_parameters=True,  # an error must not carry the values of somebody's entities
            pool_pre_ping=not is_sqlite,
            connect_args={"timeout": LOCK_TIMEOUT} if is_sqlite else {},
        )
    except ModuleNotFoundError as error:
        raise LedgerError(
            f"A ledger in PostgreSQL needs {error.name}. Install it: pip install 'syncline[postgresql]'"
        ) from error
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise LedgerError("This is no address of a ledger. Write sqlite:///path/ledger.db or postgresql://…") from error
    if address.drivername in ("postgres", "postgresql"):
        address = address.set(drivername="postgresql+psycopg")
    if address.drivername not in ("sqlite", "postgresql+psycopg"):
        raise LedgerError(f"{address.drivername} cannot hold a ledger. Use sqlite:///path/ledger.db or postgresql://…")
    if address.drivername == "sqlite" and sqlite3.sqlite_version_info < OLDEST_SQLITE:
        wanted = ".".join(map(str, OLDEST_SQLITE))
        raise LedgerError(f"SQLite {sqlite3.sqlite_version} is too old for a ledger: {wanted} is needed, or PostgreSQL")
    if address.drivername == "sqlite" and address.database in (None, "", ":memory:"):
        raise LedgerError("A ledger in memory forgets what it linked. Name a file: sqlite:///path/ledger.db")
    return address


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Errors of the database as LedgerError, without values and without the password of the address."""
    where = f"The ledger {engine.url.render_as_string(hide_password=True)}"
    try:
        yield
    # `from None`: PostgreSQL's own words go on with the values of the row.
    except (OperationalError, sqlite3.OperationalError) as error:
        raise LedgerUnavailable(
            f"{where} cannot be used now: {_reason(error)}. Nothing was written; it is safe to try again"
        ) from None
    except (DBAPIError, sqlite3.Error) as error:
        raise LedgerError(f"{where} refused: {_reason(error)}. Nothing of this transaction was written") from None


def _reason(error: DBAPIError | sqlite3.Error) -> str:
    """The first line of what the database says."""
    said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def moment(connection: Connection) -> datetime:
    """Now, by the clock of the database's host: that of several processes on several hosts is one."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    now: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return now.astimezone(UTC)


def insert_or(connection: Connection, table: Table) -> Any:
    """An INSERT that knows `on_conflict_do_update`: both databases have it, each in its own dialect."""
    return {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[connection.dialect.name](table)


# -- SQLite --------------------------------------------------------------------------------------------------


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says, not at the driver's guess
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin_sqlite(connection: Connection) -> None:
    """Writers take the lock at once: one that had only read could not take it later if another wrote meanwhile.

    NORMAL never tears the file but may forget the last commits when the power fails. `durable` ones it must not.
    """
    options = connection.get_execution_options()
    if not options.get("writes"):
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if options.get('durable') else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _use_wal(engine: Engine) -> None:
    """Readers and a writer at once. The mode stays in the file; only the first to open it has to wait for nobody."""
    deadline = time.monotonic() + LOCK_TIMEOUT
    raw = engine.raw_connection()
    try:
        while True:
            try:
                raw.cursor().execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                # SQLite does not wait by itself here: the switch needs the file alone.
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
    finally:
        raw.close()


# -- migrations ----------------------------------------------------------------------------------------------


def _upgrade(engine: Engine) -> None:
    """To HEAD. Costs one query where the ledger is there already; one process upgrades, the others wait."""
    with engine.connect() as connection:
        if revision_of(connection) == HEAD:
            return
    with engine.connect().execution_options(writes=True, durable=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
        migrate(connection, HEAD)


def revision_of(connection: Connection) -> str | None:
    """The revision of the ledger behind the connection, None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def migrate(connection: Connection, revision: str) -> None:
    """Run the migrations up to `revision` in the connection's transaction. Raises NewerLedger."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    found = revision_of(connection)
    if found is not None and found not in known:
        raise NewerLedger(
            f"This ledger has schema {found}; this Syncline knows schemas up to {HEAD}. "
            "It was left as it is. Use the Syncline that wrote it, or a newer one"
        )
    command.upgrade(config, revision)
