"""Row by row: the cells of a workbook -> value tables and findings (SPEC C3).

Rule of this file: nothing is corrected in silence. Where a cell is read differently than it is written, a finding says
so; where rows contradict each other, nothing is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from connectors.schema import FieldType
from mappings.config import Side
from mappings.findings import nearest
from mappings.workbook.cells import EMPTY_WORD, Reader
from mappings.workbook.columns import Columns, find_columns
from mappings.workbook.content import TableRows, Use
from mappings.workbook.findings import Findings, Refused, Severity
from mappings.workbook.pairs import Pair, settle
from mappings.workbook.reading import Book, Progress, Sheet, open_book
from mappings.workbook.structure import Place, cell_name

_YES = frozenset({"x", "yes", "true", "1", "y", "✓", "✔"})
_NO = frozenset({"", "no", "false", "0", "n", "-"})


@dataclass(slots=True)
class UserCell:
    """A user that a table names, where it stands first."""

    sheet: str
    cell: str
    side: Side
    text: str


@dataclass(slots=True)
class Checked:
    """What came of a workbook. `tables` is complete only where `findings` has no error."""

    findings: Findings = field(default_factory=Findings)
    tables: dict[str, TableRows] = field(default_factory=dict)
    users: list[UserCell] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        return self.findings.count("error") > 0


def check_book(content: bytes, name: str, uses: Sequence[Use], progress: Progress | None = None) -> Checked:
    """Read and check the tables that a mapping takes from a workbook. Raises nothing: a refusal is a finding.

    `progress` is told ("read", rows) and ("checked", rows).
    """
    checked = Checked()
    try:
        book = open_book(content, name, {use.source.sheet for use in uses})
        for use in merged(uses):
            _check_table(book, use, checked, progress, only=len({use.source.sheet for use in uses}) == 1)
    except Refused as refused:
        checked.findings.add(refused.finding)
    return checked


def merged(uses: Sequence[Use]) -> list[Use]:
    """One use per table: what several field rows know of it taken together."""
    each: dict[str, list[Use]] = {}
    for use in uses:
        each.setdefault(use.key, []).append(use)
    return [same[0] if len(same) == 1 else _together(same) for same in each.values()]


def _together(uses: Sequence[Use]) -> Use:
    """Values that any of them offers are offered; the types are the first one's."""
    first = uses[0]
    sides = {}
    for side, facts in first.sides.items():
        lists = [use.sides[side].choices for use in uses]
        known = None if None in lists else tuple(dict.fromkeys(text for texts in lists for text in texts or ()))
        sides[side] = replace(facts, choices=known, asked=all(use.sides[side].asked for use in uses))
    return Use(first.source, sides, frozenset().union(*(use.to for use in uses)), any(use.holds for use in uses))


def _check_table(book: Book, use: Use, checked: Checked, progress: Progress | None, *, only: bool) -> None:
    name = use.source.sheet
    if name not in book.sheets and (book.file.format != "csv" or not only):
        problem = f"{book.name} has no sheet {name!r}"
        remedy = nearest(name, book.sheets, "Sheets")
        checked.findings.tell("error", "missing_sheet", problem, remedy, sheet=name)
        return
    sheet = book.sheet(name, progress)
    columns = find_columns(sheet, use.source)
    if isinstance(columns, list):
        for one in columns:
            checked.findings.add(one)
        return
    checked.tables[use.key] = _Table(sheet, columns, use, checked).check(progress)


class _Table:
    """One table: the readers of its columns, and the rows as they come."""

    def __init__(self, sheet: Sheet, columns: Columns, use: Use, checked: Checked) -> None:
        self.sheet, self.columns, self.use = sheet, columns, use
        self.found, self.checked = checked.findings, checked
        self.covered = self._merged_cells()
        self.used = sorted({column for pair in columns.pairs for column in pair})
        self.blanks: set[tuple[Side, str]] = set()
        self.readers = {
            column: Reader(sheet, column, use.sides[side], columns.header, self.found, self.covered)
            for pair in columns.pairs
            for side, column in zip(Side, pair, strict=True)
        }

    def check(self, progress: Progress | None) -> TableRows:
        sheet, columns = self.sheet, self.columns
        self._unasked()
        self._header()
        there = self._pairs(columns.left, columns.right, marks=True)
        back = self._pairs(*columns.back, marks=False) if len(columns.pairs) > 1 and columns.back else None
        self._hidden()
        if not there:
            self.found.tell("warning", "no_rows", "the sheet has no pair of values", sheet=sheet.name)
        rows = settle(there, back, self.use, sheet.name, columns, self.found, self.blanks)
        self._users(there, columns)
        if progress is not None:
            progress("checked", sheet.height)
        return rows

    def _pairs(self, left: int, right: int, *, marks: bool) -> list[Pair]:
        """The rows of two columns. A row with a mistake in it is left out: the mistake is told."""
        texts = zip(self.readers[left].texts, self.readers[right].texts, strict=True)
        pairs = []
        for row, (one, other) in enumerate(texts):
            if one is None or other is None or (one == "" and other == ""):
                continue
            if one == "" or other == "":
                self._blank(row, left if one == "" else right, Side.LEFT if one == "" else Side.RIGHT, one or other)
                continue
            marked = marks and self.columns.mark is not None and self._marked(row)
            pairs.append(Pair(row, _meant(one), _meant(other), marked))
        return pairs

    def _marked(self, row: int) -> bool:
        assert self.columns.mark is not None
        text = self.sheet.cell(row, self.columns.mark).text.strip()
        if text.casefold() not in _YES | _NO:
            cell = cell_name(row, self.columns.mark)
            self.found.tell("error", "unknown_mark", f"{text!r} is no mark", sheet=self.sheet.name, cell=cell)
        return text.casefold() in _YES

    def _blank(self, row: int, column: int, side: Side, other: str) -> None:
        """A value without its counterpart. It matters where it would have to flow to the blank side."""
        if (row, column) in self.covered:
            return
        severity: Severity = "warning" if side in self.use.to else "note"
        self.blanks.add((side.other, other))
        problem = f"{other!r} of {self.use.sides[side.other].system} has no counterpart"
        self.found.tell(severity, "blank", problem, sheet=self.sheet.name, cell=cell_name(row, column))

    def _hidden(self) -> None:
        hidden = self.sheet.structure.hidden if self.sheet.structure else ()
        for row in sorted(hidden):
            if row > self.columns.header and any(self.sheet.cell(row, column).text for column in self.used):
                cell = cell_name(row, self.used[0])
                self.found.tell("warning", "hidden_row", f"row {row + 1} is hidden", sheet=self.sheet.name, cell=cell)

    def _merged_cells(self) -> frozenset[Place]:
        """Cells without a value of their own because they are merged with others; told where that loses something."""
        covered: set[Place] = set()
        used = {column for pair in self.columns.pairs for column in pair}
        for (top, first), (bottom, last) in self.sheet.structure.merged if self.sheet.structure else ():
            bottom = min(bottom, self.sheet.height - 1)
            columns = [column for column in used if first <= column <= last]
            places = {
                (row, column) for row in range(max(top, self.columns.header + 1), bottom + 1) for column in columns
            }
            if len(places) > 1:
                covered |= places - {(top, first)}
                name = f"{cell_name(top, first)}:{cell_name(bottom, last)}"
                self.found.tell("error", "merged_cells", f"{name} are merged: only the first holds the value",
                                sheet=self.sheet.name, cell=cell_name(top, first))  # fmt: skip
        return frozenset(covered)

    def _header(self) -> None:
        """Where no header was named, the first row may be a pair that would be lost."""
        if self.columns.header:
            return
        for side, column in zip(Side, self.columns.pairs[0], strict=True):
            text, choices = self.sheet.cell(0, column).text, self.use.sides[side].choices
            if text and choices is not None and text in choices:
                problem = f"{text!r} stands in the row of headers, and it is a value of {self.use.sides[side].system}"
                self.found.tell("warning", "header_is_value", problem, sheet=self.sheet.name, cell=cell_name(0, column))

    def _unasked(self) -> None:
        for facts in self.use.sides.values():
            if not facts.asked:
                problem = f"{facts.system} could not be asked, so that its values were not compared"
                self.found.tell("warning", "system_not_asked", problem, sheet=self.sheet.name)

    def _users(self, pairs: Sequence[Pair], columns: Columns) -> None:
        for side, column in zip(Side, (columns.left, columns.right), strict=True):
            facts = self.use.sides[side]
            if facts.type is FieldType.USER and facts.choices is None:
                first: dict[str, Pair] = {}
                for pair in pairs:
                    first.setdefault(pair.of(side).casefold(), pair)
                self.checked.users += [
                    UserCell(self.sheet.name, cell_name(pair.row, column), side, pair.of(side))
                    for folded, pair in first.items()
                    if folded
                ]


def _meant(text: str) -> str:
    return "" if text.casefold() == EMPTY_WORD else text
