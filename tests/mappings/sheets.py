"""Workbooks for tests, made by another library than the one that reads them: XlsxWriter.

Rule of this file: a test says which cells there are; what else a workbook needs is made here.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import xlsxwriter

from connectors.schema import FieldType
from mappings.config import Side, ValuesFrom
from mappings.workbook.checking import Checked, check_book
from mappings.workbook.content import SideFacts, Use
from mappings.workbook.findings import CellFinding

Rows = Sequence[Sequence[Any]]


def xlsx(sheets: Mapping[str, Rows] | Rows, more: Callable[[Any, Any], None] | None = None) -> bytes:
    """A workbook: sheet -> rows of cells; a lone list of rows is the sheet `status`.

    None is a blank cell, a text stays one. `more(workbook, last sheet)` adds what cells cannot say.
    """
    named = sheets if isinstance(sheets, Mapping) else {"status": sheets}
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True, "strings_to_formulas": False}) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, rows in named.items():
            sheet = book.add_worksheet(name)
            for i, row in enumerate(rows):
                for j, cell in enumerate(row):
                    _write(sheet, i, j, cell, day)
        if more is not None:
            more(book, sheet)
    return target.getvalue()


def _write(sheet: Any, row: int, column: int, cell: Any, day: Any) -> None:
    match cell:
        case str():
            sheet.write_string(row, column, cell)
        case bool():
            sheet.write_boolean(row, column, cell)
        case int() | float():
            sheet.write_number(row, column, cell)
        case date() | datetime():
            sheet.write_datetime(row, column, cell, day)


def use(
    source: ValuesFrom | None = None,
    *,
    left: Sequence[str] | None = None,
    right: Sequence[str] | None = None,
    to: str = "both",
    types: tuple[FieldType | None, FieldType | None] = (FieldType.CHOICE, FieldType.CHOICE),
    asked: bool = True,
    holds: bool = True,
) -> Use:
    """A table of the sheet `status` between jira and devops. `left`, `right`: the live values, None = not known."""
    sides = {
        Side.LEFT: SideFacts("jira", "status", types[0], tuple(left) if left is not None else None, asked),
        Side.RIGHT: SideFacts("devops", "State", types[1], tuple(right) if right is not None else None, asked),
    }
    flows = frozenset(Side) if to == "both" else frozenset({Side(to)})
    return Use(source or ValuesFrom(sheet="status"), sides, flows, holds)


def check(content: bytes, given: Use | None = None, name: str = "values.xlsx") -> Checked:
    return check_book(content, name, [given or use()])


def told(checked: Checked, *but: str) -> list[tuple[str, str, str]]:
    """The findings as (severity, kind, cell), without the kinds in `but`."""
    return [(one.severity, one.kind, one.cell) for one in checked.findings if one.kind not in but]


def the(checked: Checked, kind: str) -> CellFinding:
    """The one finding of a kind."""
    (found,) = [one for one in checked.findings if one.kind == kind]
    return found


def pairs(checked: Checked) -> list[tuple[str, str]]:
    """The pairs of the one table."""
    (table,) = checked.tables.values()
    return list(table.pairs)
