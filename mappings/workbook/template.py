"""A workbook to fill in: one sheet per table, with the values of both systems to choose from (SPEC C1).

Rule of this file: what comes out goes in again. The columns stand where the mapping looks for them, and a template
that nobody touched has no error.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openpyxl import Workbook
from openpyxl.formatting.rule import FormulaRule
from openpyxl.worksheet.datavalidation import DataValidation

from mappings.config import Side
from mappings.values import auto
from mappings.workbook.cells import EMPTY_WORD
from mappings.workbook.columns import WAY_BACK
from mappings.workbook.content import TableRows, Tables, Use
from mappings.workbook.sheet_text import GREEN, GREY, RED, WRAPPED, YELLOW, head_cell, text_cell
from mappings.workbook.structure import column_index, column_letter

HOW_TO = "How to"
LISTS = "_lists"
MOST_COLUMNS = 100
"""Letters beyond this many columns are taken for headers."""
SPARE = 200
"""Blank rows below the pairs that have drop-downs and colours too."""
_FORBIDDEN = re.compile(r"[\[\]:*?/\\]")

_HOW_TO = (
    "Each sheet pairs the values of one field. The first column has the values of the left system, the second those "
    "of the right system.",
    "Choose the counterpart from the drop-down of the cell. Values of the systems are offered; others are taken, and "
    "you are warned.",
    "Green: a pair. Yellow: the other value is still missing; until there is one, such values are held and wait. "
    "Red: the system has no such value.",
    "Several left values may have the same right value. Then mark with x, in the column 'Way back', the row that is "
    "meant when the value comes back.",
    "(empty) stands for the empty value. A blank cell says nothing.",
    "'Coverage' tells what this workbook found when it was made. It is not read.",
    "Upload it with `syncline values upload NAME FILE`, on the console, or save it beside the configuration.",
)

MAPPED, MATCHED = "mapped", "matched by name: have a look"


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where each column of a sheet stands, from 0; `back` and `mark` where there are such columns."""

    titles: Mapping[int, str]
    left: int
    right: int
    back: tuple[int, int] | None
    mark: int | None
    coverage: int


def make_template(uses: Sequence[Use], tables: Tables) -> bytes:
    """An .xlsx with a sheet per table: what `tables` has, pairs of equal name, and the values that have no pair yet.

    `uses`: one for each table (`merged`), with live values where they are known. Raises ValueError for a sheet
    name that no workbook can have.
    """
    sheets = _by_sheet(uses)
    for name in sheets:
        if len(name) > 31 or _FORBIDDEN.search(name):
            raise ValueError(f"no sheet can be called {name!r}: at most 31 characters, and none of [ ] : * ? / \\")
    book = Workbook(write_only=True)
    _write_how_to(book.create_sheet(HOW_TO))
    lists: list[list[str]] = []
    for name, same in sheets.items():
        _Sheet(book.create_sheet(name), same, tables, lists).write()
    _write_lists(book.create_sheet(LISTS), lists)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def _by_sheet(uses: Sequence[Use]) -> dict[str, Use]:
    """The first table of each sheet: two tables of other columns of one sheet cannot both be laid out in it."""
    sheets: dict[str, Use] = {}
    for use in uses:
        sheets.setdefault(use.source.sheet, use)
    return sheets


def _layout(use: Use) -> _Layout:
    source = use.source
    headers = {side: f"{facts.system}: {facts.field}" for side, facts in use.sides.items()}
    if headers[Side.LEFT] == headers[Side.RIGHT]:
        headers = {side: f"{text} ({side})" for side, text in headers.items()}
    wanted = [(source.left or "A", headers[Side.LEFT]), (source.right or "B", headers[Side.RIGHT])]
    if source.back is not None:
        wanted += [(source.back.left, headers[Side.LEFT] + " back"), (source.back.right, headers[Side.RIGHT] + " back")]
    places: list[int] = []
    titles: dict[int, str] = {}
    taken = {place for name, _ in wanted if (place := _letter(name)) is not None}
    for name, header in wanted:
        place = _letter(name)
        if place is None:
            place = next((p for p, title in titles.items() if title == name), None)
        if place is None:
            place = next(p for p in range(len(wanted) + len(taken)) if p not in taken)
            header, taken = name, taken | {place}
        titles.setdefault(place, header)
        places.append(place)
    end = max(places)
    back = (places[2], places[3]) if source.back is not None and places[2:] != places[:2] else None
    mark = end + 1 if source.back is None else None
    return _Layout(titles, places[0], places[1], back, mark, end + 2 if mark is not None else end + 1)


def _letter(name: str) -> int | None:
    """The column that a name means as a letter."""
    index = column_index(name.upper()) if re.fullmatch(r"[A-Z]{1,2}", name) else None
    return index if index is not None and index < MOST_COLUMNS else None


@dataclass(frozen=True, slots=True)
class _Row:
    left: str
    right: str
    mark: str
    told: str


class _Sheet:
    """One sheet while it is written."""

    def __init__(self, sheet: Any, use: Use, tables: Tables, lists: list[list[str]]) -> None:
        self.sheet, self.use, self.lists = sheet, use, lists
        self.rows = tables.get(use.key, TableRows())
        self.layout = _layout(use)
        self.live = {side: facts.choices or facts.users for side, facts in use.sides.items()}

    def write(self) -> None:
        rows = list(self._rows())
        last = len(rows) + 1 + SPARE
        self._shape(last)
        layout = self.layout
        titles = {**layout.titles, layout.coverage: "Coverage"}
        if layout.mark is not None:
            titles[layout.mark] = WAY_BACK
        width = max(titles) + 1
        self.sheet.append([head_cell(self.sheet, titles.get(i, "")) for i in range(width)])
        for texts in self._with_back([self._texts(row) for row in rows]):
            self.sheet.append([self._cell(i, texts.get(i, "")) for i in range(width)])

    def _with_back(self, rows: list[dict[int, str]]) -> list[dict[int, str]]:
        """The rows (column -> text) with the way back in its own columns; beside its value where it shares one."""
        if self.layout.back is None:
            return rows
        left, right = self.layout.back
        shared = left if left == self.layout.left else right if right == self.layout.right else None
        places: dict[str, list[int]] = {}
        for number, texts in reversed(list(enumerate(rows))):
            places.setdefault(texts.get(shared, "") if shared is not None else "", []).append(number)
        for back_right, back_left in self.rows.back.items():
            texts = {left: _shown(back_left), right: _shown(back_right)}
            free = places.get(texts[shared] if shared is not None else "")
            if free:
                rows[free.pop()] |= texts
            else:
                rows.append(texts)
        return rows

    def _texts(self, row: _Row) -> dict[int, str]:
        texts = {self.layout.left: row.left, self.layout.right: row.right, self.layout.coverage: row.told}
        if self.layout.mark is not None:
            texts[self.layout.mark] = row.mark
        return texts

    def _cell(self, column: int, text: str) -> Any:
        return text_cell(self.sheet, text, fill=GREY if column == self.layout.coverage else None) if text else None

    def _rows(self) -> Iterator[_Row]:
        """What is mapped, what matches by name, and what has no counterpart yet."""
        table = self.rows.table(self.use)
        known = {side: {table.key(side, text) for text in table.values(side)} for side in Side}
        for left, right in self.rows.pairs:
            mark = "x" if self.layout.mark is not None and self.rows.back.get(right) == left else ""
            yield _Row(_shown(left), _shown(right), mark, self._told(left, right))
        free = {side: [text for text in self.live[side] if table.key(side, text) not in known[side]] for side in Side}
        matched = auto(free[Side.LEFT], free[Side.RIGHT])
        for left, right in matched:
            yield _Row(left, right, "", MATCHED)
        for left in free[Side.LEFT]:
            if left not in dict(matched):
                yield _Row(left, "", "", f"no counterpart yet in {self.use.sides[Side.RIGHT].system}")
        for right in free[Side.RIGHT]:
            if right not in {right for _, right in matched}:
                yield _Row("", right, "", f"no counterpart yet in {self.use.sides[Side.LEFT].system}")

    def _told(self, left: str, right: str) -> str:
        for side, text in ((Side.LEFT, left), (Side.RIGHT, right)):
            facts = self.use.sides[side]
            if text and facts.choices is not None and text not in facts.choices:
                return f"{facts.system} has no such value"
        return MAPPED

    def _shape(self, last: int) -> None:
        """Widths, the frozen header, drop-downs and colours; all of it stands before the rows in the file."""
        sheet, layout = self.sheet, self.layout
        sheet.freeze_panes = "A2"
        for column in {*layout.titles, layout.coverage}:
            sheet.column_dimensions[column_letter(column)].width = 34
        columns = {Side.LEFT: [layout.left], Side.RIGHT: [layout.right]}
        if layout.back is not None:
            columns[Side.LEFT].append(layout.back[0])
            columns[Side.RIGHT].append(layout.back[1])
        for side, places in columns.items():
            if self.live[side]:
                self.lists.append([*self.live[side], EMPTY_WORD])
                area = f"{LISTS}!${column_letter(len(self.lists) - 1)}$1:${column_letter(len(self.lists) - 1)}"
                area += f"${len(self.live[side]) + 1}"
                for place in places:
                    self._offer(place, area, last, self.use.sides[side].system)
        if layout.mark is not None:
            self._mark(column_letter(layout.mark), last)
        left, right = column_letter(layout.left), column_letter(layout.right)
        for letter in (left, right):
            area = f"{letter}2:{letter}{last}"
            half = FormulaRule(formula=[f'(${left}2="")<>(${right}2="")'], fill=YELLOW)
            full = FormulaRule(formula=[f'AND(${left}2<>"",${right}2<>"")'], fill=GREEN)
            sheet.conditional_formatting.add(area, half)
            sheet.conditional_formatting.add(area, full)

    def _offer(self, column: int, area: str, last: int, system: str) -> None:
        """A drop-down with the system's values. Others are taken after a word of warning."""
        letter = column_letter(column)
        offer = DataValidation(type="list", formula1=f"={area}", allow_blank=True, errorStyle="warning")
        offer.errorTitle, offer.error = "Unknown value", f"{system} has no such value."
        offer.add(f"{letter}2:{letter}{last}")
        self.sheet.data_validations.append(offer)
        unknown = f'AND({letter}2<>"",ISNA(MATCH({letter}2,{area},0)))'
        rule = FormulaRule(formula=[unknown], fill=RED, stopIfTrue=True)
        self.sheet.conditional_formatting.add(f"{letter}2:{letter}{last}", rule)

    def _mark(self, letter: str, last: int) -> None:
        offer = DataValidation(type="list", formula1='"x"', allow_blank=True)
        offer.add(f"{letter}2:{letter}{last}")
        self.sheet.data_validations.append(offer)


def _shown(text: str) -> str:
    return text if text else EMPTY_WORD


def _write_how_to(sheet: Any) -> None:
    sheet.column_dimensions["A"].width = 110
    sheet.append([head_cell(sheet, "How to fill in this workbook")])
    for line in _HOW_TO:
        cell = text_cell(sheet, line)
        cell.alignment = WRAPPED
        sheet.append([cell])


def _write_lists(sheet: Any, lists: list[list[str]]) -> None:
    """What the drop-downs offer: too much for them to hold themselves. Hidden, and read by nobody."""
    sheet.sheet_state = "hidden"
    for row in range(max(map(len, lists), default=0)):
        sheet.append([text_cell(sheet, texts[row]) if row < len(texts) else None for texts in lists])
