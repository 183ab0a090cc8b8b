"""Permitted synchronization and directions: the wrong side is never written, drift goes back (SPEC A6, rule 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connectors.errors import AuthenticationError, Changed, Rejected, Unavailable
from mappings.config import Side
from tests.flows.world import FIELDS, World

OWNERS = [("TO_THIRD_PARTY", Side.LEFT), ("FROM_THIRD_PARTY", Side.RIGHT)]
Make = Callable[..., World]


@pytest.fixture(params=OWNERS, ids=lambda owner: str(owner[0]))
def owned(request: pytest.FixtureRequest, make: Make) -> tuple[World, Side]:
    """A world in which one side owns everything, and which one."""
    word, owner = request.param
    return make(permitted_synchronization=word, row={"comments": True}), owner


async def owned_pair(world: World, owner: Side, **fields: Any) -> dict[Side, Any]:
    ref = world.systems[owner].make("Boiler leaks", **fields)
    await world.synced()
    world.later()
    await world.synced()
    world.later()
    return {owner: ref, owner.other: world.twin(ref, owner)}


async def test_the_owner_is_never_written(owned: tuple[World, Side]) -> None:
    world, owner = owned
    pair = await owned_pair(world, owner, points=1)
    ours, theirs = world.systems[owner], world.systems[owner.other]
    theirs.make("made on the other side")
    theirs.change(pair[owner.other], points=2, status="closed")
    theirs.comment(pair[owner.other], "said on the other side")
    theirs.remove(theirs.make("made and deleted"))
    ours.change(pair[owner], description="new")
    for options in ({}, {"full": True}, {}):
        world.later()
        await world.synced(**options)
    assert ours.writes == 0
    assert len(ours.living) == 1
    assert ours.value(pair[owner], "points") == 1


async def test_drift_gets_the_owners_value_again(owned: tuple[World, Side]) -> None:
    world, owner = owned
    pair = await owned_pair(world, owner, points=1, labels={"a"})
    theirs = world.systems[owner.other]
    theirs.change(pair[owner.other], points=2, labels={"a", "b"})
    await world.synced()
    assert theirs.value(pair[owner.other], "points") == 1
    assert theirs.value(pair[owner.other], "labels") == {"a"}
    before = world.writes
    world.later()
    await world.synced()
    assert world.writes == before


async def test_the_owners_edit_wins_over_drift_and_halts_nothing(owned: tuple[World, Side]) -> None:
    world, owner = owned
    pair = await owned_pair(world, owner, points=1)
    world.systems[owner].change(pair[owner], points=5)
    world.systems[owner.other].change(pair[owner.other], points=2)
    await world.synced()
    assert world.systems[owner.other].value(pair[owner.other], "points") == 5
    assert world.conflicts() == []


async def test_what_is_synced_on_create_only_is_not_put_back(make: Make) -> None:
    fields = [{**row, "sync_on": "create"} if row["left"] == "points" else row for row in FIELDS]
    world = make(permitted_synchronization="TO_THIRD_PARTY", row={"fields": fields})
    pair = await owned_pair(world, Side.LEFT, points=1)
    assert world.right.value(pair[Side.RIGHT], "points") == 1
    world.right.change(pair[Side.RIGHT], points=2)
    world.left.change(pair[Side.LEFT], points=3)
    await world.synced()
    assert world.right.value(pair[Side.RIGHT], "points") == 2


async def test_entities_of_others_on_the_read_only_side_are_counted(owned: tuple[World, Side]) -> None:
    world, owner = owned
    world.systems[owner.other].make("somebody's own")
    report = await world.synced()
    assert report.total.skipped["not_permitted"] == 1


@pytest.mark.parametrize("direction", ["both", "left_to_right", "right_to_left"])
async def test_no_direction_of_a_row_opens_a_side_that_is_closed(make: Make, direction: str) -> None:
    rows = [{**row, "direction": direction} if row["left"] == "points" else row for row in FIELDS]
    world = make(permitted_synchronization="TO_THIRD_PARTY", row={"fields": rows, "on_conflict": "right"})
    pair = await owned_pair(world, Side.LEFT, points=1)
    world.right.change(pair[Side.RIGHT], points=2, title="Renamed")
    world.left.change(pair[Side.LEFT], title="Renamed here")
    await world.synced()
    assert world.left.writes == 0
    assert world.right.value(pair[Side.RIGHT], "title") == "Renamed here"


class TestRowsOfOneDirection:
    """Under BOTH_DIRECTIONS."""

    def build(self, make: Make, **more: Any) -> World:
        rows = [
            {**row, "direction": "left_to_right", **more} if row["left"] == "points" else row for row in FIELDS
        ]  # fmt: skip
        return make(row={"fields": rows})

    async def test_a_value_changed_on_the_target_stays_until_the_source_changes(self, make: Make) -> None:
        world = self.build(make)
        left, right = await world.pair(points=1)
        world.right.change(right, points=2)
        await world.synced()
        assert (world.left.value(left, "points"), world.right.value(right, "points")) == (1, 2)
        world.later()
        world.left.change(left, points=3)
        await world.synced()
        assert world.right.value(right, "points") == 3
        assert world.conflicts() == []

    async def test_with_overwrite_it_is_put_back(self, make: Make) -> None:
        world = self.build(make, overwrite=True)
        left, right = await world.pair(points=1)
        world.right.change(right, points=2)
        await world.synced()
        assert (world.left.value(left, "points"), world.right.value(right, "points")) == (1, 1)

    async def test_a_twin_made_from_the_target_gets_no_value(self, make: Make) -> None:
        world = self.build(make)
        ref = world.right.make("made on the right", points=2)
        await world.synced()
        left = world.twin(ref, Side.RIGHT)
        assert world.left.value(left, "points") is None
        assert world.right.value(ref, "points") == 2
        world.left.change(left, points=4)
        await world.synced()
        assert world.right.value(ref, "points") == 4


class TestAtACreate:
    """Rows that the create itself cannot write."""

    async def test_a_constant_flows_back_to_the_source(self, make: Make) -> None:
        world = make(row={"fields": [*FIELDS[:3], {"left": "points", "constant": 8}]})
        left = world.left.make("Boiler leaks")
        await world.synced()
        assert world.left.value(left, "points") == 8

    async def test_a_field_that_exists_only_after_the_create_is_written_then(self, make: Make) -> None:
        world = make()
        schema = world.right.schemas["ticket"]
        late = {name: replace(schema.fields[name], on_create=False) for name in ("status", "points")}
        world.right.schemas = {"ticket": replace(schema, fields={**schema.fields, **late})}
        left = world.left.make("Boiler leaks", status="closed", points=5)
        await world.synced()
        assert world.right.value(world.twin(left), "status") == "closed"
        assert world.right.value(world.twin(left), "points") == 5
        assert world.conflicts() == []

    async def test_what_is_synced_on_update_only_waits_for_an_edit(self, make: Make) -> None:
        rows = [{**row, "sync_on": "update"} if row["left"] == "points" else row for row in FIELDS]
        world = make(row={"fields": rows})
        left, right = await world.pair(points=5)
        assert world.right.value(right, "points") is None
        world.left.change(left, points=6)
        await world.synced()
        assert world.right.value(right, "points") == 6

    @pytest.mark.parametrize("error", [
        Changed("somebody was faster"), Rejected("it does not want to"), Unavailable("down", sent=False),
        AuthenticationError("who are you"), ValueError("a bug of the connector"),
    ])  # fmt: skip
    async def test_whatever_fails_after_the_create_makes_no_second_twin(self, make: Make, error: Exception) -> None:
        world = make(row={"fields": [*FIELDS[:3], {"left": "points", "constant": 8}]})
        left = world.left.make("Boiler leaks")
        world.left.fail(error, on="update", times=3)
        for _ in range(6):
            await world.refresh()
            world.later()
            world.forgive()
        assert [world.right.value(ref, "title") for ref in world.right.living] == ["Boiler leaks"]
        assert world.left.value(left, "points") == 8
        assert world.failures() == []


async def test_a_target_may_be_narrower_than_its_connector(make: Make) -> None:
    world = make(
        targets=[
            {"name": "open", "left": "A", "right": "A"},
            {"name": "closed", "left": "B", "right": "B", "permitted_synchronization": "TO_THIRD_PARTY"},
        ]
    )
    for scope in ("A", "B"):
        world.right.make(f"made in {scope}", scope=scope)
    report = await world.synced()
    assert [world.left.value(ref, "title") for ref in world.left.living] == ["made in A"]
    assert {t.name: t.counters.skipped["not_permitted"] for t in report.targets} == {"open": 0, "closed": 1}
