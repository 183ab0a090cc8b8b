"""One column of a table, cell by cell: the text that counts, and what is odd about how it is written.

Rule of this file: a value exactly as its system has it is never odd. Anything else is looked at: spaces, numbers,
dates and formulas each have a finding of their own.
"""

from __future__ import annotations

import re

from connectors.schema import FieldType
from mappings.findings import nearest
from mappings.values import number_of
from mappings.workbook.cell import Shown, shown
from mappings.workbook.content import SideFacts
from mappings.workbook.findings import SHOWN, Findings, Severity
from mappings.workbook.reading import Sheet
from mappings.workbook.structure import Place, cell_name

EMPTY_WORD = "(empty)"
"""What a person writes for the empty value; a blank cell says nothing."""

_ODD_SPACES = re.compile(r"[\u00a0\u202f\u2007\u200b\u2060\ufeff]")
_PLAIN = re.compile(r"[^\W\d_](?:[\w .,:;/()@&!?'’-]*[\w.,:;/()@&!?'’-])?", re.ASCII)
"""Texts that need no further look: they start with a letter and hold no odd or outer space."""
_DATES = frozenset({FieldType.DATE, FieldType.DATETIME})


class Reader:
    """Reads one column. `facts`: of the side that its values belong to; `covered`: cells merged into others."""

    def __init__(
        self,
        sheet: Sheet,
        column: int,
        facts: SideFacts,
        header: int,
        found: Findings,
        covered: frozenset[Place],
    ) -> None:
        self.sheet, self.column, self.facts, self.found, self.covered = sheet, column, facts, found, covered
        self.cells = sheet.columns[column]
        self.live = frozenset(facts.choices or ())
        self.folded = {text.casefold(): text for text in facts.choices or ()}
        self.spelled: dict[str, str] = {}
        """Case-folded -> as first written here."""
        self.numbers = any(type(cell) is not str and shown(cell).holds == "number" for cell in self.cells[header + 1 :])
        self.unknown = 0
        self.texts = [None if row <= header else self._read(row) for row in range(len(self.cells))]
        """Row -> the text of its cell, "" for a blank one; None for headers, and where it holds nothing usable."""

    def _read(self, row: int) -> str | None:
        raw = self.cells[row]
        if type(raw) is str and raw in self.live:
            return raw
        text = raw if type(raw) is str and _PLAIN.fullmatch(raw) else self._odd(row, shown(raw))
        if text and text.casefold() != EMPTY_WORD:
            self._known(row, text)
        return text

    def _tell(self, row: int, severity: Severity, kind: str, problem: str, remedy: str = "") -> None:
        cell = cell_name(row, self.column)
        self.found.tell(severity, kind, problem, remedy, sheet=self.sheet.name, cell=cell)

    def _odd(self, row: int, cell: Shown) -> str | None:
        structure, place = self.sheet.structure, (row, self.column)
        if structure is not None and place in structure.errors:
            self._tell(row, "error", "error_value", "the cell shows an error of the spreadsheet")
            return None
        if cell.holds == "nothing":
            if structure is not None and place in structure.formulas:
                self._tell(row, "error", "formula_without_value", "the formula's result was never saved")
                return None
            return None if place in self.covered else ""
        if cell.holds == "text":
            return self._text(row, cell.text)
        return self._other(row, cell)

    def _text(self, row: int, text: str) -> str:
        """A text with spaces that nobody sees, or one that looks like a number."""
        plain = " ".join(_ODD_SPACES.sub(" ", text).split(" ")) if _ODD_SPACES.search(text) else text
        if plain != text:
            self._tell(row, "warning", "non_breaking_space", f"{plain.strip()!r} holds a space that does not break")
        stripped = plain.strip()
        if stripped != plain and plain == text:
            problem = f"{stripped!r} has spaces around it" if stripped else "the cell holds nothing but spaces"
            self._tell(row, "warning", "surrounding_spaces", problem)
        if self.sheet.typed and stripped and number_of(stripped) is not None and stripped not in self.live:
            self._number_as_text(row, stripped)
        return stripped

    def _number_as_text(self, row: int, text: str) -> None:
        """Serious where other cells hold real numbers, or where the field is one of numbers."""
        serious = self.numbers or self.facts.type is FieldType.NUMBER or bool(self.live)
        mixed = "; other cells of the column hold real numbers" if self.numbers else ""
        problem = f"{text!r} is a number stored as text{mixed}"
        self._tell(row, "warning" if serious else "note", "number_as_text", problem)

    def _other(self, row: int, cell: Shown) -> str:
        """A number, date or truth in the place of a text. A note where it is exactly what the system has."""
        text = self._padded(row, cell)
        exact = text in self.live
        if cell.holds == "number":
            if self.facts.type is not FieldType.NUMBER:
                digits = sum(map(str.isdigit, text))
                cut = ". A spreadsheet keeps 15 digits: a longer one was cut" if digits >= 15 else ""
                problem = f"the cell holds the number {cell.text}, no text{cut}; it is read as {text!r}"
                self._tell(row, "note" if exact and not cut else "warning", "number_not_text", problem)
        elif cell.holds == "boolean":
            if self.facts.type is not FieldType.BOOLEAN:
                problem = f"the cell holds {text.upper()}, no text; it is read as {text!r}"
                self._tell(row, "note" if exact else "warning", "boolean", problem)
        elif self.facts.type not in _DATES:
            problem = f"the cell holds a {cell.holds}; it is read as {text!r}"
            self._tell(row, "warning", "date", problem)
        return text

    def _padded(self, row: int, cell: Shown) -> str:
        """The text with the leading zeros that the cell's format shows."""
        structure = self.sheet.structure
        digits = structure.padded.get((row, self.column), 0) if structure is not None else 0
        return cell.text.zfill(digits) if cell.holds == "number" and cell.text.isdigit() else cell.text

    def _known(self, row: int, text: str) -> None:
        """Whether the system has this value; where it lists none, whether the column spells it one way."""
        if text in self.live:
            return
        fold = text.casefold()
        if self.facts.type is FieldType.USER and self.facts.choices is None:
            return
        if fold in self.folded and self.facts.type not in (FieldType.NUMBER, FieldType.BOOLEAN):
            problem = f"{self.facts.system} writes {self.folded[fold]!r}, this cell {text!r}"
            self._tell(row, "warning", "case_differs", problem)
        elif self.facts.choices is not None and not self._same_number(text):
            self.unknown += 1
            known = self.facts.choices if self.unknown <= SHOWN and len(self.facts.choices) <= 2000 else ()
            problem = f"{self.facts.field!r} of {self.facts.system} has no value {text!r}"
            self._tell(row, "warning", "unknown_value", problem, nearest(text, known, "Values") if known else "")
        elif (first := self.spelled.setdefault(fold, text)) != text:
            problem = f"{first!r} and {text!r} differ in upper and lower case alone"
            self._tell(row, "warning", "case_differs", problem, "Write both alike, if they are one value.")

    def _same_number(self, text: str) -> bool:
        if self.facts.type is not FieldType.NUMBER:
            return False
        number = number_of(text)
        return number is not None and any(number_of(choice) == number for choice in self.live)
