"""Cells that we write: text and nothing but text.

Rule of this file: what a system or a person calls something never becomes a formula, not even after a copy and paste.
"""

from __future__ import annotations

from typing import Any

from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font, PatternFill

STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r")

HEAD = PatternFill("solid", fgColor="1F3864")
GREEN = PatternFill("solid", fgColor="E2EFDA", bgColor="E2EFDA")
YELLOW = PatternFill("solid", fgColor="FFF2CC", bgColor="FFF2CC")
RED = PatternFill("solid", fgColor="F8CBAD", bgColor="F8CBAD")
GREY = PatternFill("solid", fgColor="EDEDED", bgColor="EDEDED")
WHITE = Font(bold=True, color="FFFFFF")
WRAPPED = Alignment(wrap_text=True, vertical="top")


def as_text(cell: Any, text: str) -> Any:
    """Put a text into a cell, as a text, whatever it starts with."""
    cell.value = ILLEGAL_CHARACTERS_RE.sub("\ufffd", text)
    cell.data_type = "s"
    cell.number_format = "@"
    if text.startswith(STARTS_FORMULA):
        cell.quotePrefix = True  # the spreadsheet's own way to say: a text, also when somebody edits it
    return cell


def text_cell(sheet: Any, text: str, *, fill: PatternFill | None = None, font: Font | None = None) -> Any:
    """A new text cell for a sheet that is written row by row."""
    cell = as_text(WriteOnlyCell(sheet), text)
    if fill is not None:
        cell.fill = fill
    if font is not None:
        cell.font = font
    return cell


def head_cell(sheet: Any, text: str) -> Any:
    return text_cell(sheet, text, fill=HEAD, font=WHITE)
