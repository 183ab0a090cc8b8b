"""Comments: each has at most one twin, in order, with its author and time (SPEC B9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest

from connectors.errors import Rejected, Unavailable
from connectors.memory import ALICE, BOB, LIMITS
from mappings.config import Side
from tests.flows.world import World

Make = Callable[..., World]

NATIVE = LIMITS
HEADERS = replace(LIMITS, comment_author=False, comment_time=False)
APART = replace(LIMITS, comment_changes_visible=False)
"""Systems that set author and time; that need a header line; that do not show comments in the entity's time."""


@pytest.fixture(params=[NATIVE, HEADERS, APART], ids=["native", "headers", "apart"])
def talking(request: pytest.FixtureRequest, make: Make) -> World:
    """A world with comments both ways."""
    world = make(row={"comments": True})
    for system in world.systems.values():
        system.limits = request.param
    return world


def said(world: World, side: Side, ref: Any) -> list[str]:
    """The comments without their header lines."""
    return [text.rpartition("UTC:\n\n")[2] for text in world.systems[side].texts(ref)]


async def quiet(world: World, times: int = 3) -> None:
    """No further refresh writes anything."""
    before = world.writes
    for number in range(times):
        world.later()
        await world.synced(full=number == 1)
    assert world.writes == before


async def test_comments_of_both_sides_arrive_once_and_in_order(talking: World) -> None:
    left, right = await talking.pair()
    for number in range(3):
        talking.left.comment(left, f"left {number}")
        talking.later(1)
        talking.right.comment(right, f"right {number}")
        talking.later(1)
    await talking.synced()
    for side, ref in ((Side.LEFT, left), (Side.RIGHT, right)):
        for word in Side:
            told = [text for text in said(talking, side, ref) if text.startswith(word)]
            assert told == [f"{word} {number}" for number in range(3)]
    await quiet(talking)


async def test_comments_come_along_with_a_new_entity(talking: World) -> None:
    left = talking.left.make("Boiler leaks")
    talking.left.comment(left, "one")
    talking.left.comment(left, "two")
    await talking.synced()
    assert said(talking, Side.RIGHT, talking.twin(left)) == ["one", "two"]
    await quiet(talking)


async def test_an_edited_comment_edits_its_twin(talking: World) -> None:
    left, right = await talking.pair()
    comment, _ = talking.left.comment(left, "It leaks")
    await talking.synced()
    talking.later()
    talking.left.recomment(left, comment.id, "It leaks a lot")
    await talking.synced()
    assert said(talking, Side.RIGHT, right) == ["It leaks a lot"]
    await quiet(talking)
    (twin,) = talking.right.row(right).comments
    talking.right.recomment(right, twin.id, twin.text.canonical + "!")
    await talking.synced()
    assert talking.left.texts(left) == ["It leaks a lot!"]
    await quiet(talking)


async def test_a_comment_edited_on_both_sides_is_overwritten_on_neither(talking: World) -> None:
    left, right = await talking.pair()
    comment, _ = talking.left.comment(left, "It leaks")
    await talking.synced()
    talking.later()
    (twin,) = talking.right.row(right).comments
    talking.left.recomment(left, comment.id, "It leaks a lot")
    talking.right.recomment(right, twin.id, "It drips")
    for _ in range(3):
        await talking.refresh()
        talking.later()
    assert (talking.left.texts(left), said(talking, Side.RIGHT, right)) == (["It leaks a lot"], ["It drips"])

    talking.right.recomment(right, twin.id, "It leaks a lot")
    await talking.refresh()
    talking.later()
    talking.left.recomment(left, comment.id, "It is mended")
    await talking.refresh()
    assert said(talking, Side.RIGHT, right) == ["It is mended"]


async def test_the_author_and_time_are_kept_where_the_system_can(make: Make) -> None:
    world = make(row={"comments": True})
    left, right = await world.pair()
    comment, _ = world.left.comment(left, "It leaks", by=BOB)
    await world.synced()
    (twin,) = world.right.row(right).comments
    assert (twin.author, twin.created, twin.text.canonical) == (BOB, comment.created, "It leaks")


async def test_else_a_header_line_tells_them_and_never_comes_back(make: Make) -> None:
    world = make(row={"comments": True})
    world.left.limits = world.right.limits = HEADERS
    left, right = await world.pair()
    comment, _ = world.left.comment(left, "It leaks", by=ALICE)
    await world.synced()
    (twin,) = world.right.row(right).comments
    assert comment.created is not None
    at = comment.created.astimezone(UTC)
    assert twin.text.canonical == f"**Alice Ames** wrote on {at:%Y-%m-%d %H:%M:%S} UTC:\n\nIt leaks"
    world.later()
    world.right.recomment(right, twin.id, twin.text.canonical.replace("leaks", "drips"))
    await world.synced()
    assert world.left.texts(left) == ["It drips"]


async def test_a_header_that_a_person_removed_is_no_edit(make: Make) -> None:
    world = make(row={"comments": True})
    world.left.limits = world.right.limits = HEADERS
    left, right = await world.pair()
    world.left.comment(left, "It leaks")
    await world.synced()
    (twin,) = world.right.row(right).comments
    world.right.recomment(right, twin.id, "It leaks")
    await quiet(world)


@pytest.mark.parametrize(("policy", "remaining"), [("skip", 1), ("delete", 0)])
async def test_a_deleted_comment_follows_the_policy(make: Make, policy: str, remaining: int) -> None:
    world = make(row={"comments": {"deletes": policy}})
    left, right = await world.pair()
    comment, _ = world.left.comment(left, "It leaks")
    await world.synced()
    world.later()
    world.left.recomment(left, comment.id, None)
    await world.synced()
    assert len(world.right.texts(right)) == remaining
    await quiet(world)
    assert world.left.texts(left) == []


async def test_kinds_that_are_not_mapped_stay_where_they_are(make: Make) -> None:
    world = make(row={"comments": {"kinds": {"public": "public"}}})
    left, right = await world.pair()
    comment, _ = world.left.comment(left, "between us")
    row = world.left.row(left)
    row.comments = (replace(comment, kind="private"),)
    world.left.comment(left, "for all")
    await world.synced()
    assert world.right.texts(right) == ["for all"]


async def test_one_direction_of_comments(make: Make) -> None:
    world = make(row={"comments": {"direction": "left_to_right"}})
    left, right = await world.pair()
    world.left.comment(left, "from the left")
    world.right.comment(right, "from the right")
    await world.synced()
    assert world.right.texts(right) == ["from the right", "from the left"]
    assert world.left.texts(left) == ["from the left"]


async def test_a_halt_holds_comments_back_until_it_is_over(talking: World) -> None:
    left, right = await talking.pair()
    talking.left.change(left, points=1)
    talking.right.change(right, points=2)
    await talking.synced()
    talking.left.comment(left, "held back")
    talking.later()
    await talking.synced()
    assert talking.right.texts(right) == []
    await talking.resolve(take=Side.LEFT)
    talking.later()
    await talking.synced()
    assert said(talking, Side.RIGHT, right) == ["held back"]
    await quiet(talking)


async def test_a_comment_of_a_halted_pair_arrives_when_people_agree(talking: World) -> None:
    left, right = await talking.pair()
    talking.left.change(left, points=1)
    talking.right.change(right, points=2)
    talking.left.comment(left, "held back")
    for _ in range(3):
        talking.later()
        await talking.synced()
    assert talking.right.texts(right) == []
    talking.right.change(right, points=1)
    await talking.synced()
    assert said(talking, Side.RIGHT, right) == ["held back"]
    await quiet(talking)


async def test_a_lost_answer_makes_no_second_comment(talking: World) -> None:
    left, right = await talking.pair()
    talking.right.fail(Unavailable("the line went dead"), on="add_comment", acted=True)
    for number in range(3):
        talking.left.comment(left, f"comment {number}")
    report = await talking.refresh()
    assert report.outcome == "failed"
    await talking.synced()
    assert said(talking, Side.RIGHT, right) == ["comment 0", "comment 1", "comment 2"]
    await quiet(talking)


async def test_two_comments_with_the_same_text_are_two_comments(talking: World) -> None:
    left, right = await talking.pair()
    talking.right.fail(Unavailable("the line went dead"), on="add_comment", acted=True)
    for _ in range(2):
        talking.left.comment(left, "+1")
    await talking.refresh()
    await talking.synced()
    assert said(talking, Side.RIGHT, right) == ["+1", "+1"]
    await quiet(talking)


async def test_a_refused_comment_waits_and_the_next_one_flows(talking: World) -> None:
    left, right = await talking.pair()
    talking.right.fail(Rejected("not polite"), on="add_comment")
    talking.left.comment(left, "first")
    talking.later(1)
    talking.left.comment(left, "second")
    await talking.refresh()
    assert said(talking, Side.RIGHT, right) == ["second"]
    assert [f.action for f in talking.failures()] == ["comment"]
    talking.forgive()
    await talking.synced()
    assert sorted(said(talking, Side.RIGHT, right)) == ["first", "second"]
    await quiet(talking)


async def test_a_reply_while_the_comments_are_written_is_not_passed_over(talking: World) -> None:
    left, right = await talking.pair()
    talking.left.comment(left, "question")
    talking.right.meanwhile.append(("add_comment", lambda: talking.right.comment(right, "answer")))
    for _ in range(3):
        await talking.synced()
        talking.later()
    assert sorted(said(talking, Side.LEFT, left)) == ["answer", "question"]
    assert sorted(said(talking, Side.RIGHT, right)) == ["answer", "question"]


async def test_an_edit_of_a_field_while_comments_are_written_arrives(talking: World) -> None:
    left, right = await talking.pair()
    talking.left.comment(left, "question")
    talking.right.meanwhile.append(("add_comment", lambda: talking.right.change(right, points=5)))
    for _ in range(2):
        await talking.synced()
        talking.later()
    assert talking.left.value(left, "points") == 5
