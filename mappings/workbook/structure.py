"""What a table of values does not show: hidden rows, merged cells, formulas, errors, and how far the cells reach.

Rule of this file: one pass over the XML of a sheet, in pieces; what is kept of it does not grow with the rows that
are as they should be.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field

from mappings.workbook.findings import Refused
from mappings.workbook.guard import MAX_UNPACKED, Package

MAX_CELLS = 5_000_000
"""Cells of the rectangle that a sheet's values span. Readers hold all of it, also where it is empty."""
MAX_DECLARED = 100_000_000
"""The same as a file declares it. Whole columns that are merely coloured reach a few millions."""

MAX_COLUMNS = 16_384

Place = tuple[int, int]
"""(row, column), both from 0."""

_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})")


@dataclass(slots=True)
class Structure:
    """What one sheet has besides values. Rows and columns count from 0."""

    hidden: set[int] = field(default_factory=set)
    merged: list[tuple[Place, Place]] = field(default_factory=list)
    formulas: set[Place] = field(default_factory=set)
    """Cells with a formula whose result is no text: where they are blank, no result was saved."""
    errors: set[Place] = field(default_factory=set)
    """Cells that show #N/A, #REF! and the like."""
    padded: dict[Place, int] = field(default_factory=dict)
    """Cells that show their number with leading zeros, and with how many digits."""


def column_letter(column: int) -> str:
    """0 -> A, 26 -> AA."""
    letters = ""
    while column >= 0:
        column, digit = divmod(column, 26)
        letters, column = chr(65 + digit) + letters, column - 1
    return letters


def column_index(letters: str) -> int:
    """A -> 0, AA -> 26."""
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - 64
    return index - 1


def cell_name(row: int, column: int) -> str:
    """(0, 1) -> B1."""
    return f"{column_letter(column)}{row + 1}"


def place_of(reference: str) -> Place | None:
    """B1 -> (0, 1); None for what is no reference."""
    match = _REFERENCE.fullmatch(reference)
    return (int(match[2]) - 1, column_index(match[1])) if match else None


def area_of(reference: str) -> tuple[Place, Place] | None:
    """A1:B3 -> its first and last cell; None for what is no area."""
    first, _, last = reference.partition(":")
    corners = place_of(first), place_of(last or first)
    return (corners[0], corners[1]) if corners[0] is not None and corners[1] is not None else None


def sheet_parts(package: Package) -> dict[str, str]:
    """Name of each worksheet -> its part of an .xlsx package."""
    targets: dict[str, str] = {}
    sheets: dict[str, str] = {}

    def relation(name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship" and attributes.get("Type", "").endswith("/worksheet"):
            targets[attributes.get("Id", "")] = posixpath.normpath(
                posixpath.join("/xl", attributes.get("Target", ""))
            ).lstrip("/")

    def sheet(name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            id = next((value for key, value in attributes.items() if key.rpartition(":")[2] == "id"), "")
            sheets[attributes.get("name", "")] = id

    package.parse("xl/_rels/workbook.xml.rels", relation)
    package.parse("xl/workbook.xml", sheet)
    return {name: targets[id] for name, id in sheets.items() if targets.get(id) in package.parts}


def look(package: Package, sheet: str, part: str) -> Structure:
    """The structure of one sheet of an .xlsx package. Raises Refused where its cells span too much."""
    seen = _Pass(sheet, _padding_styles(package))
    package.parse(part, seen.start)
    seen.end()
    return seen.found


def _padding_styles(package: Package) -> dict[str, int]:
    """Styles of cells that show numbers with leading zeros (format 0000) -> how many digits."""
    formats: dict[str, int] = {}
    styles: dict[str, int] = {}
    inside, count = False, 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal inside, count
        if name == "numFmt" and re.fullmatch("0{2,30}", code := attributes.get("formatCode", "")):
            formats[attributes.get("numFmtId", "")] = len(code)
        elif name in ("cellXfs", "cellStyles", "dxfs"):
            inside = name == "cellXfs"
        elif name == "xf" and inside:
            if digits := formats.get(attributes.get("numFmtId", "")):
                styles[str(count)] = digits
            count += 1

    if "xl/styles.xml" in package.parts:
        package.parse("xl/styles.xml", start)
    return styles


class _Pass:
    """The streaming pass. It knows the cell it is in, and of all cells only how far they reach."""

    def __init__(self, sheet: str, padding: dict[str, int]) -> None:
        self.sheet, self.found, self.padding = sheet, Structure(), padding
        self.row = self.column = -1
        self.kind: str | None = None
        self.columns: dict[str, int] = {}
        """Letters -> index, of the columns met so far."""
        self.last_row = self.last_column = -1

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._cell(attributes)
        elif name in ("v", "is"):
            if self.row > self.last_row:
                self.last_row = self.row
            if self.column > self.last_column:
                self.last_column = self.column
        elif name == "row":
            self._row(attributes)
        elif name == "f":
            if self.kind != "str":
                self.found.formulas.add((self.row, self.column))
        elif name == "mergeCell":
            if (area := area_of(attributes.get("ref", ""))) and len(self.found.merged) < MAX_CELLS // 100:
                self.found.merged.append(area)
        elif name == "dimension" and (area := area_of(attributes.get("ref", ""))):
            (top, first), (bottom, last) = area
            self._limit(bottom - top + 1, last - first + 1, MAX_DECLARED)

    def _row(self, attributes: dict[str, str]) -> None:
        number = attributes.get("r", "")
        self.row = int(number) - 1 if number.isdigit() and len(number) < 8 else self.row + 1
        self.column = -1
        if attributes.get("hidden") in ("1", "true"):
            self.found.hidden.add(self.row)

    def _cell(self, attributes: dict[str, str]) -> None:
        self.column += 1
        reference = attributes.get("r")
        if reference is not None:
            letters = reference.rstrip("0123456789")
            column, number = self.columns.get(letters), reference[len(letters) :]
            if column is None or not 0 < len(number) < 8:
                column = self._new_column(letters, number)
            self.row, self.column = int(number) - 1, column
        if (
            self.column >= MAX_COLUMNS
            or max(map(len, (self.found.formulas, self.found.errors, self.found.padded))) > MAX_CELLS // 5
        ):
            raise Refused(
                "too_many_cells", f"the sheet {self.sheet!r} has too many columns or formulas", sheet=self.sheet
            )
        self.kind = attributes.get("t")
        if self.kind == "e":
            self.found.errors.add((self.row, self.column))
        if self.padding and (digits := self.padding.get(attributes.get("s", ""))):
            self.found.padded[self.row, self.column] = digits

    def _new_column(self, letters: str, number: str) -> int:
        """The index of a column that was not met yet. Raises Refused for what is no cell."""
        if not re.fullmatch("[A-Z]{1,3}", letters) or not 0 < len(number) < 8:
            told = f"a cell of the sheet {self.sheet!r} says that it is {(letters + number)[:20]!r}"
            raise Refused("damaged", told, sheet=self.sheet)
        self.columns[letters] = column_index(letters)
        return self.columns[letters]

    def _limit(self, rows: int, columns: int, limit: int) -> None:
        if rows * columns > limit:
            told = f"{rows:,} rows and {columns:,} columns"
            raise Refused("too_many_cells", f"the cells of the sheet {self.sheet!r} span {told}", sheet=self.sheet)

    def end(self) -> None:
        self._limit(self.last_row + 1, self.last_column + 1, MAX_CELLS)


def look_ods(package: Package) -> None:
    """Refuse an OpenDocument spreadsheet whose repeated cells span too much. Raises Refused."""
    row = column = repeated = 0
    rows_here = 1
    last_column = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal row, column, rows_here, last_column, repeated
        if name == "table":
            row = last_column = 0
        elif name == "table-row":
            rows_here, column = _times(attributes, "table:number-rows-repeated"), 0
            row += rows_here
        elif name in ("table-cell", "covered-table-cell"):
            times = _times(attributes, "table:number-columns-repeated")
            column += times
            if "office:value-type" in attributes:
                last_column = max(last_column, column)
                repeated += rows_here * times
                if row * last_column > MAX_CELLS or repeated > MAX_CELLS:
                    raise Refused("too_many_cells", f"the cells of a sheet span {row:,} rows and {column:,} columns")

    package.parse("content.xml", start)


def _times(attributes: dict[str, str], name: str) -> int:
    text = attributes.get(name, "1")
    return int(text) if text.isdigit() and len(text) < 10 else MAX_UNPACKED
