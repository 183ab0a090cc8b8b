"""Versions of value tables: numbered from 1, never changed, the last one in force."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from ledger.model import ValueVersion
from ledger.store import Ledger

UPLOAD = ValueVersion(
    connector="falcon",
    version=0,
    at=datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
    who="ada",
    origin="upload",
    file_name="values.xlsx",
    file_hash="a1",
    tables={"status": {"pairs": [["Open", "new"]], "back": {}}},
)
DISK = replace(UPLOAD, origin="disk", file_hash="d1")


def save(ledger: Ledger, *versions: ValueVersion) -> list[ValueVersion]:
    with ledger.begin() as tx:
        return [tx.save_value_version(version, b"file of " + version.file_hash.encode()) for version in versions]


def test_versions_count_from_1_for_each_connector(ledger: Ledger) -> None:
    saved = save(ledger, UPLOAD, DISK, replace(UPLOAD, connector="other"))
    assert [(one.connector, one.version) for one in saved] == [("falcon", 1), ("falcon", 2), ("other", 1)]


def test_a_version_comes_back_as_it_was_saved(ledger: Ledger) -> None:
    (saved,) = save(ledger, UPLOAD)
    assert ledger.value_version("falcon", 1) == saved == replace(UPLOAD, version=1)
    assert ledger.value_file("falcon", 1) == b"file of a1"


def test_the_last_version_is_in_force(ledger: Ledger) -> None:
    save(ledger, UPLOAD, replace(UPLOAD, origin="rollback", copy_of=1, tables={}))
    in_force = ledger.value_version_in_force("falcon")
    assert in_force is not None
    assert (in_force.version, in_force.copy_of) == (2, 1)
    assert ledger.value_version("falcon") == in_force


def test_the_list_leaves_the_tables_out(ledger: Ledger) -> None:
    save(ledger, UPLOAD, DISK)
    assert [(one.version, one.origin, one.tables) for one in ledger.value_versions("falcon")] == [
        (1, "upload", {}),
        (2, "disk", {}),
    ]


def test_the_hash_on_disk_is_of_the_file_last_read_from_disk(ledger: Ledger) -> None:
    assert ledger.value_hash_on_disk("falcon") is None
    save(ledger, DISK, replace(DISK, file_hash="d2"), UPLOAD)
    assert ledger.value_hash_on_disk("falcon") == "d2"


def test_what_is_not_there_is_none(ledger: Ledger) -> None:
    assert ledger.value_version("falcon") is None
    assert ledger.value_version("falcon", 7) is None
    assert ledger.value_version_in_force("falcon") is None
    assert ledger.value_file("falcon", 7) is None


def test_a_renamed_connector_keeps_its_history(ledger: Ledger) -> None:
    save(ledger, UPLOAD, DISK)
    with ledger.begin() as tx:
        tx.rename_connector("falcon", "eagle")
    assert [one.version for one in ledger.value_versions("eagle")] == [1, 2]
    assert ledger.value_versions("falcon") == []
