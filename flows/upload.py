"""Workbooks with value tables: checked against both live systems, uploaded as versions, compared, taken back (SPEC C).

Rule of this file: errors refuse a workbook as a whole, warnings want a person's word, and whatever is stored is a new
version. The command line, the REST API and the console say what these functions answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.errors import ConfigurationError
from flows.live_values import check_users, live_uses, mapped_rows, offline_uses, template_uses
from flows.runtime import Runtime
from flows.tables import rows_of, store, take_in
from ledger.model import ValueVersion
from mappings.load import ConnectorEntry
from mappings.workbook.checking import check_book, merged
from mappings.workbook.content import TableRows, Tables, Use, coverage, differences, source_key
from mappings.workbook.findings import CellFinding, Refused
from mappings.workbook.reading import Progress


@dataclass(slots=True)
class UploadResult:
    """What came of a workbook. `version`: the one it became, None while it is only checked or was refused.

    `coverage`: before and after, as `mappings.workbook.content.coverage`; `diff`: against the version in force.
    """

    findings: list[CellFinding]
    errors: int = 0
    warnings: int = 0
    version: int | None = None
    coverage: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"before": [], "after": []})
    diff: list[dict[str, Any]] = field(default_factory=list)
    tables: Tables = field(default_factory=dict)

    @property
    def code(self) -> int:
        """The exit code: 1 refused, 3 warnings that want a confirmation, else 0."""
        if self.errors:
            return 1
        return 3 if self.warnings and self.version is None else 0

    def as_json(self) -> dict[str, Any]:
        """`{errors, warnings, version, findings, coverage: {before, after}, diff}`."""
        return {
            "errors": self.errors,
            "warnings": self.warnings,
            "version": self.version,
            "findings": [finding.as_json() for finding in self.findings],
            "coverage": self.coverage,
            "diff": self.diff,
        }


async def check_workbook(
    runtime: Runtime, name: str, content: bytes, filename: str, *, progress: Progress | None = None
) -> UploadResult:
    """What an upload of this workbook would say and change. Nothing is stored.

    Raises ConfigurationError for an unknown connector, or one that takes no values from a workbook.
    """
    entry = _entry(runtime, name)
    uses = await live_uses(runtime, entry)
    checked = await asyncio.to_thread(check_book, content, filename, uses, progress)
    await check_users(runtime, entry, checked)
    result = UploadResult(list(checked.findings), checked.findings.count("error"), checked.findings.count("warning"))
    if not checked.refused:
        result.tables = checked.tables
        await asyncio.to_thread(_compare, runtime, entry, uses, result)
    return result


async def upload(
    runtime: Runtime,
    name: str,
    content: bytes,
    filename: str,
    *,
    who: str,
    confirm_warnings: bool = False,
    progress: Progress | None = None,
) -> UploadResult:
    """Check a workbook and make it the next version, in force from the next refresh on.

    With errors, or with warnings that nobody confirmed, nothing is stored (`version` is None).
    """
    result = await check_workbook(runtime, name, content, filename, progress=progress)
    if result.errors or (result.warnings and not confirm_warnings):
        return result
    entry = _entry(runtime, name)

    def save() -> ValueVersion:
        _settle(runtime, entry)
        return store(runtime.ledger, entry, content, result.tables, who=who, origin="upload", file_name=filename)

    result.version = (await asyncio.to_thread(save)).version
    return result


def rollback(runtime: Runtime, name: str, version: int, *, who: str) -> ValueVersion:
    """Put an earlier version in force again, as a new version.

    Raises ConfigurationError for one that there is not, or that lacks what the mapping wants by now.
    """
    entry = _entry(runtime, name)
    _settle(runtime, entry)
    old = version_of(runtime, name, version)
    tables = rows_of(runtime.ledger, entry, old)
    content = runtime.ledger.value_file(name, version) or b""
    return store(
        runtime.ledger, entry, content, tables, who=who, origin="rollback", file_name=old.file_name, copy_of=version
    )


def versions(runtime: Runtime, name: str) -> list[ValueVersion]:
    """All versions of a connector's tables, oldest first, the workbook on disk included."""
    entry = _entry(runtime, name)
    _settle(runtime, entry)
    return runtime.ledger.value_versions(name)


def version_of(runtime: Runtime, name: str, version: int | None = None) -> ValueVersion:
    """One version with its tables, without a number the one in force. Raises ConfigurationError: there is none."""
    entry = _entry(runtime, name)
    found = runtime.ledger.value_version(entry.name, version)
    if found is None:
        which = "no version of its value tables yet" if version is None else f"no version {version} of its value tables"
        raise ConfigurationError(f"{name} has {which}", remedy=f"`syncline values list {name}` shows what there is.")
    return found


def diff(runtime: Runtime, name: str, before: int, after: int | None = None) -> list[dict[str, Any]]:
    """What changed between two versions; without `after`, up to the one in force."""
    entry = _entry(runtime, name)
    old, new = (rows_of(runtime.ledger, entry, version_of(runtime, name, number)) for number in (before, after))
    return differences(old, new)


async def template(runtime: Runtime, name: str) -> bytes:
    """A workbook (.xlsx) to fill in: a sheet per look-up or user field, with the live values of both systems.

    Filled with the tables in force, and with pairs of equal name. Raises ConfigurationError for a sheet name that no
    workbook can have.
    """
    entry = runtime.entry(name)
    uses, tables = await template_uses(runtime, entry)

    def make() -> bytes:
        _settle(runtime, entry)
        in_force = runtime.ledger.value_version(name)
        return _workbook(uses, {**tables, **(_rows_or_none(runtime, entry, in_force) if in_force else {})})

    return await asyncio.to_thread(make)


def export(runtime: Runtime, name: str, version: int | None = None) -> bytes:
    """The tables of a version (without a number: of the one in force) as a workbook that can be uploaded again."""
    entry = _entry(runtime, name)
    _settle(runtime, entry)
    tables = rows_of(runtime.ledger, entry, version_of(runtime, name, version))
    return _workbook(offline_uses(entry), tables)


async def marked_up(content: bytes, filename: str, findings: Sequence[CellFinding]) -> bytes:
    """A copy of a checked workbook (.xlsx) with its findings as colours, comments and a sheet of its own.

    Raises ConfigurationError for a file that cannot be opened at all; its one finding says why.
    """
    from mappings.workbook.marked import mark_up

    try:
        return await asyncio.to_thread(mark_up, content, filename, findings)
    except Refused as refused:
        raise ConfigurationError(refused.finding.problem, remedy=refused.finding.remedy) from None


def _workbook(uses: Sequence[Use], tables: Tables) -> bytes:
    from mappings.workbook.template import make_template

    try:
        return make_template(merged(uses), tables)
    except ValueError as error:
        raise ConfigurationError(str(error), remedy="Give the sheet another name under `values_from:`.") from None


def version_json(version: ValueVersion, in_force: int | None = None) -> dict[str, Any]:
    """A version as the command line and REST tell it."""
    return {
        "version": version.version,
        "at": version.at.isoformat(),
        "who": version.who,
        "origin": version.origin,
        "file": version.file_name,
        "hash": version.file_hash,
        "copy_of": version.copy_of,
        "in_force": version.version == in_force,
    }


def _entry(runtime: Runtime, name: str) -> ConnectorEntry:
    entry = runtime.entry(name)
    if not any(True for _ in mapped_rows(entry)):
        raise ConfigurationError(
            f"{name} takes no values from a workbook", remedy="Name a sheet at a field: `values_from: {sheet: status}`."
        )
    return entry


def _settle(runtime: Runtime, entry: ConnectorEntry) -> None:
    """Before a version is made by hand, the workbook on disk becomes one: else it would come out on top later."""
    if entry.config.was:
        with runtime.ledger.begin() as tx:
            tx.rename_connector(entry.config.was, entry.name)
    take_in(runtime.ledger, entry)


def _rows_or_none(runtime: Runtime, entry: ConnectorEntry, version: ValueVersion) -> dict[str, TableRows]:
    """The tables of a version; none where it lacks what the mapping wants by now."""
    try:
        return rows_of(runtime.ledger, entry, version)
    except ConfigurationError:
        return {}


def _compare(runtime: Runtime, entry: ConnectorEntry, uses: Sequence[Use], result: UploadResult) -> None:
    """Coverage before and after, and what changes."""
    in_force = runtime.ledger.value_version(entry.name)
    wanted = {source_key(source) for _, _, source in mapped_rows(entry)}
    before = _rows_or_none(runtime, entry, in_force) if in_force is not None else {}
    after = {key: rows for key, rows in result.tables.items() if key in wanted}
    result.coverage = {"before": coverage(merged(uses), before), "after": coverage(merged(uses), after)}
    result.diff = differences(before, after)
