"""Textile as Redmine reads it, and Markdown. Rule: what is written is read first; only what comes back equal is sent.

Every Markdown text comes back from `write` and `read` letter for letter: a line whose translation would not is written
as it stands, guarded by `<notextile>`. Where Markdown has several spellings of one thing (`-` and `*` in a list) and
Textile has one, the number of blanks behind a list's first marker remembers which it was, or a word inside a tag that
Redmine overlooks.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache

from connectors._richtext_markdown import (
    RULE,
    Blank,
    Block,
    Fence,
    Heading,
    Item,
    Line,
    Quote,
    Table,
    blocks,
    cells_of,
    quoted,
    row_of,
    unquoted,
)
from connectors._richtext_outline import Outline
from connectors._richtext_spans import DEEPEST, exact, guarded, read_words, words_left, write_words

_SPACER = " "
"""A line that only Textile needs: one blank. A blank line of Markdown that has blanks gets one more."""

_LIST = re.compile(r"([*#]+)( +)(\S.*)")
_HEADING = re.compile(r"h([1-6])\. (\S.*)")
_BLOCK_QUOTE = re.compile(r"bq\. (\S.*)")
_PRE = re.compile(
    r"(?P<indent> *)<pre(?: (?P<fence>`{3,}|~{3,}))?>(?:<code(?: class=\"(?P<language>[^\"\n]*)\")?>)?\n?"
    r"(?P<content>.*?)\n? *(?:</code>)?</pre> *",
    re.DOTALL,
)
_HEADER = re.compile(r"\|(?:_\.[^|]*\|)+(?:<!--(?P<rule>\|[-:| ]+\|)-->)?")
_ROW = re.compile(r"\|.*\|")


# -- Textile to Markdown --------------------------------------------------------------------------------------------


@lru_cache(maxsize=2048)
def read(text: str) -> str:
    """Textile as Markdown. Any text is Textile, so nothing raises."""
    return _read(text, 0)


def _read(text: str, depth: int) -> str:
    lines = text.split("\n")
    ends = [n for n, line in enumerate(lines) if "</pre>" in line]
    outline = Outline()
    found = []
    at = 0
    while at < len(lines):
        if block := _read_pre(lines, ends, at):
            outline.go_on(lines[at])
        elif block := _read_quote(lines, at, depth) or _read_table(lines, at):
            outline.end()
        markdown, length = block or (_read_line(lines[at], outline), 1)
        if markdown is not None:
            found.append(markdown)
        at += length
    return "\n".join(found)


def _read_line(line: str, outline: Outline) -> str | None:
    """One line; None for a line that only Textile needs."""
    if not line.strip(" "):
        outline.pause()
        return None if line == _SPACER else line[1:]
    if RULE.fullmatch(line):
        return line
    if match := _LIST.fullmatch(line):
        return f"{outline.read(match[1], len(match[2]))} {read_words(match[3])}"
    if match := _HEADING.fullmatch(line):
        outline.end()
        return f"{'#' * int(match[1])} {read_words(match[2])}"
    if match := _BLOCK_QUOTE.fullmatch(line):
        return f"> {read_words(match[1])}"
    outline.go_on(line)
    return read_words(line)


Found = tuple[str | None, int]
"""Markdown, and the number of lines that it was made of."""


def _read_pre(lines: list[str], ends: list[int], at: int) -> Found | None:
    """Code. The tag remembers an unusual fence: Redmine overlooks it. `ends`: the lines that close one."""
    later = bisect_left(ends, at)
    if not lines[at].lstrip(" ").startswith("<pre") or later == len(ends):
        return None
    text = "\n".join(lines[at : ends[later] + 1])
    match = _PRE.fullmatch(text) if text.count("</pre>") == 1 else None
    if match is None:
        return None
    content = match["content"]
    fence = f"{match['indent']}{match['fence'] or _fence_for(content)}"
    code = [f"{fence}{match['language'] or ''}", *([content] if content else []), fence]
    return "\n".join(code), ends[later] + 1 - at


def _fence_for(content: str) -> str:
    """Ticks, more than any line of the code begins with."""
    return "`" * (max(map(len, re.findall(r"^ *(`{3,})", content, re.MULTILINE)), default=2) + 1)


def _read_quote(lines: list[str], at: int, depth: int) -> Found | None:
    end = at
    while end < len(lines) and lines[end].startswith(">"):
        end += 1
    inner = unquoted("\n".join(lines[at:end])) if end > at and depth < DEEPEST else None
    return None if inner is None else (quoted(_read(inner, depth + 1)), end - at)


def _read_table(lines: list[str], at: int) -> Found | None:
    match = _HEADER.fullmatch(lines[at])
    if match is None:
        return None
    end = at + 1
    while end < len(lines) and _ROW.fullmatch(lines[end]) and not _HEADER.fullmatch(lines[end]):
        end += 1
    header = tuple(cell.removeprefix("_.") for cell in cells_of(lines[at].partition("<!--")[0]))
    rows = [cells_of(line) for line in lines[at + 1 : end]]
    rule = match["rule"] or "| --- " * len(header) + "|"
    return "\n".join([_read_row(header), rule, *map(_read_row, rows)]), end - at


def _read_row(cells: tuple[str, ...]) -> str:
    return row_of(tuple(read_words(cell).replace("&#124;", "\\|") for cell in cells))


# -- Markdown to Textile --------------------------------------------------------------------------------------------


@lru_cache(maxsize=2048)
def write(text: str) -> str:
    """Markdown as Textile that `read` turns back into the same Markdown."""
    return exact(text, read, (_natural, _by_paragraph, _as_it_stands))


def _natural(text: str, depth: int = 0) -> str:
    outline = Outline()
    lines: list[str] = []
    gap = False
    for block in blocks(text):
        alone = isinstance(block, Heading | Table)
        if (gap or alone) and lines and not isinstance(block, Blank) and lines[-1].strip(" "):
            lines.append(_SPACER)
            outline.pause()
        lines += _write_block(block, outline, depth)
        gap = alone
    return "\n".join(lines)


def _by_paragraph(text: str) -> str:
    """Paragraph by paragraph, so that one that cannot be translated does not take the others along."""
    parts = re.split(r"(\n{2,})", text)
    return "".join(exact(part, read, (_natural, _as_it_stands)) if part.strip("\n") else part for part in parts)


def _as_it_stands(text: str) -> str:
    return "\n".join(guarded(line) if line.strip(" ") else f" {line}" if line else "" for line in text.split("\n"))


def _write_block(block: Block, outline: Outline, depth: int) -> list[str]:
    if isinstance(block, Heading | Quote | Table):
        outline.end()
    match block:
        case Fence(indent):
            outline.go_on(indent)
            return _write_fence(block)
        case Quote(text) if depth < DEEPEST:
            return quoted(_natural(text, depth + 1)).split("\n")
        case Quote():
            return [_write_line(line) for line in str(block).split("\n")]
        case Table():
            return _write_table(block)
        case Heading(level, text):
            return [f"h{level}. {write_words(text)}"]
        case Blank(text):
            outline.pause()
            return [f" {text}" if text else ""]
        case Item(indent, marker, text):
            if signs := outline.write(indent, marker):
                return [f"{signs}{write_words(text)}"]
            outline.go_on(indent)
            return [_write_line(str(block))]
        case Line(text):
            outline.go_on(text)
            return [_write_line(text)]


def _write_line(text: str) -> str:
    """A line that is no block of Markdown's, so that it is none of Textile's either."""
    return write_words(text, _read_alone)


def _read_alone(line: str) -> str | None:
    """What a line says by itself; None for one that may begin a block of code with the lines below it."""
    return None if line.lstrip(" ").startswith("<pre") else _read_line(line, Outline())


def _write_fence(block: Fence) -> list[str]:
    fence = "" if block.fence == _fence_for("\n".join(block.lines)) else f" {block.fence}"
    code, end = (f'<code class="{block.language}">', "</code>") if block.language else ("", "")
    return [f"{block.indent}<pre{fence}>{code}", *block.lines, f"{block.indent}{end}</pre>"]


def _write_table(block: Table) -> list[str]:
    rule = "" if block.rule == "| --- " * len(block.header) + "|" else f"<!--{block.rule}-->"
    header = row_of(tuple(f"_.{_write_cell(cell)}" for cell in block.header)) + rule
    return [header, *(row_of(tuple(map(_write_cell, row))) for row in block.rows)]


def _write_cell(text: str) -> str:
    return write_words(text.replace("\\|", "&#124;"))


# -- what both do not share -----------------------------------------------------------------------------------------


def left(text: str) -> str:
    """Textile without all that `read` translates: what stays as it is, line by line."""
    lines = text.split("\n")
    ends = [n for n, line in enumerate(lines) if "</pre>" in line]
    found = []
    at = 0
    while at < len(lines):
        code = _read_pre(lines, ends, at)
        if code is None and not _HEADER.fullmatch(lines[at]):
            found.append(_left(lines[at]))
        at += code[1] if code else 1
    return "\n".join(found)


def _left(line: str) -> str:
    line = line.lstrip("> ") if line.startswith(">") else line
    match = _LIST.fullmatch(line) or _HEADING.fullmatch(line) or _BLOCK_QUOTE.fullmatch(line)
    return words_left(match[match.lastindex or 0] if match else line)
