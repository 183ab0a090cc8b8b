"""Formatted text between dialects. Rule: nothing is lost; what a dialect has no word for travels as it stands.

The canonical text is Markdown. For every text `t` and every dialect `d`:

    to_canonical(from_canonical(t, d), d) == normal(t, d), and normal(normal(t, d), d) == normal(t, d)

In plain, markdown and textile `normal` is the text itself, letter for letter (line ends and outer blanks aside), so
a copy that nobody edited is never taken for a change. HTML has many spellings and keeps one (see `_richtext_html`).
Pure, thread-safe, and cached, for the same texts are compared again and again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from connectors import _richtext_textile as textile
from connectors._richtext_spans import LONGEST
from connectors.entity import RichText, normal_text


@dataclass(frozen=True, slots=True)
class _Dialect:
    """`read`: to Markdown. `write`: from Markdown. `left`: what of its text is no construct that both know."""

    read: Callable[[str], str]
    write: Callable[[str], str]
    left: Callable[[str], str]


def _same(text: str) -> str:
    return text


DIALECTS = {
    "plain": _Dialect(_same, _same, lambda _: ""),
    "markdown": _Dialect(_same, _same, lambda _: ""),
    "textile": _Dialect(textile.read, textile.write, textile.left),
}
"""Plain is Markdown that nobody renders: it is made to be readable as it is, so marks travel as marks."""


def to_canonical(text: str, dialect: str) -> RichText:
    """A system's text as ours; `original` is the text as the system has it. Raises KeyError for an unknown dialect."""
    return RichText(normal_text(DIALECTS[dialect].read(normal_text(text))), text)


def from_canonical(rich: RichText, dialect: str) -> str:
    """Our text as a system takes it: its own original where that still says the same, else a translation."""
    if rich.original is not None and to_canonical(rich.original, dialect).canonical == normal_text(rich.canonical):
        return normal_text(rich.original)
    return DIALECTS[dialect].write(normal_text(rich.canonical))


def normal(text: str, dialect: str) -> str:
    """The canonical text as it comes back from a system of this dialect."""
    return to_canonical(DIALECTS[dialect].write(normal_text(text)), dialect).canonical


def losses(text: str, source: str, target: str) -> tuple[str, ...]:
    """What readers of the target will see as marks instead of its effect, sorted; empty where all is carried over.

    `text` is in the dialect `source`. The words and the marks themselves are never lost: they come back unharmed.
    """
    if source == target:
        return ()
    canonical = to_canonical(text, source).canonical
    unknown = _named(DIALECTS[source].left(normal_text(text)), _OF_TEXTILE)
    unsaid = _named(DIALECTS[target].left(DIALECTS[target].write(canonical)), _OF_MARKDOWN)
    return tuple(sorted(unknown | unsaid))


def _named(text: str, kinds: dict[str, re.Pattern[str]]) -> set[str]:
    short = "\n".join(line for line in text.split("\n") if len(line) <= LONGEST)
    return {name for name, kind in kinds.items() if kind.search(short)}


_OF_MARKDOWN = {
    "HTML": re.compile(r"<[a-zA-Z/][^<>:]*>"),
    "bold or italic inside a word": re.compile(
        r"(?<=\w)(\*\*|\*)[^\s*](?:.{0,200}?[^\s*])?\1|(\*\*|\*)[^\s*](?:.{0,200}?[^\s*])?\2(?=\w)"
    ),
    "code block": re.compile(r"^ *(?:```|~~~)", re.MULTILINE),
    "code span": re.compile(r"(?<!`)(`+)(?!`).{1,200}?(?<!`)\1(?!`)"),
    "escaped sign": re.compile(r"\\[\\`*_{}\[\]()#+.!|<>~-]"),
    "footnote": re.compile(r"\[\^[^\]\s]+\]"),
    "heading": re.compile(r"^(?:#{1,6} +\S|[^\n>|#*-][^\n]*\n(?:=+|-{2,}) *$)", re.MULTILINE),
    "image": re.compile(r"!\[[^\]]{0,200}\]\([^)]{1,200}\)"),
    "link": re.compile(r"(?<!!)\[[^\]]{1,200}\]\([^)\s]{1,500}(?: [^)]{0,200})?\)"),
    "list": re.compile(r"^ *(?:[-*+] |\d{1,9}[.)] )", re.MULTILINE),
    "reference link": re.compile(r"\[[^\]]{1,200}\]\[[^\]]{0,200}\]|^\[[^\]^]+\]: ", re.MULTILINE),
    "table": re.compile(r"^ *\|?(?: *:?-{3,}:? *\|)+", re.MULTILINE),
    "task box": re.compile(r"^\[[ xX]\] ", re.MULTILINE),
}
_OF_TEXTILE = {
    "abbreviation": re.compile(r"\b[A-Z][A-Z0-9]+\([^)]{1,200}\)"),
    "alignment, class or style": re.compile(r"^(?:p|bq|h[1-6]|table)[<>=(){\[][^.\n]*\. ", re.MULTILINE),
    "citation": re.compile(r"(?<!\S)\?\?\S.{0,200}?\?\?"),
    "colour or style": re.compile(r"(?<!\S)%\S.{0,200}?%"),
    "footnote": re.compile(r"^fn\d+\. |\w\[\d+\]", re.MULTILINE),
    "image with a size, place or link": re.compile(r"(?<!\S)!\S{1,200}!(?::\S)?"),
    "macro": re.compile(r"\{\{[^}]{1,200}\}\}"),
    "sub- or superscript": re.compile(r"(?<!\S)([\^~])\S.{0,200}?\1(?!\w)"),
    "table without a header": re.compile(r"^\|.*\|$", re.MULTILINE),
    "underline": re.compile(r"(?<!\S)\+\S(?:.{0,200}?\S)?\+(?!\w)"),
    "wiki link": re.compile(r"\[\[[^\]]{1,200}\]\]"),
}
