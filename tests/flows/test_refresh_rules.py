"""What a refresh promises about fields (DESIGN.md, rules 1-4): edits arrive, survive each other, or halt their pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from connectors.errors import Changed
from connectors.memory import LIMITS
from ledger.model import LinkState
from mappings.config import Side
from tests.flows.world import FIELDS, NAME, World

VALUES: dict[str, Any] = {
    "title": "Boiler drips",
    "description": "Since **Monday**",
    "status": "open",
    "priority": "high",
    "labels": {"heating", "cellar"},
    "points": 5,
    "due": date(2026, 11, 30),
}


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("name", list(VALUES))
async def test_an_edit_of_one_side_arrives_on_the_other(world: World, side: Side, name: str) -> None:
    pair = dict(zip(Side, await world.pair(), strict=True))
    world.systems[side].change(pair[side], **{name: VALUES[name]})
    report = await world.synced()
    assert world.systems[side.other].value(pair[side.other], name) == VALUES[name]
    assert report.total.sided["updated"] == {side.other: 1}


@pytest.mark.parametrize("name", ["description", "labels", "points", "due"])
async def test_a_value_that_was_cleared_is_cleared_on_the_other_side(world: World, name: str) -> None:
    left, right = await world.pair(**{name: VALUES[name]})
    world.right.change(right, **{name: None})
    await world.synced()
    assert not world.left.value(left, name)


async def test_edits_of_different_fields_on_both_sides_both_survive(world: World) -> None:
    left, right = await world.pair()
    world.left.change(left, status="closed", points=3)
    world.right.change(right, description="It is the valve", due=date(2026, 12, 1))
    await world.synced()
    for system, ref in ((world.left, left), (world.right, right)):
        assert system.value(ref, "status") == "closed"
        assert system.value(ref, "points") == 3
        assert system.value(ref, "description") == "It is the valve"
        assert system.value(ref, "due") == date(2026, 12, 1)


async def test_new_members_of_both_sides_and_removed_ones_are_merged(world: World) -> None:
    left, right = await world.pair(labels={"a", "b", "c"})
    world.left.change(left, labels={"b", "c", "left"})
    world.right.change(right, labels={"a", "b", "right"})
    await world.synced()
    assert world.left.value(left, "labels") == world.right.value(right, "labels") == {"b", "left", "right"}


async def test_edited_to_equal_values_writes_nothing_and_halts_nothing(world: World) -> None:
    left, right = await world.pair()
    world.left.change(left, status="closed")
    world.right.change(right, status="closed")
    before = world.writes
    await world.synced()
    assert world.writes == before
    assert world.conflicts() == []
    world.left.change(left, status="open")
    await world.synced()
    assert world.right.value(right, "status") == "open"


class TestConflict:
    async def test_halts_that_pair_only_and_tells_both_values(self, world: World) -> None:
        left, right = await world.pair("first", points=1)
        other, other_twin = await world.pair("second")
        world.left.change(left, points=2, status="closed")
        world.right.change(right, points=3)
        world.left.change(other, points=9)
        report = await world.synced()
        (conflict,) = world.conflicts()
        assert (conflict.field, conflict.base_left, conflict.left, conflict.right) == ("points=points", 1, 2, 3)
        assert (conflict.by_left, conflict.by_right) == ("Bob Brown", "Bob Brown")
        assert conflict.at is not None
        assert report.as_json()["halted"] == 1
        assert world.right.value(other_twin, "points") == 9
        assert world.right.value(right, "status") == "new"
        assert world.link(Side.LEFT, left).state is LinkState.HALTED

    async def test_is_overwritten_by_no_number_of_refreshes(self, world: World) -> None:
        left, right = await world.pair()
        world.left.change(left, points=2)
        world.right.change(right, points=3)
        before = world.writes
        for options in ({}, {"full": True}, {"entities": (f"left:{left.id}",)}, {"since": world.clock.start}, {}):
            world.later()
            await world.synced(**options)
        await world.restart()
        await world.synced()
        assert world.writes == before
        assert (world.left.value(left, "points"), world.right.value(right, "points")) == (2, 3)
        assert len(world.conflicts()) == 1

    async def test_costs_nothing_while_nobody_moves(self, world: World) -> None:
        left, right = await world.pair()
        world.left.change(left, points=2)
        world.right.change(right, points=3)
        for _ in range(3):
            world.later()
            await world.synced()
        world.later()
        report = await world.synced()
        assert report.total.sided["requests"] == {Side.LEFT: 1, Side.RIGHT: 1}
        assert report.as_json()["halted"] == 1

    async def test_follows_what_people_do_meanwhile(self, world: World) -> None:
        left, right = await world.pair()
        world.left.change(left, points=2)
        world.right.change(right, points=3)
        await world.synced()
        world.left.change(left, points=4)
        await world.synced()
        (conflict,) = world.conflicts()
        assert (conflict.left, conflict.right) == (4, 3)

    async def test_closes_by_itself_when_people_agree_and_held_edits_flow(self, world: World) -> None:
        left, right = await world.pair()
        world.left.change(left, points=2, description="Valve")
        world.right.change(right, points=3, status="open")
        await world.synced()
        world.later()
        world.left.change(left, points=3)
        await world.synced()
        assert world.conflicts() == []
        assert [c.field for c in world.conflicts("agreed")] == ["points=points"]
        assert world.right.value(right, "description") == "Valve"
        assert world.left.value(left, "status") == "open"
        assert world.link(Side.LEFT, left).state is LinkState.AGREED
        assert any(entry.what == "agreed" for entry in world.runtime.ledger.audit(NAME))

    async def test_of_a_field_alone_lets_the_others_flow(self, make: Callable[..., World]) -> None:
        world = make(row={"on_conflict": "halt_field"})
        left, right = await world.pair()
        world.left.change(left, points=2, status="closed")
        world.right.change(right, points=3)
        await world.synced()
        assert world.right.value(right, "status") == "closed"
        assert (world.left.value(left, "points"), world.right.value(right, "points")) == (2, 3)
        assert len(world.conflicts()) == 1
        world.right.change(right, points=2)
        await world.synced()
        assert world.conflicts() == []

    @pytest.mark.parametrize(("policy", "winner"), [("left", 2), ("right", 3)])
    async def test_is_decided_by_the_policy(self, make: Callable[..., World], policy: str, winner: int) -> None:
        world = make(row={"on_conflict": policy})
        left, right = await world.pair()
        world.left.change(left, points=2)
        world.right.change(right, points=3)
        await world.synced()
        assert world.left.value(left, "points") == world.right.value(right, "points") == winner

    async def test_latest_takes_the_later_edit_of_the_field(self, make: Callable[..., World]) -> None:
        world = make(row={"on_conflict": "latest"})
        world.later(-7260)
        left, right = await world.pair()
        world.right.change(right, points=3)
        world.later(3600)
        world.left.change(left, points=2)
        world.later(3600)
        # A later edit of another field says nothing about this one.
        world.right.change(right, status="open")
        await world.synced()
        assert world.left.value(left, "points") == world.right.value(right, "points") == 2
        assert world.left.value(left, "status") == "open"

    async def test_latest_halts_where_the_clocks_leave_a_doubt(self, make: Callable[..., World]) -> None:
        world = make(row={"on_conflict": "latest"})
        left, right = await world.pair()
        world.right.change(right, points=3)
        world.left.change(left, points=2)
        await world.synced()
        assert len(world.conflicts()) == 1

    async def test_a_field_may_have_a_policy_of_its_own(self, make: Callable[..., World]) -> None:
        own = [{**row, "on_conflict": "right"} if row["left"] == "points" else row for row in FIELDS]
        world = make(row={"fields": own})
        left, right = await world.pair()
        world.left.change(left, points=2)
        world.right.change(right, points=3)
        await world.synced()
        assert world.left.value(left, "points") == 3

    @pytest.mark.parametrize(("decision", "expected"), [
        ({"take": Side.LEFT}, 2), ({"take": Side.RIGHT}, 3), ({"points": "7"}, 7),
    ])  # fmt: skip
    async def test_is_settled_by_a_steward(self, world: World, decision: dict[str, Any], expected: int) -> None:
        left, right = await world.pair()
        world.left.change(left, points=2, description="Valve")
        world.right.change(right, points=3)
        await world.synced()
        await world.resolve(**decision)
        assert world.left.value(left, "points") == world.right.value(right, "points") == expected
        assert world.right.value(right, "description") == "Valve"
        assert [c.state for c in world.conflicts("resolved")] == ["resolved"]
        before = world.writes
        await world.synced(full=True)
        assert world.writes == before

    async def test_is_not_settled_on_stale_ground(self, world: World) -> None:
        left, right = await world.pair()
        world.left.change(left, points=2)
        world.right.change(right, points=3)
        await world.synced()
        world.right.change(right, points=4)
        with pytest.raises(Changed):
            await world.resolve(take=Side.LEFT)
        assert world.right.value(right, "points") == 4
        assert [(c.left, c.right) for c in world.conflicts()] == [(2, 4)]


class TestEcho:
    async def test_a_second_refresh_writes_nothing(self, world: World) -> None:
        for number in range(5):
            world.left.make(f"left {number}", **{k: v for k, v in VALUES.items() if k != "title"})
            world.right.make(f"right {number}", points=number)
        await world.synced()
        before = world.writes
        for options in ({}, {}, {"full": True}):
            world.later()
            await world.synced(**options)
        assert world.writes == before

    @pytest.mark.parametrize("weak", [False, True])
    async def test_two_edits_within_one_tick_both_arrive(self, world: World, weak: bool) -> None:
        for system in world.systems.values():
            system.limits = replace(LIMITS, timestamp_resolution=timedelta(seconds=1))
            system.weak_versions = weak
        world.clock.freeze()
        left = world.left.make("Boiler", points=0)
        await world.synced()
        for number in range(1, 4):
            world.left.change(left, points=number)
            await world.synced()
            assert world.right.value(world.twin(left), "points") == number

    async def test_an_edit_during_the_refresh_is_merged_and_not_overwritten(self, world: World) -> None:
        left, right = await world.pair()
        world.left.change(left, points=2)
        world.right.meanwhile.append(("update", lambda: world.right.change(right, status="open")))
        await world.synced()
        await world.synced()
        assert world.right.value(right, "points") == 2
        assert world.left.value(left, "status") == "open"

    async def test_an_edit_of_the_same_field_during_the_refresh_halts(self, world: World) -> None:
        left, right = await world.pair()
        world.left.change(left, points=2)
        world.right.meanwhile.append(("update", lambda: world.right.change(right, points=3)))
        await world.synced()
        assert world.right.value(right, "points") == 3
        assert len(world.conflicts()) == 1

    async def test_both_sides_written_while_somebody_edits_one_of_them(self, world: World) -> None:
        """What was written to the left before the right turned out to be newer is not taken for an edit of the left."""
        left, right = await world.pair()
        world.left.change(left, status="open")
        world.right.change(right, points=3)
        world.right.meanwhile.append(("update", lambda: world.right.change(right, points=4)))
        await world.synced()
        await world.synced()
        assert world.conflicts() == []
        assert world.left.value(left, "points") == world.right.value(right, "points") == 4
        assert world.right.value(right, "status") == "open"

    async def test_a_listing_from_before_our_own_write_is_no_edit(self, world: World) -> None:
        """The left is listed page by page ahead of the writes: its second page is older than what we wrote to it."""
        for side in Side:
            world.systems[side].limits = replace(LIMITS, max_page=1)
        pairs = [await world.pair(f"ticket {number}") for number in range(3)]
        for _, right in reversed(pairs):
            world.right.change(right, labels={"kept"}, points=4)
        await world.synced(full=True)
        await world.synced(full=True)
        for left, right in pairs:
            assert world.left.value(left, "labels") == world.right.value(right, "labels") == {"kept"}
            assert world.left.value(left, "points") == world.right.value(right, "points") == 4
