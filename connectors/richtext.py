"""Formatted text between dialects. Rule: nothing is lost; what a dialect has no word for travels as it stands.

The canonical text is Markdown. For every text `t` and every dialect `d`:

    to_canonical(from_canonical(t, d), d) == normal(t, d), and normal(normal(t, d), d) == normal(t, d)

In plain, markdown and textile `normal` is the text itself, letter for letter (line ends and outer blanks aside), so
a copy that nobody edited is never taken for a change. HTML has many spellings and keeps one (see `_richtext_html`).
Pure, thread-safe, and cached, for the same texts are compared again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from connectors import _richtext_html as html
from connectors import _richtext_textile as textile
from connectors._richtext_losses import HTML, MARKDOWN, TEXTILE, named
from connectors.entity import RichText, normal_text


@dataclass(frozen=True, slots=True)
class _Dialect:
    """`read`: to Markdown. `write`: from Markdown.

    `unread`: names of what a text of this dialect says and Markdown cannot. `unsaid`: of the Markdown in a text that
    was written, names of what it cannot say.
    """

    read: Callable[[str], str]
    write: Callable[[str], str]
    unread: Callable[[str], set[str]]
    unsaid: Callable[[str], set[str]]


def _same(text: str) -> str:
    return text


def _nothing(_: str) -> set[str]:
    return set()


DIALECTS = {
    "plain": _Dialect(_same, _same, _nothing, _nothing),
    "markdown": _Dialect(_same, _same, _nothing, _nothing),
    "textile": _Dialect(
        textile.read,
        textile.write,
        lambda text: named(textile.left(text), TEXTILE),
        lambda text: named(textile.left(text), MARKDOWN),
    ),
    "html": _Dialect(
        html.read, html.write, lambda text: named(text, HTML), lambda text: named(html.left(text), MARKDOWN)
    ),
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
    """What readers of the target will see as marks, or not at all, sorted by name; empty where all is carried over.

    `text` is in the dialect `source`. Words are never lost, and marks come back unharmed.
    """
    if source == target:
        return ()
    canonical = to_canonical(text, source).canonical
    unknown = DIALECTS[source].unread(normal_text(text))
    unsaid = DIALECTS[target].unsaid(DIALECTS[target].write(canonical))
    return tuple(sorted(unknown | unsaid))
