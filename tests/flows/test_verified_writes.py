"""What a system refuses, ignores, cuts or moves by itself: held and told, never retried without need (SPEC D5, D3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.entity import Choice, Fields
from connectors.errors import Rejected
from ledger.model import LinkState
from mappings.config import Side
from tests.flows.world import FIELDS, World

Make = Callable[..., World]


def held(world: World, left: Any) -> dict[str, tuple[str, str]]:
    """Field row -> (code, side it waits for)."""
    rows = world.link(Side.LEFT, left).rows
    return {key: (state.held.code, str(state.held.side)) for key, state in rows.items() if state.held}


def reopens(what: str, _before: Fields, _sent: Fields) -> Fields:
    """A system that reopens a ticket at every update, come what may."""
    return {"status": Choice("open")} if what == "update" else {}


def counts_on(_what: str, _before: Fields, sent: Fields) -> Fields:
    """A system that turns every number it gets into the next one."""
    return {"points": int(str(sent["points"])) + 1} if "points" in sent else {}


@pytest.fixture(params=["create", "update"])
def edited(request: pytest.FixtureRequest, world: World) -> Any:
    """`await edited(quirk, **fields)`: the values reach the right with a create, or with an update."""

    async def edit(quirk: Callable[[], None], **fields: Any) -> tuple[Any, Any]:
        if request.param == "create":
            quirk()
            left = world.left.make("Boiler leaks", **fields)
        else:
            left, _ = await world.pair()
            quirk()
            world.left.change(left, **fields)
        await world.synced()
        return left, world.twin(left)

    return edit


async def never_again(world: World) -> None:
    """No further refresh tries anything."""
    before = world.writes
    for _ in range(3):
        world.later()
        await world.synced()
    assert world.writes == before


async def test_a_value_that_is_silently_ignored_is_found_out(world: World, edited: Any) -> None:
    left, right = await edited(lambda: world.right.ignores.add("points"), points=5, status="open")
    assert held(world, left) == {"points=points": ("ignored", "right")}
    assert world.right.value(right, "status") == "open"
    assert world.link(Side.LEFT, left).state is LinkState.HELD
    assert world.left.value(left, "points") == 5
    await never_again(world)


async def test_a_value_that_is_silently_cut_is_found_out(world: World, edited: Any) -> None:
    left, right = await edited(lambda: world.right.cuts.update(description=5), description="Boiler leaks")
    assert held(world, left) == {"description=description": ("ignored", "right")}
    assert world.right.value(right, "description") == "Boile"
    await never_again(world)
    assert world.left.value(left, "description") == "Boiler leaks"


async def test_a_value_that_is_refused_waits_and_the_others_flow(world: World, edited: Any) -> None:
    left, right = await edited(lambda: world.right.rejects.update(points="too many"), points=5, status="open")
    assert held(world, left) == {"points=points": ("rejected", "right")}
    assert world.right.value(right, "status") == "open"
    report = await world.synced()
    assert report.as_json()["held"] == 1
    await never_again(world)


async def test_a_held_value_flows_once_it_changes(world: World, edited: Any) -> None:
    left, right = await edited(lambda: world.right.rejects.update(points="too many"), points=500)
    world.later()
    world.right.rejects.clear()
    world.left.change(left, points=5)
    await world.synced()
    assert world.right.value(right, "points") == 5
    assert held(world, left) == {}
    assert world.link(Side.LEFT, left).state is LinkState.AGREED


async def test_a_held_value_is_tried_again_by_hand(world: World, edited: Any) -> None:
    left, right = await edited(lambda: world.right.ignores.add("points"), points=5)
    world.right.ignores.clear()
    await world.refresh(entities=(f"left:{left.id}",), retry=True)
    assert world.right.value(right, "points") == 5
    assert held(world, left) == {}


async def test_a_held_value_taken_back_is_over(world: World, edited: Any) -> None:
    left, right = await edited(lambda: world.right.rejects.update(points="too many"), points=500)
    world.later()
    world.left.change(left, points=None)
    await world.synced()
    assert held(world, left) == {}
    assert world.right.value(right, "points") is None


async def test_an_edit_of_the_other_side_while_a_value_is_held_is_a_conflict(world: World, edited: Any) -> None:
    left, right = await edited(lambda: world.right.rejects.update(points="too many"), points=500)
    world.later()
    world.right.change(right, points=7)
    await world.synced()
    assert (world.left.value(left, "points"), world.right.value(right, "points")) == (500, 7)
    (conflict,) = world.conflicts()
    assert (conflict.left, conflict.right) == (500, 7)


async def test_a_refusal_that_names_no_field_fails_its_entity_alone(world: World) -> None:
    bad, good = await world.pair("bad"), await world.pair("good")
    world.right.fail(Rejected("a workflow rule says no"), on="update", id=bad[1].id)
    for left, _ in (bad, good):
        world.left.change(left, points=5)
    report = await world.refresh()
    assert (report.outcome, report.as_json()["failed"]) == ("done", 1)
    assert [world.right.value(right, "points") for _, right in (bad, good)] == [None, 5]
    (failure,) = world.failures()
    assert (failure.entity, failure.attempts) == (bad[0], 1)
    assert "workflow rule" in failure.error


async def test_a_required_field_that_is_refused_fails_its_entity(world: World) -> None:
    world.right.rejects["title"] = "is not polite"
    world.left.make("bad")
    await world.refresh()
    assert world.right.living == []
    assert "not polite" in world.failures()[0].error


class TestReactions:
    """The system moves fields by itself (rule 6)."""

    def chatting(self, what: str, before: Fields, sent: Fields) -> Fields:
        """As Roundup: whatever is written to a closed ticket reopens it, unless the status is sent along."""
        moved = what != "create" and before["status"] == Choice("closed") and "status" not in sent
        return {"status": Choice("open")} if moved else {}

    async def test_what_moved_with_our_own_write_is_restored_and_nobodys_edit(self, world: World) -> None:
        left, right = await world.pair(status="closed")
        world.right.reactions.append(self.chatting)
        world.left.change(left, points=5)
        await world.synced()
        await world.synced()
        assert world.left.value(left, "status") == world.right.value(right, "status") == "closed"
        assert world.right.value(right, "points") == 5
        assert world.conflicts() == []
        await never_again(world)

    async def test_fields_that_are_sent_along_are_not_moved(self, world: World) -> None:
        left, right = await world.pair(status="closed")
        world.right.reactions.append(self.chatting)
        world.right.sends_along = frozenset({"status"})
        world.left.change(left, points=5)
        before = world.writes
        await world.synced()
        assert world.writes == before + 1
        assert world.right.value(right, "status") == "closed"

    async def test_a_comment_of_ours_moves_nothing_for_good(self, make: Make) -> None:
        world = make(row={"comments": True})
        left, right = await world.pair(status="closed")
        world.right.reactions.append(self.chatting)
        world.left.comment(left, "Still leaks")
        for _ in range(3):
            world.later()
            await world.synced()
        assert world.right.texts(right) == ["Still leaks"]
        assert world.left.value(left, "status") == world.right.value(right, "status") == "closed"
        await never_again(world)

    async def test_what_moves_again_and_again_halts_as_oscillating(self, world: World) -> None:
        left, right = await world.pair(status="closed")
        world.right.reactions.append(reopens)
        world.left.change(left, points=5)
        await world.synced()
        assert [c.field for c in world.conflicts()] == ["status=status"]
        assert world.link(Side.LEFT, left).state is LinkState.HALTED
        assert world.left.value(left, "status") == "closed"
        await never_again(world)
        assert world.left.value(left, "status") == "closed"
        assert [c.right for c in world.conflicts()] == [Choice("open")]
        assert world.right.value(right, "points") == 5

    async def test_a_mapping_that_never_comes_back_to_itself_halts(self, make: Make) -> None:
        world = make(row={"fields": [FIELDS[0], {"left": "points", "right": "points"}]})
        left, right = await world.pair(points=1)
        world.right.reactions.append(counts_on)
        world.left.change(left, points=5)
        await world.synced()
        assert held(world, left) == {"points=points": ("ignored", "right")}
        await never_again(world)
        assert world.left.value(left, "points") == 5
        assert world.right.value(right, "points") == 6
