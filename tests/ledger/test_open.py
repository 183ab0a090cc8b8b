"""Opening: any earlier ledger is brought to the newest schema with its data, a newer one is refused."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, Table, create_engine, func, insert, select, text

from ledger import tables
from ledger.database import migrate, revision_of
from ledger.store import Ledger, LedgerError, LedgerUnavailable, NewerLedger, Transaction
from mappings.config import Side
from tests.ledger.make import intent, link
from tests.ledger.other_process import other_process


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(Path(tables.__file__).parent / "migrations"))
    return ScriptDirectory.from_config(config)


REVISIONS = [script.revision for script in scripts().walk_revisions()]


@pytest.fixture
def raw(ledger_url: str) -> Iterator[Engine]:
    """The database itself, without a ledger in it."""
    if ledger_url.startswith("sqlite"):
        Path(ledger_url.removeprefix("sqlite:///")).parent.mkdir(exist_ok=True)
    engine = create_engine(ledger_url.replace("postgresql:", "postgresql+psycopg:"))
    yield engine
    engine.dispose()


def sample(table: Table) -> dict[str, Any]:
    """Some value for every column, by its type."""
    values = {int: 1, str: "agreed", bool: True, datetime: datetime(2026, 11, 21, tzinfo=UTC), dict: {}, bytes: b""}
    return {column.name: values[column.type.python_type] for column in table.columns}


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_ledger_of_every_revision_is_upgraded_with_its_data(raw: Engine, ledger_url: str, revision: str) -> None:
    before = MetaData()
    with raw.begin() as connection:
        migrate(connection, revision)
        before.reflect(connection)
        filled = [table for table in before.sorted_tables if table.name != "alembic_version"]
        for table in filled:
            connection.execute(insert(table).values(sample(table)))
    Ledger.open(ledger_url).close()
    with raw.connect() as connection:
        assert revision_of(connection) == tables.HEAD
        for table in filled:
            assert connection.execute(select(func.count()).select_from(table)).scalar() == 1, table.name


def test_the_migrations_lead_to_the_tables_as_written(ledger: Ledger, raw: Engine) -> None:
    with raw.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
    assert scripts().get_current_head() == tables.HEAD
    assert ledger.links() == []


def test_a_ledger_of_a_newer_schema_is_refused_and_left_alone(ledger: Ledger, raw: Engine, ledger_url: str) -> None:
    ledger.close()
    with raw.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerLedger, match=f"schema 9999; this Syncline knows schemas up to {tables.HEAD}"):
        Ledger.open(ledger_url)
    with raw.connect() as connection:
        assert revision_of(connection) == "9999"


@pytest.mark.usefixtures("ledger")
def test_opening_a_ledger_at_head_does_not_load_the_migrations(ledger_url: str) -> None:
    with other_process("look", ledger_url) as other:
        assert other.told() is False


def test_a_ledger_opens_again_with_what_was_written(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as first, first.begin() as tx:
        tx.save_links([link("1")])
    with Ledger.open(ledger_url) as again:
        assert again.idents_linked("falcon", Side.LEFT) == {"1"}


def test_an_exception_takes_back_the_whole_transaction(ledger: Ledger) -> None:
    def change_mind() -> None:
        with ledger.begin() as tx:
            tx.save_links([link("1")])
            raise RuntimeError("the engine changed its mind")

    with pytest.raises(RuntimeError):
        change_mind()
    assert ledger.links() == []


def test_a_transaction_reads_its_own_writes_and_others_do_not(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        tx.save_links([link("1")])
        assert tx.idents_linked("falcon", Side.LEFT) == {"1"}
        assert ledger.idents_linked("falcon", Side.LEFT) == set()


def test_threads_take_turns(ledger: Ledger) -> None:
    def save(thread: int) -> None:
        for n in range(20):
            with ledger.begin(durable=n % 2 == 0) as tx:
                tx.save_links([link(f"{thread} {n}")])

    threads = [threading.Thread(target=save, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.count_links("falcon") == 120


def test_durable_commits_wait_for_the_disk_in_sqlite_and_others_do_not(tmp_path: Path) -> None:
    def asked(tx: Transaction, pragma: str) -> object:
        return tx._connection.execute(text(f"PRAGMA {pragma}")).scalar()

    normal, full = 1, 2
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        for durable, expected in ((False, normal), (True, full), (False, normal)):
            with ledger.begin(durable=durable) as tx:
                assert (asked(tx, "journal_mode"), asked(tx, "synchronous")) == ("wal", expected)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ledger.db", "no address of a ledger"),
        ("mysql://127.0.0.1/ledger", "mysql cannot hold a ledger"),
        ("sqlite://", "in memory forgets"),
        ("sqlite:///:memory:", "in memory forgets"),
    ],
)
def test_an_address_that_is_none_is_refused_in_words(url: str, says: str) -> None:
    with pytest.raises(LedgerError, match=says):
        Ledger.open(url)


def test_a_database_that_does_not_answer_is_unavailable_and_keeps_the_password_to_itself() -> None:
    with pytest.raises(LedgerUnavailable) as refused:
        Ledger.open("postgresql://syncline:geheim@127.0.0.1:9/ledger")
    assert "127.0.0.1:9" in str(refused.value)
    assert "geheim" not in str(refused.value)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("a file, not a folder")
    with pytest.raises(LedgerError, match=r"The folder .*notes/ledger for the ledger cannot be made"):
        Ledger.open(f"sqlite:///{tmp_path}/notes/ledger/ledger.db")


def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("not a database, but some notes " * 100)
    with pytest.raises(LedgerError, match="file is not a database"):
        Ledger.open(f"sqlite:///{path}")


def test_an_error_of_the_database_carries_no_values(ledger: Ledger) -> None:
    with pytest.raises(LedgerError) as refused, ledger.begin() as tx:
        tx.save_intents([intent("mark", payload={"title": "Screen stays black"}, at=None)])
    told = "".join(traceback.format_exception(refused.value))
    assert "intents" in str(refused.value)
    assert "Screen stays black" not in told
