"""The words of a line, in Markdown and in Textile. Rule: a mark is translated only where both would see a mark.

Where a mark is a mark in Textile, Redmine's own expressions decide (5.0, `redcloth3.rb`). Textile that Markdown has no
word for (`%{color:red}so%`, macros, wiki links) stays as it is, both ways.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial

from connectors._richtext_markdown import Anchor, Code, Marked, Span, Text, code_span, marked, spans

MARKS = {"**": "*", "__": "**", "_": "_", "*": "__", "~~": "-"}
"""Markdown's marks and Textile's. Each has two ways to say bold and italic, so nothing gets mixed up."""

DEEPEST = 6
"""How deep marks stand in marks, quotes in quotes. What is deeper is text: no text takes us to the end of the stack."""

LONGEST = 5000
"""Characters of a line that is looked at. A longer one is text: no text keeps us busy for minutes."""

_FROM = {textile: markdown for markdown, textile in MARKS.items()}
_ORDER = ("**", "*", "__", "_", "-")
_SPAN = re.compile(
    r"<notextile>(?P<raw>.*?)</notextile>"
    r"|<code(?: (?P<ticks>`+))?>(?P<code>.{1,1000}?)</code>"
    r"|(?P<skip>https?://[^\s<>\"*]+)"
    r"|(?<!\w)@(?!\|\w+\|)(?P<at>.{1,1000}?)@(?!\w)"
    r"|(?<![^\s>])!(?P<src>[\w./][^\s(!]{0,1000}?)(?:\((?P<alt>[^()]{1,1000})\))?!(?![:\w])"
    r"|\"(?P<label>[^\"]{1,1000}?)(?:\((?P<title>[^()]+)\))?\":"
    r"(?P<url>(?:/|[a-zA-Z]+://|www\.|mailto:)[\w/](?:[^\s<]*?[\w=/;()-])?)(?=[^\w=/;()\s<-]*(?:\s|<|$))"
    rf"|{marked(_ORDER)}"
)
_END_OF_LINK = "<notextile></notextile>"
"""Nothing, yet Redmine ends an address before it; else `"a":http://b).` would lead to `http://b).`."""

_GUARDED = re.compile(r"<notextile>((?:(?!</notextile>).)*)</notextile>")
_CLOSING = re.compile(r"</(_*)notextile>")


def exact(text: str, reads: Callable[[str], str | None], ways: Iterable[Callable[[str], str]]) -> str:
    """The first of these ways to write a text that is read back equal; the last one always is."""
    written = ""
    for way in ways:
        written = way(text)
        if reads(written) == text:
            break
    return written


def read_words(text: str, depth: int = 0) -> str:
    """Textile inside a line as Markdown."""
    if whole := _GUARDED.fullmatch(text):
        return _unguarded(whole[1])
    if depth > DEEPEST or len(text) > LONGEST:
        return text
    return _SPAN.sub(lambda match: _read_span(match, depth + 1), text)


def _read_span(match: re.Match[str], depth: int) -> str:
    if match["raw"] is not None:
        return _unguarded(match["raw"])
    if match["skip"]:
        return match[0]
    if code := match["code"] or match["at"]:
        return code_span(code, match["ticks"] or "`")
    if match["src"]:
        return f"![{match['alt'] or ''}]({match['src']})"
    if match["url"]:
        title = f' "{match["title"]}"' if match["title"] else ""
        return f"[{read_words(match['label'], depth)}]({match['url']}{title})"
    number = next(n for n in range(len(_ORDER)) if match[f"m{n}"])
    mark = _FROM[_ORDER[number]]
    return f"{mark}{read_words(match[f'm{number}'], depth)}{mark}"


def write_words(text: str, reads: Callable[[str], str | None] = read_words) -> str:
    """Markdown inside a line as Textile that `reads` turns back: as well as can be, or guarded."""
    return exact(text, reads, (_write, partial(_write, joined=True), unmarked, guarded))


def guarded(text: str) -> str:
    """The text as it stands, so that Textile does not look into it."""
    return f"<notextile>{_CLOSING.sub(lambda m: f'</_{m[1]}notextile>', text)}</notextile>"


def _unguarded(text: str) -> str:
    return _CLOSING.sub(lambda m: f"</{m[1][1:]}notextile>", text)


def unmarked(text: str) -> str:
    """The text with a guard around whatever Textile would take for a mark."""
    if len(text) > LONGEST:
        return text
    return _SPAN.sub(lambda match: match[0] if match["skip"] else guarded(match[0]), text)


def _write(text: str, *, joined: bool = False, depth: int = 0) -> str:
    """`joined`: as text demands in which code or a link stands next to a word, or beside a lone `@`."""
    if depth > DEEPEST or len(text) > LONGEST:
        return text
    write = partial(_write, joined=joined, depth=depth + 1)
    written, at = "", 0
    for span, source in spans(text):
        at += len(source)
        written += _write_span(span, source, write, joined=joined)
        if joined and isinstance(span, Anchor) and text[at : at + 1].strip():
            written += _END_OF_LINK
    return written


def _write_span(span: Span, source: str, write: Callable[[str], str], *, joined: bool) -> str:
    match span:
        case Text():
            return unmarked(source)
        case Code(text, ticks) if source != code_span(text):
            return f"<code {ticks}>{text}</code>"
        case Code(text):
            return f"<code>{text}</code>" if joined else f"@{text}@"
        case Marked(mark, text):
            return f"{MARKS[mark]}{write(text)}{MARKS[mark]}"
        case Anchor(label, url, None, image=True):
            return f"!{url}({label})!" if label else f"!{url}!"
        case Anchor(label, url, title):
            return f'"{write(label)}({title})":{url}' if title else f'"{write(label)}":{url}'


def words_left(text: str, depth: int = 0) -> str:
    """Textile without the spans that are translated: what stays as it is."""
    if depth > DEEPEST or len(text) > LONGEST:
        return text
    return _SPAN.sub(lambda match: _left(match, depth + 1), text)


def _left(match: re.Match[str], depth: int) -> str:
    if match["raw"] or match["skip"]:
        return match["raw"] or match["skip"]
    inner = (match[f"m{n}"] for n in range(len(_ORDER)))
    return words_left(match["label"] or next(filter(None, inner), ""), depth)
