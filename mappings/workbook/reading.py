"""The cells of a workbook, read by pandas.

Rule of this file: what a workbook says is believed only after `guard` and `structure` have looked at it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from mappings.workbook.apart import read_apart
from mappings.workbook.cell import NOTHING, Shown, shown
from mappings.workbook.findings import Refused
from mappings.workbook.guard import Safe, admit
from mappings.workbook.structure import MAX_CELLS, Structure, look, look_ods, sheet_parts

Progress = Callable[[str, int], None]


@dataclass(slots=True)
class Sheet:
    """One sheet, column by column. `structure` is None where the format does not tell (.xls, .ods, .csv).

    `typed`: cells tell numbers from texts.
    """

    name: str
    columns: list[list[Any]]
    structure: Structure | None = None
    typed: bool = True

    @property
    def height(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    def cell(self, row: int, column: int) -> Shown:
        """The cell; nothing where the sheet does not reach."""
        if column >= len(self.columns) or row >= len(self.columns[column]):
            return NOTHING
        return shown(self.columns[column][row])


@dataclass(slots=True)
class Book:
    """A workbook that is safe to read. `sheets`: the names of its worksheets."""

    file: Safe
    sheets: tuple[str, ...]
    _source: Any
    _parts: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.file.name

    def sheet(self, name: str, progress: Progress | None = None) -> Sheet:
        """Read one sheet. Raises Refused where it is damaged or spans too much."""
        if self.file.format == "csv":
            return Sheet(name, self._source, typed=False)
        if self.file.format == "xls":
            return Sheet(name, self._source[name])
        structure = None
        if self.file.package is not None and name in self._parts:
            structure = look(self.file.package, name, self._parts[name])
        frame = _frame(self._source, name, self.name)
        if progress is not None:
            progress("read", len(frame))
        return Sheet(name, [frame[column].tolist() for column in frame.columns], structure)


def open_book(content: bytes, name: str, wanted: Collection[str]) -> Book:
    """Open a workbook of any kind that is understood, for the sheets that are wanted.

    Raises Refused, with why and what to do.
    """
    file = admit(content, name)
    if file.format == "csv":
        return Book(file, (PurePath(name).stem,), _csv_columns(content, name))
    if file.format == "xls":
        return Book(file, *read_apart(content, name, wanted))
    if file.format == "ods" and file.package is not None:
        look_ods(file.package)
    import pandas as pd  # costs a quarter of a second, and most processes never open a workbook

    try:
        excel = pd.ExcelFile(io.BytesIO(content), engine="calamine")
        names = tuple(str(sheet) for sheet in excel.sheet_names)
    except BaseException as error:  # the reader has no error of its own for every way to be broken; a panic is none
        raise _unreadable(name, error) from None
    parts = sheet_parts(file.package) if file.format == "xlsx" and file.package is not None else {}
    return Book(file, names, excel, parts)


def _frame(excel: Any, sheet: str, name: str) -> Any:
    import pandas as pd

    try:
        frame = pd.read_excel(excel, sheet_name=sheet, header=None, dtype=object, na_filter=False)
    except BaseException as error:
        raise _unreadable(name, error) from None
    if frame.size > MAX_CELLS:
        told = f"{len(frame):,} rows and {len(frame.columns):,} columns"
        raise Refused("too_many_cells", f"the cells of the sheet {sheet!r} span {told}", sheet=sheet)
    return frame


def _unreadable(name: str, error: BaseException) -> Refused:
    if isinstance(error, KeyboardInterrupt | SystemExit):
        raise error
    if "password" in str(error).lower():
        return Refused("encrypted", f"{name} is protected by a password")
    return Refused("damaged", f"{name} is cut off or damaged, and cannot be read ({str(error)[:200]})")


def _csv_columns(content: bytes, name: str) -> list[list[str]]:
    """The columns of a text file, separated by comma, semicolon or tab: whichever its first line has most of."""
    text = _decoded(content)
    first = text.partition("\n")[0]
    separator = max(";\t,", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise _unreadable(name, error) from None
    width = max(map(len, rows), default=0)
    if width * len(rows) > MAX_CELLS:
        raise Refused("too_many_cells", f"{name} has {len(rows):,} rows and {width:,} columns")
    return [[row[i] if i < len(row) else "" for row in rows] for i in range(width)]


def _decoded(content: bytes) -> str:
    """UTF-8 or UTF-16 as marked, else UTF-8, else the Windows code page that Excel writes."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
