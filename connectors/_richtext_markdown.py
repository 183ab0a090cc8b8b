"""What Markdown says, as far as that is certain. Rule: whatever is not recognised beyond doubt stays text.

`blocks` and `spans` take a text apart; nothing gets lost: `str` of all blocks is the text again, letter for letter.
Newlines count as line breaks, as in GitHub's and Redmine's comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

FARTHEST = 500
"""Characters from a mark to its twin at most, so that a line of nothing but marks is still read in no time."""

BEFORE = r"(?<![^\s>(])"
AFTER = r"(?=[!-/:-@\[-`{-~\s]|$)"
"""Where marks may stand. Markdown allows more, Textile does not: bold inside a word is left alone."""


# -- inside a line --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """What is no construct."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    text: str
    ticks: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """A link, or with `image` a picture. `label` is Markdown again."""

    label: str
    url: str
    title: str | None
    image: bool


@dataclass(frozen=True, slots=True)
class Marked:
    """Words between two marks: `**`, `__`, `*`, `_` or `~~`. `text` is Markdown again."""

    mark: str
    text: str


Span = Text | Code | Anchor | Marked


def marked(marks: tuple[str, ...]) -> str:
    """An expression for words between two of the same marks; group `m<n>` are the words between the n-th."""
    return "|".join(_between(mark, f"m{n}") for n, mark in enumerate(marks))


def _between(mark: str, name: str) -> str:
    one, quoted = re.escape(mark[0]), re.escape(mark)
    alone = (f"(?!{one})", f"(?<!{one})") if len(mark) == 1 else ("", "")
    return rf"{BEFORE}{quoted}{alone[0]}(?P<{name}>\S(?:.{{0,{FARTHEST}}}?\S)??){alone[1]}{quoted}(?!{one}){AFTER}"


MARKS = ("**", "__", "~~", "*", "_")
_SPAN = re.compile(
    r"(?P<skip>\\[!-/:-@\[-`{-~]|<[a-zA-Z/!][^<>]*>|https?://[^\s<>()\[\]*~`\"]+)"
    r"|(?<!`)(?P<ticks>`+)(?!`)(?P<code>.{1,1000}?)(?<!`)(?P=ticks)(?!`)"
    r"|(?P<image>!)?\[(?P<label>(?:[^\[\]\\]|\\.|!?\[[^\[\]]*\](?:\([^\s()]*\))?){0,1000})\]"
    r"\((?P<url>[^\s()<>]+(?:\([^\s()]*\)[^\s()<>]*)*)(?: \"(?P<title>[^\"]+)\")?\)"
    rf"|{marked(MARKS)}"
)


def spans(line: str) -> Iterator[tuple[Span, str]]:
    """The parts of a line, each with its own Markdown."""
    start = 0
    for match in _SPAN.finditer(line):
        span = _span(match)
        if span is not None:
            if match.start() > start:
                yield Text(line[start : match.start()]), line[start : match.start()]
            yield span, match[0]
            start = match.end()
    if start < len(line):
        yield Text(line[start:]), line[start:]


def _span(match: re.Match[str]) -> Span | None:
    if match["skip"]:
        return None
    if match["code"]:
        return Code(match["code"], match["ticks"])
    if match["url"]:
        return Anchor(match["label"], match["url"], match["title"], bool(match["image"]))
    number = next(n for n in range(len(MARKS)) if match[f"m{n}"])
    return Marked(MARKS[number], match[f"m{number}"])


def code_span(text: str, ticks: str = "`") -> str:
    """Code in Markdown, between these ticks, or as many more as its own ticks demand."""
    while re.search(f"(?<!`){ticks}(?!`)", text):
        ticks += "`"
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


# -- lines ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fence:
    """A block of code. `fence` is how it is opened and closed: three ticks or more, or tildes."""

    indent: str
    fence: str
    language: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.indent}{self.fence}{self.language}", *self.lines, f"{self.indent}{self.fence}"])


@dataclass(frozen=True, slots=True)
class Quote:
    """Consecutive lines that begin with `> `. `text` is what they quote: Markdown again."""

    text: str

    def __str__(self) -> str:
        return quoted(self.text)


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a header. Cells keep their blanks; `rule` is the line between header and rows."""

    header: tuple[str, ...]
    rule: str
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        return "\n".join([row_of(self.header), self.rule, *map(row_of, self.rows)])


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a list: its indentation, its marker (`-`, `*`, `+`, `3.`), its words."""

    indent: str
    marker: str
    text: str

    def __str__(self) -> str:
        return f"{self.indent}{self.marker} {self.text}"


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    text: str

    def __str__(self) -> str:
        return f"{'#' * self.level} {self.text}"


@dataclass(frozen=True, slots=True)
class Blank:
    """A line of nothing but blanks."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Line:
    """Any other line."""

    text: str

    def __str__(self) -> str:
        return self.text


Block = Fence | Quote | Table | Item | Heading | Blank | Line

_FENCE = re.compile(r"( *)(`{3,}|~{3,})([\w+#.-]*)")
_ITEM = re.compile(r"( *)([-*+]|[1-9]\d{0,8}\.) (\S.*)")
_HEADING = re.compile(r"(#{1,6}) (\S.*)")
_ROW = re.compile(r"\|.*\|")
_TABLE_RULE = re.compile(r"\|(?: *:?-+:? *\|)+")
RULE = re.compile(r" ?(?:(?:- ?){3,}|(?:\* ?){3,}|(?:_ ?){3,})")
"""A line across the page: alike in Markdown and in Redmine's Textile."""


def blocks(text: str) -> Iterator[Block]:
    """The lines of a text, those together that belong together."""
    lines = text.split("\n")
    last = {line: n for n, line in enumerate(lines)}
    at = 0
    while at < len(lines):
        block, length = _fence(lines, last, at) or _quote(lines, at) or _table(lines, at) or (_one(lines[at]), 1)
        yield block
        at += length


def _one(line: str) -> Block:
    if not line.strip(" "):
        return Blank(line)
    if RULE.fullmatch(line):
        return Line(line)
    if match := _ITEM.fullmatch(line):
        return Item(*match.groups())
    if match := _HEADING.fullmatch(line):
        return Heading(len(match[1]), match[2])
    return Line(line)


def _fence(lines: list[str], last: Mapping[str, int], at: int) -> tuple[Block, int] | None:
    """`last`: where each line stands for the last time, so that a fence that nobody closes costs nothing."""
    match = _FENCE.fullmatch(lines[at])
    if match is None or last.get(match[1] + match[2], 0) <= at:
        return None
    indent, fence, language = match.groups()
    end = lines.index(indent + fence, at + 1)
    return Fence(indent, fence, language, tuple(lines[at + 1 : end])), end - at + 1


def _quote(lines: list[str], at: int) -> tuple[Block, int] | None:
    end = at
    while end < len(lines) and lines[end].startswith(">"):
        end += 1
    text = unquoted("\n".join(lines[at:end])) if end > at else None
    return None if text is None else (Quote(text), end - at)


def _table(lines: list[str], at: int) -> tuple[Block, int] | None:
    if at + 1 >= len(lines) or not _ROW.fullmatch(lines[at]) or not _TABLE_RULE.fullmatch(lines[at + 1]):
        return None
    end = at + 2
    while end < len(lines) and _ROW.fullmatch(lines[end]):
        end += 1
    header, *rows = (cells_of(line) for n, line in enumerate(lines[at:end]) if n != 1)
    return Table(header, lines[at + 1], tuple(rows)), end - at


def cells_of(row: str) -> tuple[str, ...]:
    """The cells of `| a | b |`, blanks and all."""
    return tuple(re.split(r"(?<!\\)\|", row)[1:-1])


def row_of(cells: tuple[str, ...]) -> str:
    return "".join(f"|{cell}" for cell in cells) + "|"


def quoted(text: str) -> str:
    """Every line behind `> `."""
    return "\n".join(f"> {line}" if line.strip(" ") else f">{line}" for line in text.split("\n"))


def unquoted(text: str) -> str | None:
    """The inverse of `quoted`; None where a line is quoted in another manner (`>so`)."""
    inner = [line[1:] if not line[1:].strip(" ") else line[2:] for line in text.split("\n")]
    return "\n".join(inner) if quoted("\n".join(inner)) == text else None
