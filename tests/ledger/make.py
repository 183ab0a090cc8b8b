"""Values for the tests of the ledger: complete, and different in what the test says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.entity import Choice, EntityRef, RichText, UserRef
from ledger.model import CommentLink, Conflict, End, Failure, Feed, Intent, Link
from mappings.config import Side
from mappings.merge import Held, RowState

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)


def later(**how: float) -> datetime:
    return NOON + timedelta(**how)


def end(side: Side, ident: str, **more: Any) -> End:
    ref = EntityRef("falcon", "Bug", ident)
    return End(f"{side} system", ident, ref, **{"url": f"http://127.0.0.1/{ident}", "key": f"#{ident}", **more})


def link(
    left: str, right: str | None = None, /, *, connector: str = "falcon", target: str = "default", **more: Any
) -> Link:
    """A link of left entity `left` with right entity `right` (the same id where it is not said)."""
    ends = {"left": end(Side.LEFT, left), "right": end(Side.RIGHT, right or left)}
    rows = {"summary=title": RowState("Screen stays black", "Screen stays black", Side.RIGHT)}
    return Link(0, connector, target, "Bug=Bug", **{**ends, "rows": rows, "mapping": "m1", **more})


def rich_link() -> Link:
    """A link in which every field has a value that is not its default."""
    held = Held(Side.RIGHT, Choice("Urgent", "5"), "unmapped", "no row for Urgent", "a1")
    return link(
        "7",
        "b9",
        left=end(Side.LEFT, "7", version='W/"5"', modified=NOON, seen=later(seconds=1), touched=False),
        rows={
            "status=state": RowState(Choice("New", "1"), Choice("open"), Side.RIGHT, held, fingerprint="f", bounces=2),
            "text=body": RowState(RichText("*Zażółć* 🎉", "<b>Zażółć</b> 🎉"), None, known=False),
            "users=nosy": RowState((UserRef("3", "ada"), UserRef("4")), ()),
        },
        born=Side.RIGHT,
        checked=later(hours=1),
        agrees=False,
    )


def comment(link: int, left: str, right: str, **more: Any) -> CommentLink:
    return CommentLink(link, left, right, "hash l", "hash r", Side.LEFT, **{"author": "ada", "created": NOON, **more})


def intent(marker: str, **more: Any) -> Intent:
    given: dict[str, Any] = {
        "connector": "falcon",
        "source": EntityRef("falcon", "Bug", "7"),
        "link": None,
        "payload": {"title": "Screen stays black", "status": {"choice": ["New", "1"]}},
        "at": NOON,
        "expires": later(minutes=2),
    }
    return Intent(0, target="default", row="Bug=Bug", kind="create", side=Side.RIGHT, marker=marker, **given | more)


def conflict(link: int, field: str = "title", **more: Any) -> Conflict:
    values = {"base_left": "a", "base_right": Choice("A"), "left": "b", "right": None}
    seen = {"left_version": "5", "right_version": "9", "by_left": "ada", "by_right": "bob", "at": NOON}
    return Conflict(0, link=link, field=field, **{"connector": "falcon", **values, **seen, **more})


def failure(id: str, **more: Any) -> Failure:
    place = {"connector": "falcon", "target": "default", "row": "Bug=Bug", "side": Side.RIGHT}
    told = {"action": "create", "error": "title: too long", "attempts": 1, "at": NOON, "next": later(minutes=1)}
    url = "http://127.0.0.1/7"
    return Failure(0, entity=EntityRef("falcon", "Bug", id), **{**place, **told, "url": url, **more})


def feed(**more: Any) -> Feed:
    place = {"connector": "falcon", "target": "default", "row": "Bug=Bug", "side": Side.LEFT, "feed": "entities"}
    return Feed(**{**place, "fingerprint": "f1", **more})
