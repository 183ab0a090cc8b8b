"""A copy of a workbook with what was found in it: coloured cells with comments, and a sheet that lists everything.

Rule of this file: the copy holds values alone, no formula and no macro, so that it is safe to pass on.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.comments import Comment
from openpyxl.styles import Font

from mappings.workbook.findings import CellFinding, Refused
from mappings.workbook.reading import open_book
from mappings.workbook.sheet_text import GREY, HEAD, RED, WHITE, WRAPPED, YELLOW, as_text
from mappings.workbook.structure import place_of

FINDINGS = "Findings"
_COLOURS = {"error": RED, "warning": YELLOW, "note": GREY}
_WIDTHS = (20, 10, 12, 24, 70, 70)


def mark_up(content: bytes, name: str, findings: Sequence[CellFinding]) -> bytes:
    """The workbook as .xlsx, marked up. Raises Refused for a file that cannot be opened at all: it has one finding."""
    wanted = {finding.sheet for finding in findings}
    book = open_book(content, name, wanted)
    if book.file.format == "xlsx":
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what it cannot copy (macros, pictures) nobody misses here
                copy = load_workbook(io.BytesIO(content), data_only=True)
        except Exception as error:
            raise Refused("damaged", f"{name} cannot be copied ({str(error)[:200]})") from None
    else:
        copy = _values(book, wanted)
    for (sheet, cell), told in _by_cell(findings).items():
        if sheet in copy.sheetnames and cell:
            _mark(copy[sheet], cell, told)
    _list(copy, findings)
    target = io.BytesIO()
    copy.save(target)
    return target.getvalue()


def _values(book: Any, wanted: Iterable[str]) -> Workbook:
    """The sheets of other formats, as texts."""
    copy = Workbook()
    copy.remove(copy.active)
    for name in book.sheets:
        if name not in wanted and book.file.format != "csv":
            continue
        sheet, read = copy.create_sheet(name[:31]), book.sheet(name)
        for row in range(read.height):
            for column in range(len(read.columns)):
                if text := read.cell(row, column).text:
                    as_text(sheet.cell(row + 1, column + 1), text)
    return copy


def _by_cell(findings: Iterable[CellFinding]) -> dict[tuple[str, str], list[CellFinding]]:
    cells: dict[tuple[str, str], list[CellFinding]] = {}
    for finding in findings:
        cells.setdefault((finding.sheet, finding.cell), []).append(finding)
    return cells


def _mark(sheet: Any, name: str, told: list[CellFinding]) -> None:
    worst = min(told, key=lambda one: list(_COLOURS).index(one.severity))
    text = "\n".join(f"{one.problem}. {one.remedy}" for one in told)
    place = place_of(name)
    if place is None or type(sheet.cell(place[0] + 1, place[1] + 1)).__name__ == "MergedCell":
        return
    cell = sheet[name]
    cell.fill = _COLOURS[worst.severity]
    cell.comment = Comment(text, "Syncline", width=360, height=40 + 20 * (1 + len(text) // 45))


def _list(copy: Workbook, findings: Sequence[CellFinding]) -> None:
    title = FINDINGS if FINDINGS not in copy.sheetnames else f"{FINDINGS} (Syncline)"
    sheet = copy.create_sheet(title, 0)
    sheet.freeze_panes = "A2"
    for column, (word, width) in enumerate(zip(CellFinding.__slots__, _WIDTHS, strict=True), 1):
        cell = as_text(sheet.cell(1, column), word)
        cell.fill, cell.font = HEAD, WHITE
        sheet.column_dimensions[cell.column_letter].width = width
    for row, finding in enumerate(findings, 2):
        for column, word in enumerate(CellFinding.__slots__, 1):
            cell = as_text(sheet.cell(row, column), str(getattr(finding, word)))
            cell.alignment = WRAPPED
        sheet.cell(row, 3).fill = _COLOURS[finding.severity]
        if finding.cell and finding.sheet in copy.sheetnames:
            there = sheet.cell(row, 2)
            there.hyperlink = f"#'{finding.sheet.replace(chr(39), chr(39) * 2)}'!{finding.cell}"
            there.font = Font(underline="single", color="0563C1")
    copy.active = 0
