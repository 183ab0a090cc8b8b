"""Roundup has messages alone. Which of them is the description, which are comments, and what its detectors do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from connectors._roundup_values import Message, description_of, description_tag
from connectors.contract import Query
from connectors.entity import Choice, Comment, Entity, EntityRef, RichText, same
from connectors.errors import Changed, Forbidden, NotFound, Rejected
from connectors.roundup import RoundupConnector
from demo.trackers import Tracker
from tests.systems.roundup import ANN_PASSWORD, Connect, make, message, now, texts


@pytest.fixture
def desk(roundup_classic: Tracker, connect_roundup: Connect) -> RoundupConnector:
    return connect_roundup(roundup_classic)


async def fed(connector: RoundupConnector, since: datetime) -> dict[EntityRef, Entity]:
    pages = connector.comment_changes(Query("", "issue", since))
    return {entity.ref: entity async for page in pages for entity in page.entities}


# Descriptions

CREATED = datetime(2026, 11, 21, 9, 0, 0, tzinfo=UTC)
OURS = description_tag("m")


def told(id: str, seconds: int, creator: str = "1", tag: str = "") -> Message:
    at = CREATED + timedelta(seconds=seconds)
    return Message(id, "", None, creator, at, None, at, tag, "")


@pytest.mark.parametrize(
    ("messages", "which"),
    [
        ([], None),
        ([told("1", 0)], "1"),
        ([told("1", -1), told("2", 0)], "1"),
        ([told("1", 1)], None),
        ([told("1", -61)], None),
        ([told("1", 0, creator="2")], None),
        ([told("1", 0, tag="<mail@example.org>")], "1"),
        ([told("1", 0, tag="<syncline.comment.1@syncline>")], None),
        ([told("1", 900, tag=OURS)], "1"),
        ([told("1", 5), told("2", 900, tag=OURS)], "2"),
        ([told("1", 0), told("2", 900, tag=OURS)], "1"),
        ([told("1", -900), told("9", 0), told("10", 0)], "9"),
    ],
    ids=[
        "no message, no description",
        "written in the same second",
        "the first of two written with it",
        "written afterwards",
        "moved here from an older ticket",
        "written by somebody else",
        "arrived by mail",
        "our own comment",
        "ours, whenever it was written",
        "ours, after a comment",
        "the first one, if it was written with the ticket",
        "the first of those written with it, counted as numbers",
    ],
)
def test_the_description_is_the_message_written_with_the_ticket(messages: list[Message], which: str | None) -> None:
    row = {"creator": {"id": "1"}, "creation": "2026-11-21.09:00:00"}
    found = description_of(row, reversed(messages))
    assert (found and found.id) == which


async def test_a_ticket_that_others_made_shows_its_first_message(
    roundup_classic: Tracker, desk: RoundupConnector
) -> None:
    first = message(roundup_classic, "It does not start")
    issue = roundup_classic.add("issue", title="Help", messages=[first])
    second = message(roundup_classic, "Did you plug it in?")
    roundup_classic.change("issue", issue, messages=f"+{second}")
    entity = await now(desk, "issue", issue)
    assert entity.fields["description"] == RichText("It does not start")
    assert await texts(desk, entity) == ["Did you plug it in?"]


async def test_a_late_description_is_one_and_stays_one(roundup_classic: Tracker, desk: RoundupConnector) -> None:
    """Others made the ticket without a text, and a comment came before the description."""
    entity = await now(desk, "issue", roundup_classic.add("issue", title="Bare", status="8"))
    assert entity.fields["description"] is None
    _, entity = await desk.add_comment(entity, Comment("", RichText("Early")))
    assert entity.fields["description"] is None
    entity = await desk.update(entity, {"description": RichText("Late")}, expected=entity.version)
    assert entity.fields["description"] == RichText("Late")
    assert entity.fields["status"] == Choice("resolved")
    _, entity = await desk.add_comment(entity, Comment("", RichText("Later")))
    assert entity.fields["description"] == RichText("Late")
    assert await texts(desk, entity) == ["Early", "Later"]


async def test_an_edited_description_stays_the_same_message(roundup_classic: Tracker, desk: RoundupConnector) -> None:
    made = await make(desk, description=RichText("One"))
    first = roundup_classic.rest("GET", f"issue/{made.ref.id}")["attributes"]["messages"]
    edited = await desk.update(made, {"description": RichText("Two")}, expected=made.version)
    assert edited.fields["description"] == RichText("Two")
    assert edited.version != made.version
    assert roundup_classic.rest("GET", f"issue/{made.ref.id}")["attributes"]["messages"] == first


async def test_a_description_can_be_emptied_and_filled_again(desk: RoundupConnector) -> None:
    """Roundup cannot empty a message: an empty one takes its place."""
    entity = await make(desk, description=RichText("Text"))
    _, entity = await desk.add_comment(entity, Comment("", RichText("Comment")))
    for text in ("", "Again", ""):
        entity = await desk.update(entity, {"description": RichText(text)}, expected=entity.version)
        assert same(entity.fields["description"], RichText(text))
        assert await texts(desk, entity) == ["Comment"]


async def test_an_edited_description_arrives_by_the_feed_of_comments(desk: RoundupConnector) -> None:
    made = await make(desk, description=RichText("One"))
    assert made.modified is not None
    await asyncio.sleep(1.1)
    since = made.modified + timedelta(seconds=1)
    await desk.update(made, {"description": RichText("Two")}, expected=None)
    assert (await fed(desk, since))[made.ref].fields["description"] == RichText("Two")


async def test_a_description_edited_meanwhile_is_not_overwritten(
    roundup_classic: Tracker, desk: RoundupConnector
) -> None:
    made = await make(desk, description=RichText("One"))
    roundup_classic.change("msg", made.extra["description"], content="Theirs")
    with pytest.raises(Changed):
        await desk.update(made, {"description": RichText("Ours")}, expected=made.version)
    assert (await now(desk, "issue", made.ref.id)).fields["description"] == RichText("Theirs")


# Comments and detectors


async def test_a_comment_on_a_resolved_ticket_does_not_reopen_it(
    roundup_classic: Tracker, desk: RoundupConnector
) -> None:
    made = await make(desk, status=Choice("resolved"))
    roundup_classic.change("issue", made.ref.id, messages=f"+{message(roundup_classic, 'reopens')}")
    assert (await now(desk, "issue", made.ref.id)).fields["status"] == Choice("chatting")
    made = await desk.update(made, {"status": Choice("resolved")}, expected=None)
    comment, after = await desk.add_comment(made, Comment("", RichText("Thanks")))
    assert after.fields["status"] == Choice("resolved")
    after = await desk.delete_comment(after, comment.id)
    assert after.fields["status"] == Choice("resolved")


async def test_a_comment_holds_the_status_that_somebody_just_set(
    roundup_classic: Tracker, desk: RoundupConnector
) -> None:
    """What goes along is the value of the moment of writing, not of the last reading."""
    made = await make(desk, status=Choice("testing"))
    roundup_classic.change("issue", made.ref.id, status="8")
    _, after = await desk.add_comment(made, Comment("", RichText("Tested")))
    assert after.fields["status"] == Choice("resolved")


async def test_who_may_not_set_the_status_can_still_comment(roundup_devel: Tracker, connect_roundup: Connect) -> None:
    ann = connect_roundup(roundup_devel, "ann", ANN_PASSWORD)
    entity = await now(ann, "bug", roundup_devel.add("bug", title="Theirs", status="1"))
    comment, after = await ann.add_comment(entity, Comment("", RichText("Me too")))
    assert comment.author == await ann.me()
    assert after.fields["status"] == Choice("new")
    with pytest.raises(Forbidden):
        await ann.update(after, {"status": Choice("closed")}, expected=None)


async def test_a_comment_cannot_be_emptied(desk: RoundupConnector) -> None:
    comment, entity = await desk.add_comment(await make(desk), Comment("", RichText("Text")))
    with pytest.raises(Rejected, match="Delete the comment"):
        await desk.edit_comment(entity, Comment(comment.id, RichText("  ")))
    assert await texts(desk, entity) == ["Text"]


async def test_a_comment_of_another_ticket_is_not_edited(desk: RoundupConnector) -> None:
    comment, owner = await desk.add_comment(await make(desk), Comment("", RichText("Mine")))
    with pytest.raises(NotFound):
        await desk.edit_comment(await make(desk), Comment(comment.id, RichText("Stolen")))
    assert await texts(desk, owner) == ["Mine"]


async def test_an_unlinked_message_is_no_comment_and_harms_nobody(
    roundup_classic: Tracker, desk: RoundupConnector
) -> None:
    """What a crash between the two writes of a comment leaves behind."""
    entity = await make(desk)
    message(roundup_classic, "orphan")
    assert await texts(desk, entity) == []
