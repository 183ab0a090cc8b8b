"""The value tables in force: those of the YAML, and those of the connector's workbook at its newest version.

Rule of this file: a refresh asks once, at its start, and keeps what it got. A workbook on disk that was changed is the
next version; one that is refused changes nothing, and says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from weakref import WeakKeyDictionary

from connectors.errors import ConfigurationError
from flows.live_values import mapped_rows, offline_uses
from flows.runtime import Runtime
from ledger.model import AuditEntry, ValueVersion
from ledger.store import Ledger
from mappings.check_rows import inline_table
from mappings.config import FieldRow
from mappings.load import ConnectorEntry
from mappings.values import ValueTable
from mappings.workbook.checking import Checked, check_book
from mappings.workbook.content import TableRows, Tables, source_key, tables_from, tables_json

FieldTable = Callable[[FieldRow], ValueTable | None]


@dataclass(frozen=True, slots=True)
class InForce:
    """The tables of one refresh. `version` names them ("" where no workbook is used); `told` is for people."""

    version: str
    table: FieldTable
    told: str = ""


@dataclass(slots=True)
class _Known:
    """What a process remembers of one connector's workbook, so that a refresh that finds nothing new reads nothing."""

    stamp: tuple[int, int] | None = None
    told: str = ""
    version: int = 0
    tables: dict[str, ValueTable] = field(default_factory=dict)


_known: WeakKeyDictionary[Ledger, dict[str, _Known]] = WeakKeyDictionary()


def tables_in_force(runtime: Runtime, entry: ConnectorEntry, *, record: bool = True) -> InForce:
    """The tables in force for a connector. Reads files and the ledger: call it off the event loop.

    `record=False` (a dry run) takes a changed workbook on disk into account, but makes no version of it.
    Raises ConfigurationError where the mapping names a workbook that there is no version of, or that lacks its columns.
    """
    wanted = {source_key(source) for _, _, source in mapped_rows(entry)}
    if not wanted:
        return InForce("", inline_table)
    if not record and (content := _waiting(runtime.ledger, entry)) is not None:
        checked = read_offline(entry, content, entry.config.workbook or "")
        if not checked.refused:
            return InForce(
                f"{entry.config.workbook} on disk", _lookup({key: rows.table() for key, rows in checked.tables.items()})
            )
    known = _remembered(runtime.ledger, entry)
    told = take_in(runtime.ledger, entry) if record else known.told
    version = runtime.ledger.value_version_in_force(entry.name)
    if version is None:
        problem = f"{entry.name} takes values from {entry.config.workbook}, which is not there, and none was uploaded"
        raise ConfigurationError(told or problem, remedy="Mend it, or upload one with `syncline values upload`.")
    if known.version != version.version or not wanted <= known.tables.keys():
        full = runtime.ledger.value_version(entry.name, version.version) or version
        known.tables = {key: rows.table() for key, rows in rows_of(runtime.ledger, entry, full).items()}
        known.version = version.version
    return InForce(str(version.version), _lookup(known.tables), told)


def _remembered(ledger: Ledger, entry: ConnectorEntry) -> _Known:
    return _known.setdefault(ledger, {}).setdefault(entry.name, _Known())


def _lookup(tables: Mapping[str, ValueTable]) -> FieldTable:
    """The table of a field row, wherever it stands."""
    return lambda row: inline_table(row) if row.values_from is None else tables[source_key(row.values_from)]


# -- the workbook on disk ------------------------------------------------------------------------------------------


def take_in(ledger: Ledger, entry: ConnectorEntry) -> str:
    """Make a version of the workbook on disk if it is not the one last read from there; why it was refused, or ""."""
    known, stamp = _remembered(ledger, entry), _stamp(entry.workbook)
    if stamp == known.stamp:
        return known.told
    known.told = ""
    content = _waiting(ledger, entry)
    if content is not None and entry.workbook is not None:
        checked = read_offline(entry, content, entry.workbook.name)
        if checked.refused:
            known.told = _refusal(ledger, entry, checked)
        else:
            store(ledger, entry, content, checked.tables, who="syncline", origin="disk", file_name=entry.workbook.name)
    known.stamp = stamp
    return known.told


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """Changes when the file is written; None where there is none."""
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size) if found is not None else None


def _waiting(ledger: Ledger, entry: ConnectorEntry) -> bytes | None:
    """The content of the workbook on disk, if it is not the one last read from there."""
    try:
        content = entry.workbook.read_bytes() if entry.workbook is not None else None
    except OSError:
        return None
    if content is None or file_hash(content) == ledger.value_hash_on_disk(entry.name):
        return None
    return content


def file_hash(content: bytes) -> str:
    """What tells one file from another."""
    return hashlib.sha256(content).hexdigest()


def read_offline(entry: ConnectorEntry, content: bytes, name: str) -> Checked:
    """Read the tables that a connector takes from a workbook, as far as no system is needed."""
    return check_book(content, name, offline_uses(entry))


def _refusal(ledger: Ledger, entry: ConnectorEntry, checked: Checked) -> str:
    """Say that the workbook on disk was refused, once in the audit log."""
    first, *others = [finding for finding in checked.findings if finding.severity == "error"]
    more = f" ({len(others)} more: syncline values check {entry.name} {entry.config.workbook})" if others else ""
    told = f"{entry.config.workbook} on disk was refused, and what was in force stays so. {first}{more}"
    with ledger.begin() as tx:
        tx.audit([AuditEntry.now("values_refused", entry.name, reason=told)])
    return told


def store(
    ledger: Ledger,
    entry: ConnectorEntry,
    content: bytes,
    tables: Tables,
    *,
    who: str,
    origin: str,
    file_name: str,
    copy_of: int | None = None,
) -> ValueVersion:
    """Make tables the next version, in force from the next refresh on. Audited."""
    version = ValueVersion(
        entry.name, 0, datetime.now(UTC), who, origin, file_name, file_hash(content), copy_of, tables_json(tables)
    )
    with ledger.begin() as tx:
        before = tx.value_version_in_force(entry.name)
        if origin == "disk" and before is not None and tx.value_hash_on_disk(entry.name) == version.file_hash:
            return before  # somebody else has just read the same file
        saved = tx.save_value_version(version, content)
        told = f"back to version {copy_of}" if copy_of else f"{origin}: {file_name}"
        tx.audit([AuditEntry.now("values", entry.name, who=who, before=before.version if before else None,
                                 after=saved.version, reason=told)])  # fmt: skip
    return saved


# -- versions in the ledger ----------------------------------------------------------------------------------------


def rows_of(ledger: Ledger, entry: ConnectorEntry, version: ValueVersion) -> dict[str, TableRows]:
    """The tables of a version as the mapping wants them now.

    Columns that the mapping has come to name since are read from the version's file. Raises ConfigurationError where
    it lacks them.
    """
    rows = tables_from(version.tables)
    wanted = {source_key(source) for _, _, source in mapped_rows(entry)}
    if not wanted <= rows.keys():
        checked = read_offline(entry, ledger.value_file(entry.name, version.version) or b"", version.file_name)
        errors = [finding for finding in checked.findings if finding.severity == "error"]
        if errors:
            raise ConfigurationError(
                f"The mapping wants tables that version {version.version} of {version.file_name} lacks: {errors[0]}",
                remedy="Change the mapping, or upload a workbook that has them.",
            )
        rows = {**checked.tables, **rows}
    return {key: rows[key] for key in wanted}
