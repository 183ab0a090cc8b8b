"""What is wrong with the workbooks that lie beside the configuration (`syncline check`).

Rule of this file: no system and no ledger is asked. What an upload has put in force was looked at when it came, and is
again at every refresh.
"""

from __future__ import annotations

from collections.abc import Iterator

from flows.live_values import mapped_rows
from flows.tables import FieldTable, read_offline
from mappings.check_rows import inline_table
from mappings.findings import Finding
from mappings.load import ConnectorEntry, Loaded
from mappings.workbook.checking import Checked
from mappings.workbook.content import source_key


def check_workbooks(loaded: Loaded, name: str | None = None) -> list[Finding]:
    """The findings for the workbooks of all integration connectors, or of the one called `name`."""
    return [finding for entry in loaded.drafts if name in (None, entry.name) for finding in _check_workbook(entry)]


def tables_on_disk(entry: ConnectorEntry) -> FieldTable:
    """The value tables of a connector as the YAML and the workbook beside it say; none where it cannot be read."""
    checked = _read(entry)
    tables = {key: rows.table() for key, rows in checked.tables.items()} if checked is not None else {}
    return lambda row: inline_table(row) if row.values_from is None else tables.get(source_key(row.values_from))


def _check_workbook(entry: ConnectorEntry) -> Iterator[Finding]:
    if entry.workbook is None or not any(True for _ in mapped_rows(entry)):
        return
    checked = _read(entry)
    if checked is None:
        problem = f"{entry.config.workbook} is not there"
        yield entry.finding(("workbook",), "missing_workbook", problem, severity="warning")
        return
    for found in checked.findings:
        if found.severity == "error":
            place = "!".join(filter(None, (found.sheet, found.cell)))
            problem = f"{entry.config.workbook}: {place + ': ' if place else ''}{found.problem}"
            yield entry.finding(("workbook",), "bad_workbook", problem, found.remedy)
    if warnings := checked.findings.count("warning"):
        problem = f"{entry.config.workbook} has {warnings} doubtful {'cells' if warnings > 1 else 'cell'}"
        yield entry.finding(("workbook",), "doubtful_workbook", problem, severity="warning")


def _read(entry: ConnectorEntry) -> Checked | None:
    try:
        content = entry.workbook.read_bytes() if entry.workbook is not None else None
    except OSError:
        return None
    return read_offline(entry, content, entry.workbook.name) if content is not None and entry.workbook else None
