"""What a comment says, apart from who wrote it and when: the header line that carries those, and the digest."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

from connectors.entity import Comment, normal_text

HEADER = re.compile(r"\A\*\*(?P<who>[^\n]*?)\*\* wrote on (?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC:\n\n?")
"""The line that carries author and time where a system cannot. Its own line, so people can read it too."""


def digest(comment: Comment) -> str:
    """What a comment says, its header aside: line ends and outer blanks do not count."""
    return hashlib.sha256(normal_text(strip(comment.text.canonical)).encode()).hexdigest()[:32]


def strip(text: str) -> str:
    """A comment's text without the header line of ours."""
    return HEADER.sub("", text, count=1)


def header(comment: Comment) -> str:
    """`**Ada** wrote on 2026-11-21 08:14:00 UTC:` and a blank line; an older header of ours is passed on as it is."""
    found = HEADER.match(comment.text.canonical)
    if found:
        return found.group(0).rstrip("\n") + "\n\n"
    who = str(comment.author) if comment.author else "Somebody"
    at = (comment.created or datetime.now(UTC)).astimezone(UTC)
    return f"**{who.replace('*', '')}** wrote on {at:%Y-%m-%d %H:%M:%S} UTC:\n\n"
