"""Deletes: only what is gone for certain, by policy, and never too much at once (SPEC D7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mappings.config import Side
from tests.flows.world import World

Make = Callable[..., World]


def deleting(make: Make, policy: str, **more: Any) -> World:
    return make(deletes={"policy": policy, "fuse": {"count": 25, "percent": 100}, **more})


async def full(world: World, times: int = 2) -> None:
    for _ in range(times):
        world.later()
        await world.synced(full=True)


@pytest.mark.parametrize("side", list(Side))
async def test_a_deleted_entity_takes_its_twin_along_where_the_policy_says_so(make: Make, side: Side) -> None:
    world = deleting(make, "delete")
    pair = dict(zip(Side, await world.pair(), strict=True))
    await world.pair("stays")
    world.systems[side].remove(pair[side])
    await full(world)
    assert [system.value(ref, "title") for system in world.systems.values() for ref in system.living] == ["stays"] * 2
    assert len(world.links()) == 1


async def test_by_default_the_twin_stays_and_nothing_is_created_again(world: World) -> None:
    left, right = await world.pair()
    world.left.remove(left)
    await full(world)
    world.right.change(right, points=5)
    await full(world)
    assert world.left.living == []
    assert world.right.living == [right]


@pytest.mark.parametrize("policy", ["archive", "mark"])
async def test_the_twin_is_archived_or_marked(make: Make, policy: str) -> None:
    world = deleting(make, policy, mark={side: {"status": "closed"} for side in Side})
    left, right = await world.pair()
    world.left.remove(left)
    await full(world)
    assert world.left.living == []
    if policy == "mark":
        assert world.right.value(right, "status") == "closed"
    else:
        assert world.right.living == []
    before = world.writes
    await full(world)
    assert world.writes == before


async def test_recreate_makes_it_anew_from_its_twin(make: Make) -> None:
    world = deleting(make, "recreate")
    left, right = await world.pair(points=3)
    world.left.remove(left)
    await full(world, 3)
    (again,) = world.left.living
    assert again != left
    assert world.left.value(again, "points") == 3
    assert world.twin(again) == right
    world.left.change(again, points=4)
    await world.synced()
    assert world.right.value(right, "points") == 4


async def test_absent_from_a_list_is_not_deleted(make: Make) -> None:
    """It moved to a project that nobody polls."""
    world = deleting(make, "delete")
    left, right = await world.pair()
    row = world.left.rows[left.id]
    row.ref = type(left)("elsewhere", left.type, left.id)
    await full(world)
    assert world.right.living == [right]


async def test_forbidden_is_not_deleted(make: Make) -> None:
    world = deleting(make, "delete")
    left, right = await world.pair()
    world.left.forbidden.add(left.id)
    await full(world)
    world.right.change(right, points=5)
    await full(world)
    assert world.right.living == [right]
    world.left.forbidden.clear()
    await full(world)
    assert world.left.value(left, "points") == 5


async def test_both_gone_is_the_end_of_the_link(world: World) -> None:
    left, right = await world.pair()
    world.left.remove(left)
    world.right.remove(right)
    await full(world)
    assert world.links() == []


async def test_a_delete_that_meets_an_edit_is_not_carried_out_behind_anybodys_back(make: Make) -> None:
    """What is deleted with policy delete is in the audit log with all its values."""
    world = deleting(make, "delete")
    left, right = await world.pair(points=3)
    world.left.remove(left)
    world.right.change(right, points=4)
    await full(world)
    (told,) = [entry for entry in world.runtime.ledger.audit() if entry.what == "delete"]
    assert told.before["points"] == 4


class TestFuse:
    @pytest.mark.parametrize(
        ("fuse", "gone", "carried_out"),
        [
            ({"count": 3, "percent": 100}, 3, True),
            ({"count": 3, "percent": 100}, 4, False),
            ({"count": 100, "percent": 50}, 5, True),
            ({"count": 100, "percent": 50}, 6, False),
        ],
    )
    async def test_stops_all_when_too_many_would_go(
        self, make: Make, fuse: dict[str, int], gone: int, carried_out: bool
    ) -> None:
        world = deleting(make, "delete", fuse=fuse)
        for number in range(10):
            world.left.make(f"ticket {number}")
        await world.synced()
        for ref in world.left.living[:gone]:
            world.left.remove(ref)
        world.later()
        report = await world.synced(full=True)
        assert len(world.right.living) == (10 - gone if carried_out else 10)
        assert report.total.skipped["delete_fuse"] == (0 if carried_out else gone)

    async def test_stops_when_a_side_is_suddenly_empty(self, make: Make) -> None:
        world = deleting(make, "delete", fuse={"count": 100, "percent": 100})
        for number in range(10):
            world.left.make(f"ticket {number}")
        await world.synced()
        for ref in world.left.living:
            world.left.remove(ref)
        await full(world)
        assert len(world.right.living) == 10


async def test_deletes_are_found_without_being_asked_for(make: Make) -> None:
    """Every pair is looked at within `check_every`, in small slices."""
    world = deleting(make, "delete", check_every="0.2s")
    left, _ = await world.pair()
    world.left.remove(left)
    for _ in range(40):
        world.later()
        await world.synced()
        if not world.right.living:
            break
    assert world.right.living == []


async def test_the_owners_delete_follows_the_policy_one_way(make: Make) -> None:
    world = make(
        permitted_synchronization="TO_THIRD_PARTY",
        deletes={"policy": "delete", "fuse": {"count": 25, "percent": 100}},
    )
    left, right = await world.pair()
    other, twin = await world.pair("other")
    world.left.remove(left)
    world.right.remove(twin)
    await full(world)
    assert world.left.living == [other], "the owner's side is never deleted from"
    assert right not in world.right.living
