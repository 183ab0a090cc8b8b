"""Lists: Textile counts stars, Markdown indents. Rule: the writer asks the reader what it would make of a line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

_SPELLINGS = tuple(product((False, True), "*-+"))
"""How a list is spelled in Markdown: indented by four or as deep as its parent's words, and its bullet.
The place in this row plus one is the number of blanks behind Textile's marker."""

_DEEPEST = 12
"""Lists in lists beyond this are written as text."""


@dataclass(frozen=True, slots=True)
class _Level:
    """A list that is open: Textile's sign, Markdown's bullet, its indentation, the number of its last entry."""

    depth: int
    sign: str
    bullet: str
    indent: int
    number: int

    @property
    def marker(self) -> str:
        return f"{self.number}." if self.sign == "#" else self.bullet

    @property
    def words_at(self) -> int:
        return self.indent + len(self.marker) + 1


class Outline:
    """The lists that are open at a line."""

    def __init__(self) -> None:
        self._levels: tuple[_Level, ...] = ()
        self._paused = False

    def end(self) -> None:
        """All lists end here."""
        self._levels, self._paused = (), False

    def pause(self) -> None:
        """A blank line: the lists end, unless what comes next is indented."""
        self._paused = True

    def go_on(self, line: str) -> None:
        """A line that is no entry of a list belongs to the last entry if it is indented."""
        if line.startswith(" "):
            self._paused = False

    def read(self, signs: str, blanks: int) -> str:
        """Textile's `##` and the number of blanks behind it, as Markdown's indentation and marker."""
        if self._paused:
            self.end()
        self._levels = self._after(signs[-1], len(signs), blanks)
        return self._prefix(self._levels)

    def write(self, indent: str, marker: str) -> str | None:
        """Markdown's indentation and marker as Textile's signs and blanks; None where no list is spelled like that."""
        if self._paused:
            self.end()
        sign = "#" if marker.endswith(".") else "*"
        deepest = min(len(self._levels) + 1, _DEEPEST)
        for depth, blanks in product(range(deepest, 0, -1), range(1, len(_SPELLINGS) + 1)):
            levels = self._after(sign, depth, blanks)
            if self._prefix(levels) == indent + marker:
                self._levels = levels
                return sign * depth + " " * blanks
        return None

    def _after(self, sign: str, depth: int, blanks: int) -> tuple[_Level, ...]:
        parents = tuple(level for level in self._levels if level.depth < depth)
        for level in self._levels:
            if (level.depth, level.sign) == (depth, sign):
                return (*parents, replace(level, number=level.number + 1))
        by_four, bullet = _SPELLINGS[blanks - 1] if blanks <= len(_SPELLINGS) else _SPELLINGS[0]
        below = parents[-1].words_at if parents else 0
        return (*parents, _Level(depth, sign, bullet, 4 * len(parents) if by_four else below, 1))

    @staticmethod
    def _prefix(levels: tuple[_Level, ...]) -> str:
        return " " * levels[-1].indent + levels[-1].marker
