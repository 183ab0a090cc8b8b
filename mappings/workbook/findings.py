"""What may be wrong with a workbook: the kinds, each with its general remedy.

Rule of this file: every kind stands here once and in docs/words.md (a test holds the two together). An error refuses
the workbook as a whole, a warning wants a confirmation, a note only explains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]

KINDS: dict[str, str] = {
    # of the file
    "empty_file": "Upload the workbook itself.",
    "too_large": "Leave out sheets, pictures and rows that the value mappings do not need.",
    "wrong_extension": "Save the workbook anew in your spreadsheet program, as .xlsx.",
    "unknown_format": "Save it as .xlsx, .xlsm, .xls, .ods or .csv.",
    "encrypted": "Save it without a password.",
    "damaged": "Save the workbook anew in your spreadsheet program, and upload that file.",
    "zip_bomb": "Save the workbook anew in your spreadsheet program, and upload that file.",
    "external_entities": "Save the workbook anew in your spreadsheet program, and upload that file.",
    "external_links": "Break the links to other workbooks (Data, Edit Links), so that the values stand in this one.",
    "too_many_cells": "Delete the stray cells far right and far below, or keep the value mappings in a workbook alone.",
    # of a sheet
    "missing_sheet": "Name the sheet as the mapping does, or the other way round.",
    "missing_column": "Give the column this header, or change the mapping.",
    "ambiguous_column": "Give the columns different headers, or name the column by its letter.",
    "no_rows": "Add rows, or all values of this field are held.",
    "header_is_value": "Put a row with headers above the first pair.",
    "hidden_row": "Show the row and see whether it is meant; hidden rows count like all others.",
    "merged_cells": "Split the cells, and write the value into each row that it is meant for.",
    # of a cell
    "formula_without_value": "Open the workbook in a spreadsheet program and save it, or write the value itself.",
    "error_value": "Mend the formula, or write the value itself.",
    "date": "If a text was meant, format the cell as text and type it again.",
    "boolean": "If a text was meant, format the cell as text and type it again.",
    "number_as_text": "Compare the spelling with the system's: 1, 1.0 and 01 are three texts.",
    "number_not_text": "Format the cell as text and type the value again.",
    "surrounding_spaces": "Delete the spaces before and after the value. They are left out.",
    "non_breaking_space": "Replace it by a plain space. It is read as one.",
    "blank": "Fill in the other value, write (empty) for the empty value, or delete the row.",
    "unknown_mark": "Write x at the row that is the way back, and nothing at the others.",
    # of the values
    "duplicate": "Delete one of the two rows.",
    "ambiguous": "Keep one row for this value.",
    "no_way_back": "Mark one of the rows with x in the column 'Way back', or name columns for the way back (`back:`).",
    "two_ways_back": "Keep one way back for this value.",
    "case_differs": "Write it as the system does: upper and lower case count.",
    "unknown_value": "Use a value that the system has, or see that it will have it.",
    "unmapped_value": "Add a row for the value; until then it is held.",
    "system_not_asked": "Check again when the system can be reached.",
    "too_many_users": "See yourself that the other users exist.",
}


@dataclass(frozen=True, slots=True)
class CellFinding:
    """One thing that is wrong in a workbook. `cell` as `B7`, "" where it is about the sheet or the file."""

    sheet: str
    cell: str
    severity: Severity
    kind: str
    problem: str
    remedy: str

    @classmethod
    def of(
        cls, severity: Severity, kind: str, problem: str, remedy: str = "", *, sheet: str = "", cell: str = ""
    ) -> CellFinding:
        """A finding; without a remedy of its own it has the general one of its kind. Raises KeyError: no such kind."""
        general = KINDS[kind]
        return cls(sheet, cell, severity, kind, problem, remedy or general)

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in CellFinding.__slots__}

    def __str__(self) -> str:
        place = "!".join(filter(None, (self.sheet, self.cell)))
        return f"{place + ': ' if place else ''}{self.severity}: {self.problem}. {self.remedy}"


class Refused(Exception):
    """A file that cannot be used at all; `finding` says why."""

    def __init__(self, kind: str, problem: str, remedy: str = "", *, sheet: str = "") -> None:
        self.finding = CellFinding.of("error", kind, problem, remedy, sheet=sheet)
        super().__init__(str(self.finding))


SHOWN = 200
"""Findings of one kind in one sheet that are listed; the others are counted."""


class Findings:
    """Collects findings: all are counted, and of each kind in each sheet the first SHOWN are kept."""

    def __init__(self, found: Iterable[CellFinding] = ()) -> None:
        self._kept: list[CellFinding] = []
        self._count: Counter[tuple[str, str, Severity]] = Counter()
        for one in found:
            self.add(one)

    def add(self, one: CellFinding) -> None:
        key = (one.sheet, one.kind, one.severity)
        self._count[key] += 1
        if self._count[key] <= SHOWN:
            self._kept.append(one)

    def tell(
        self, severity: Severity, kind: str, problem: str, remedy: str = "", *, sheet: str = "", cell: str = ""
    ) -> None:
        """Add a finding made of these words."""
        self.add(CellFinding.of(severity, kind, problem, remedy, sheet=sheet, cell=cell))

    def count(self, severity: Severity) -> int:
        return sum(n for (_, _, found), n in self._count.items() if found == severity)

    def __iter__(self) -> Iterator[CellFinding]:
        """What was kept, in the order it was found, then how many more there are of each kind."""
        yield from self._kept
        for (sheet, kind, severity), n in self._count.items():
            if n > SHOWN:
                yield CellFinding.of(severity, kind, f"{n - SHOWN} more like this ({kind})", sheet=sheet)
