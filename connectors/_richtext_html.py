"""HTML and Markdown, by markdown-it and markdownify. Rule: what these two do not agree on at once goes unchanged.

HTML has many spellings of one text, and keeps one: `* a` comes back as `- a`. What has come back once comes back the
same for ever. A Markdown text that would not, or would lose a word, stands in `<pre class="markdown">` as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape, unescape
from typing import Any

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString
from bs4.exceptions import ParserRejectedMarkup
from markdown_it import MarkdownIt
from markdownify import MarkdownConverter

_ROUNDS = 8
_AS_IT_IS = re.compile(r'<pre class="markdown">\n?([^<]*)</pre>')
_NUMBER = re.compile(r"^[\s>*+-]*\d+[.)] ", re.MULTILINE)
_MARKDOWN = MarkdownIt("commonmark", {"breaks": True, "html": False}).enable(["table", "strikethrough"])


class _Converter(MarkdownConverter):
    def convert_br(self, el: Any, text: str, parent_tags: set[str]) -> str:  # noqa: ARG002  (the library's signature)
        """A newline is a break already."""
        return " " if "_inline" in parent_tags else "\n"


def _language(pre: Any) -> str:
    """The language of a block of code: it is a class of the tag or of the one inside."""
    tags = [pre, *pre.find_all("code")]
    names = [str(name) for tag in tags for name in (tag.get("class") or ())]
    return next((name.removeprefix("language-") for name in names if name.startswith("language-")), "")


_HTML = _Converter(
    heading_style="ATX",
    bullets="-",
    code_language_callback=_language,
    escape_asterisks=False,
    escape_underscores=False,
    escape_misc=False,
)


@lru_cache(maxsize=2048)
def read(text: str) -> str:
    """HTML as Markdown that comes back the same from `write`. Nothing raises: what cannot be read stays as it is."""
    if as_it_is := _AS_IT_IS.fullmatch(text.strip()):
        return unescape(as_it_is[1])
    found = _read(text)
    markdown = text if found is None else found
    for _ in range(_ROUNDS):
        again = _again(markdown)
        if again is None or again == markdown:
            break
        markdown = again
    return markdown


@lru_cache(maxsize=2048)
def write(text: str) -> str:
    """Markdown as HTML."""
    once = _again(text)
    if once is not None and _again(once) == once and _words(once) == _words(text):
        return str(_MARKDOWN.render(text)).strip()
    return f'<pre class="markdown">\n{escape(text, quote=False)}</pre>'


def _again(markdown: str) -> str | None:
    """Markdown after one way there and back."""
    return _read(_MARKDOWN.render(markdown))


def _read(html: str) -> str | None:
    """None for what the libraries refuse: tags a thousand deep, broken declarations."""
    try:
        soup = BeautifulSoup(f"<div>{html}</div>", "html.parser")
        for text in soup.find_all(string=re.compile("\n")):
            if not text.find_parent("pre"):
                text.replace_with(_flowing(text))
        markdown: str = _HTML.convert_soup(soup)
    except (RecursionError, ParserRejectedMarkup):
        return None
    return markdown.replace("\r", "").strip()


def _flowing(text: NavigableString) -> str:
    """Newlines of HTML are blanks, and behind a break they are nothing."""
    flat = re.sub(r"[ \t\r\n]+", " ", text)
    before = text.previous_sibling
    return flat.lstrip(" ") if isinstance(before, Tag) and before.name == "br" else flat


def _words(text: str) -> list[str]:
    """All words and numbers, but those that number a list."""
    return re.findall(r"[^\W_]+", _NUMBER.sub("", unescape(text)))


def left(text: str) -> str:
    """HTML without its tags: Markdown's marks that are still there are not carried over."""
    return unescape(re.sub(r"<(pre|code)\b[^>]*>.*?</\1>|<[^>]*>", "", text, flags=re.DOTALL))
