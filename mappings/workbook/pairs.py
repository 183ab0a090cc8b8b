"""The rows of a table held against each other: what is said twice, what contradicts, and which way leads back.

Rule of this file: where several values become one and nobody chose, there is no way back; a row is never preferred
because it stands first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from connectors.schema import FieldType
from mappings.config import Side
from mappings.values import key_of
from mappings.workbook.columns import Columns
from mappings.workbook.content import TableRows, Use
from mappings.workbook.findings import Findings, Severity
from mappings.workbook.structure import cell_name

_MEET_BY_TYPE = frozenset({FieldType.NUMBER, FieldType.BOOLEAN, FieldType.USER})


@dataclass(frozen=True, slots=True)
class Pair:
    """A row: two values that become each other. `marked`: it is the way back."""

    row: int
    left: str
    right: str
    marked: bool = False

    def of(self, side: Side) -> str:
        return self.left if side is Side.LEFT else self.right


def settle(
    there: Sequence[Pair],
    back: Sequence[Pair] | None,
    use: Use,
    sheet: str,
    columns: Columns,
    found: Findings,
    blanks: Collection[tuple[Side, str]] = (),
) -> TableRows:
    """The table that the rows make. `back`: rows of other columns for the way back, None where there are none.

    `blanks`: values that stand beside a blank cell, which was told.
    """
    work = _Settling(use, sheet, columns, found)
    pairs = work.unique(there, columns.left)
    if Side.RIGHT in use.to:
        work.contradictions(pairs)
    if back is not None:
        chosen = work.chosen(work.unique(back, columns.pairs[1][0]), columns.pairs[1][0])
    else:
        chosen = work.chosen([pair for pair in pairs if pair.marked], columns.left)
    if Side.LEFT in use.to:
        work.ways_back(pairs, chosen)
    work.uncovered(pairs, chosen, blanks)
    return TableRows(tuple((pair.left, pair.right) for pair in pairs), chosen)


class _Settling:
    def __init__(self, use: Use, sheet: str, columns: Columns, found: Findings) -> None:
        self.use, self.sheet, self.columns, self.found = use, sheet, columns, found
        self.typed = {side for side in Side if use.sides[side].type in _MEET_BY_TYPE}

    def key(self, side: Side, text: str) -> str:
        """As the key of a value table; most types leave the text as it is."""
        return key_of(text, self.use.sides[side].type) if side in self.typed else text

    def unique(self, pairs: Iterable[Pair], column: int) -> list[Pair]:
        """Each pair once; of equal ones the marked one is kept."""
        first: dict[tuple[str, str], Pair] = {}
        for pair in pairs:
            key = self.key(Side.LEFT, pair.left), self.key(Side.RIGHT, pair.right)
            if key in first:
                problem = f"row {first[key].row + 1} says the same: {pair.left!r} is {pair.right!r}"
                self._tell("warning", "duplicate", problem, pair.row, column)
                pair = pair if pair.marked else first[key]
            first[key] = pair
        return list(first.values())

    def contradictions(self, pairs: Iterable[Pair]) -> None:
        """A left value that would become several right ones."""
        first: dict[str, Pair] = {}
        for pair in pairs:
            other = first.setdefault(self.key(Side.LEFT, pair.left), pair)
            if other is not pair:
                problem = f"{pair.left!r} becomes {other.right!r} in row {other.row + 1} and {pair.right!r} here"
                self._tell("error", "ambiguous", problem, pair.row, self.columns.left)

    def chosen(self, pairs: Iterable[Pair], column: int) -> dict[str, str]:
        """Right -> left, where a way back was chosen."""
        ways: dict[str, Pair] = {}
        for pair in pairs:
            other = ways.setdefault(self.key(Side.RIGHT, pair.right), pair)
            if other is not pair and Side.LEFT in self.use.to:
                problem = f"{pair.right!r} goes back to {other.left!r} in row {other.row + 1} and to {pair.left!r} here"
                self._tell("error", "two_ways_back", problem, pair.row, column)
        return {pair.right: pair.left for pair in ways.values()}

    def ways_back(self, pairs: Iterable[Pair], chosen: dict[str, str]) -> None:
        """Right values that several left ones become, where nothing says which of them they go back to."""
        decided = {self.key(Side.RIGHT, right) for right in chosen}
        lefts: dict[str, list[Pair]] = {}
        for pair in pairs:
            lefts.setdefault(self.key(Side.RIGHT, pair.right), []).append(pair)
        for key, several in lefts.items():
            if len(several) > 1 and key not in decided:
                names = ", ".join(repr(pair.left) for pair in several[:5]) + (", …" if len(several) > 5 else "")
                problem = f"{names} all become {several[0].right!r}, and nothing says what that goes back to"
                self._tell("error", "no_way_back", problem, several[1].row, self.columns.right)

    def uncovered(self, pairs: Sequence[Pair], chosen: dict[str, str], blanks: Collection[tuple[Side, str]]) -> None:
        """Live values that no row maps."""
        if not self.use.holds:
            return
        for side in Side:
            facts = self.use.sides[side]
            if facts.choices is None or side.other not in self.use.to:
                continue
            named = {self.key(side, pair.of(side)) for pair in pairs}
            named |= {self.key(side, right) for right in chosen} if side is Side.RIGHT else set()
            for value in facts.choices:
                if self.key(side, value) not in named and (side, value) not in blanks:
                    problem = f"{value!r} of {facts.system} ({facts.field}) has no row"
                    self.found.tell("warning", "unmapped_value", problem, sheet=self.sheet)

    def _tell(self, severity: Severity, kind: str, problem: str, row: int, column: int) -> None:
        cell = cell_name(row, column)
        self.found.tell(severity, kind, problem, sheet=self.sheet, cell=cell)
