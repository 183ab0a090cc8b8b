"""Which columns of a sheet are meant: by header, by letter, or as the template makes them.

Rule of this file: a header that is there wins over a letter; what fits nothing is an error with the nearest names,
never an empty column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mappings.config import ValuesFrom
from mappings.findings import nearest
from mappings.workbook.findings import CellFinding
from mappings.workbook.reading import Sheet
from mappings.workbook.structure import cell_name, column_index, column_letter

WAY_BACK = "Way back"
"""Header of the template's column where x marks the row that is the way back."""
HEADER_ROWS = 20
"""How far down the headers are looked for: titles may stand above them."""
_LETTERS = re.compile(r"[A-Za-z]{1,3}")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the values stand, counted from 0. `header`: the row of headers; pairs start below it."""

    header: int
    left: int
    right: int
    back: tuple[int, int] | None = None
    """(left, right) of the way back, where it has columns of its own."""
    mark: int | None = None

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(left, right) columns: of the rows, and of the way back if it has others."""
        there = (self.left, self.right)
        return (there,) if self.back is None or self.back == there else (there, self.back)


def find_columns(sheet: Sheet, source: ValuesFrom) -> Columns | list[CellFinding]:
    """The columns that `source` means, or what is wrong with them."""
    if not sheet.columns:
        return [CellFinding.of("error", "no_rows", "the sheet is empty", sheet=sheet.name)]
    names = {"left": source.left or "A", "right": source.right or "B"}
    if source.back is not None:
        names |= {"back left": source.back.left, "back right": source.back.right}
    header = _header_row(sheet, list(names.values()))
    headers = _headers(sheet, header)
    found: dict[str, int] = {}
    problems: list[CellFinding] = []
    for role, name in names.items():
        hits = _hits(headers, name)
        letter = _letter(sheet, name)
        if len(hits) == 1:
            found[role] = hits[0]
        elif hits:
            problems.append(_ambiguous(sheet, header, name, hits))
        elif letter is not None:
            found[role] = letter
        else:
            problems.append(_missing(sheet, headers, name))
    if problems:
        return problems
    back = (found["back left"], found["back right"]) if source.back is not None else None
    marks = _hits(headers, WAY_BACK) if back is None else []
    return Columns(header, found["left"], found["right"], back, marks[0] if marks else None)


def _letter(sheet: Sheet, name: str) -> int | None:
    """The column that a name means as a letter, if the sheet reaches that far: `ADO` is a header, not column 795."""
    index = column_index(name.upper()) if _LETTERS.fullmatch(name) else None
    return index if index is not None and index < len(sheet.columns) else None


def _header_row(sheet: Sheet, names: list[str]) -> int:
    """The first row with the most of the headers that are named; where all are letters, the first with a text there."""
    titles = [name for name in names if _letter(sheet, name) is None]
    letters = [index for name in names if (index := _letter(sheet, name)) is not None]
    best, most = 0, 0
    for row in range(min(HEADER_ROWS, sheet.height)):
        if not titles and any(sheet.cell(row, column).text for column in letters):
            return row
        headers = _headers(sheet, row)
        hits = sum(bool(_hits(headers, name)) for name in titles)
        if hits > most:
            best, most = row, hits
    return best


def _headers(sheet: Sheet, row: int) -> list[str]:
    return [sheet.cell(row, column).text for column in range(len(sheet.columns))]


def _hits(headers: list[str], name: str) -> list[int]:
    """Columns with this header: letter by letter, else (if it is no mere letter) whatever case and spaces."""
    exact = [i for i, header in enumerate(headers) if header == name]
    if exact or len(name) < 2:
        return exact
    return [i for i, header in enumerate(headers) if header and _plain(header) == _plain(name)]


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _missing(sheet: Sheet, headers: list[str], name: str) -> CellFinding:
    named = [header for header in headers if header.strip()]
    problem = f"the sheet has no column {name!r}"
    remedy = (
        nearest(name, named, "Headers") if named else f"Its last column is {column_letter(len(sheet.columns) - 1)}."
    )
    return CellFinding.of("error", "missing_column", problem, remedy, sheet=sheet.name)


def _ambiguous(sheet: Sheet, header: int, name: str, hits: list[int]) -> CellFinding:
    cells = " and ".join(_cells(header, hits))
    problem = f"{name!r} stands above several columns: {cells}"
    return CellFinding.of("error", "ambiguous_column", problem, sheet=sheet.name, cell=cell_name(header, hits[0]))


def _cells(row: int, columns: list[int]) -> Iterator[str]:
    return (cell_name(row, column) for column in columns)
