"""What one dialect can say and another cannot, by name. Rule: named is only what a reader will really miss."""

from __future__ import annotations

import re

from connectors._richtext_spans import LONGEST

MARKDOWN = {
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
"""Looked for in the text that a translation left as it stood."""

TEXTILE = {
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

HTML = {
    "alignment, class or style": re.compile(r"<[^<>]{1,500} (?:style|align)=", re.IGNORECASE),
    "colour or style": re.compile(r"<font\b", re.IGNORECASE),
    "sub- or superscript": re.compile(r"<su[bp]\b", re.IGNORECASE),
    "underline": re.compile(r"<(?:u|ins)\b", re.IGNORECASE),
}


def named(text: str, kinds: dict[str, re.Pattern[str]]) -> set[str]:
    """The names of the kinds that the text has. Overlong lines are not looked at: they are text everywhere."""
    short = "\n".join(line for line in text.split("\n") if len(line) <= LONGEST)
    return {name for name, kind in kinds.items() if kind.search(short)}
