"""Failures stay alone, wait, and heal; what was interrupted is neither lost nor doubled (SPEC D4, D6, D8, D10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.errors import AuthenticationError, Forbidden, Rejected, Unavailable
from connectors.memory import LIMITS
from ledger.model import LinkState
from mappings.config import Side
from tests.flows.world import NAME, World

Make = Callable[..., World]
NOT_MARKED = {"without": ["markers", "bulk"]}
ONE_BY_ONE = {"without": ["bulk"]}


def titles(world: World, side: Side = Side.RIGHT) -> list[str]:
    return sorted(world.systems[side].value(ref, "title") for ref in world.systems[side].living)


class TestFailure:
    async def test_is_tried_again_after_a_pause_that_grows(self, make: Make) -> None:
        world = make(kind=ONE_BY_ONE)
        world.right.fail(Rejected("no"), on="create", times=3)
        world.left.make("Boiler leaks")
        pauses = []
        for attempt in range(1, 4):
            await world.refresh()
            (failure,) = world.failures()
            assert failure.attempts == attempt
            assert failure.next is not None
            pauses.append(failure.next - failure.at)
            asked = world.right.writes
            for _ in range(2):
                world.later()
                await world.refresh()
            assert world.right.writes == asked, "it is not tried before its pause is over"
            world.forgive()
        assert pauses == sorted(set(pauses))
        await world.synced()
        assert titles(world) == ["Boiler leaks"]
        assert [f.state for f in world.runtime.ledger.failures(NAME)] == ["done"]

    async def test_of_an_update_waits_too(self, world: World) -> None:
        left, right = await world.pair()
        world.right.fail(Rejected("no"), on="update", times=2)
        world.left.change(left, points=1)
        await world.refresh()
        assert world.link(Side.LEFT, left).state is LinkState.FAILED
        asked = world.right.writes
        for _ in range(2):
            world.later()
            await world.refresh()
        assert world.right.writes == asked
        world.forgive()
        await world.refresh()
        world.forgive()
        await world.synced()
        assert world.right.value(right, "points") == 1
        assert world.link(Side.LEFT, left).state is LinkState.AGREED

    async def test_is_not_forgotten_when_the_other_side_moves_meanwhile(self, world: World) -> None:
        left, right = await world.pair()
        world.right.fail(Rejected("no"), on="update")
        world.left.change(left, points=1)
        await world.refresh()
        world.later()
        # Nothing that is mapped, but the right has a new version.
        assignee = next(user for user in world.right.users if user.username == "alice")
        world.right.edit(right, {"assignee": assignee})
        await world.refresh()
        world.forgive()
        await world.synced()
        assert world.right.value(right, "points") == 1

    async def test_merges_todays_values_when_it_is_tried_again(self, world: World) -> None:
        left, right = await world.pair()
        world.right.fail(Rejected("no"), on="update")
        world.left.change(left, points=1)
        await world.refresh()
        world.later()
        world.left.change(left, points=2)
        world.right.change(right, status="open")
        world.forgive()
        await world.synced()
        assert world.right.value(right, "points") == 2
        assert world.left.value(left, "status") == "open"

    async def test_leaves_the_others_alone(self, world: World) -> None:
        pairs = [await world.pair(f"ticket {number}") for number in range(5)]
        world.right.fail(Forbidden("not yours"), on="update", id=pairs[2][1].id)
        for left, _ in pairs:
            world.left.change(left, points=1)
        report = await world.refresh()
        assert report.outcome == "done"
        assert [world.right.value(right, "points") for _, right in pairs] == [1, 1, None, 1, 1]
        assert report.as_json()["failed"] == 1

    async def test_of_a_connectors_own_making_concerns_its_entity_alone(self, world: World) -> None:
        pairs = [await world.pair(f"ticket {number}") for number in range(2)]
        world.right.fail(KeyError("bug"), on="update", id=pairs[0][1].id)
        for left, _ in pairs:
            world.left.change(left, points=1)
        await world.refresh()
        assert [world.right.value(right, "points") for _, right in pairs] == [None, 1]
        assert "KeyError" in world.failures()[0].error

    async def test_dismissed_is_looked_at_again_when_its_entity_changes(self, world: World) -> None:
        left, right = await world.pair()
        world.right.fail(Rejected("no"), on="update")
        world.left.change(left, points=1)
        await world.refresh()
        with world.runtime.ledger.begin() as tx:
            tx.close_failures(NAME, state="ignored")
        world.later()
        world.left.change(left, points=2)
        await world.synced()
        assert world.right.value(right, "points") == 2

    async def test_of_one_target_never_stops_the_others(self, make: Make) -> None:
        targets = [{"name": name, "left": name, "right": name} for name in ("first", "second", "third")]
        world = make(targets=targets)
        for target in targets:
            world.left.make(f"in {target['name']}", scope=target["name"])
        world.right.scopes = {"first": "", "third": ""}
        report = await world.refresh()
        assert report.outcome == "failed"
        assert titles(world) == ["in first", "in third"]
        assert [bool(told.error) for told in report.targets] == [False, True, False]
        world.right.scopes = None
        await world.synced()
        assert len(titles(world)) == 3


class TestUnavailable:
    @pytest.mark.parametrize("on", ["changes", "read", "create", "update", "schema", "comments", "add_comment"])
    @pytest.mark.parametrize("side", list(Side))
    async def test_in_the_middle_loses_nothing(self, make: Make, side: Side, on: str) -> None:
        world = make(row={"comments": True}, kind=ONE_BY_ONE)
        for system in world.systems.values():
            system.limits = replace(LIMITS, max_page=2)
        pairs = [await world.pair(f"ticket {number}") for number in range(3)]
        for number, (left, right) in enumerate(pairs):
            world.left.change(left, points=number)
            world.right.change(right, description=f"text {number}")
            world.left.comment(left, f"comment {number}")
            world.left.make(f"left {number}")
            world.right.make(f"right {number}")
        world.systems[side].fail(Unavailable("down"), on=on, times=2)
        world.later()
        reports = []
        for _ in range(5):
            reports.append(await world.refresh())
            world.later()
        assert reports[-1].outcome == "done"
        if world.systems[side].asked[on]:
            assert reports[0].outcome == "failed" or on in ("create", "read", "comments", "schema", "add_comment")
        assert titles(world, Side.LEFT) == titles(world, Side.RIGHT)
        assert len(titles(world)) == 9
        for number, (left, right) in enumerate(pairs):
            assert world.right.value(right, "points") == number
            assert world.left.value(left, "description") == f"text {number}"
            assert world.right.texts(right) == [f"comment {number}"]
        assert world.failures() == []

    async def test_the_message_names_what_to_do_and_the_target_is_failed(self, world: World) -> None:
        await world.pair()
        world.right.fail(AuthenticationError("the password is not accepted"), on="changes")
        report = await world.refresh()
        assert "password is not accepted" in report.message
        assert world.runtime.ledger.states()[NAME].state == "FAILED"
        await world.refresh()
        assert world.runtime.ledger.states()[NAME].state == "WAITING"


class TestLostAnswer:
    """The system did what it was asked, and nobody heard of it."""

    @pytest.fixture(params=[ONE_BY_ONE, NOT_MARKED, {}], ids=["markers", "no markers", "in bulk"])
    def losing(self, request: pytest.FixtureRequest, make: Make) -> World:
        return make(kind=request.param)

    def lose(self, world: World, error: BaseException, times: int = 1) -> None:
        for on in ("create", "create_many"):
            world.right.fail(error, on=on, times=times, acted=True)

    @pytest.mark.parametrize("error", [Unavailable("timed out"), ValueError("the answer is no JSON")])
    async def test_of_a_create_makes_no_second_twin(self, losing: World, error: Exception) -> None:
        for number in range(4):
            losing.left.make(f"ticket {number}", points=number)
        self.lose(losing, error)
        for _ in range(4):
            losing.forgive()
            await losing.refresh()
        assert titles(losing) == [f"ticket {number}" for number in range(4)]
        assert losing.failures() == []
        assert losing.intents() == []
        before = losing.writes
        await losing.synced(full=True)
        assert losing.writes == before

    async def test_waits_before_it_concludes_that_nothing_was_created(self, losing: World) -> None:
        """The request may still be on its way."""
        losing.left.make("Boiler leaks")
        losing.right.fail(Unavailable("timed out"), on="create")
        losing.right.fail(Unavailable("timed out"), on="create_many")
        await losing.refresh()
        (intent,) = losing.intents()
        assert intent.expires > intent.at
        late = losing.right.add("", "ticket", {"title": "Boiler leaks"}, marker=intent.marker)
        await losing.synced()
        assert losing.twin(losing.left.titled("Boiler leaks")) == late.ref
        assert titles(losing) == ["Boiler leaks"]

    async def test_edits_made_meanwhile_on_both_sides_are_merged(self, losing: World) -> None:
        left = losing.left.make("Boiler leaks", points=1, description="old")
        self.lose(losing, Unavailable("timed out"))
        await losing.refresh()
        right = losing.right.titled("Boiler leaks")
        losing.left.change(left, points=2)
        losing.right.change(right, description="new", due=None, labels={"seen"})
        await losing.synced()
        await losing.synced()
        assert losing.right.value(right, "points") == 2
        assert losing.left.value(left, "description") == "new"
        assert losing.left.value(left, "labels") == {"seen"}
        assert losing.conflicts() == []

    async def test_that_lacks_what_was_sent_never_empties_the_source(self, losing: World) -> None:
        left = losing.left.make("Boiler leaks", points=1)
        losing.right.ignores.add("points")
        self.lose(losing, Unavailable("timed out"))
        await losing.refresh()
        losing.later()
        for _ in range(3):
            await losing.synced()
            losing.later()
        assert losing.left.value(left, "points") == 1
        assert losing.link(Side.LEFT, left).state is LinkState.HELD

    async def test_of_twins_that_cannot_be_told_apart_asks_a_person(self, make: Make) -> None:
        """Two creates, one of them arrived, both look alike: k and m differ."""
        world = make(kind=NOT_MARKED)
        for _ in range(2):
            world.left.make("alike")
        world.right.fail(Unavailable("timed out"), on="create", acted=True)
        world.right.fail(Unavailable("timed out"), on="create")
        await world.refresh()
        if len(world.intents()) != 2:
            pytest.skip("only one of them was under way")
        for _ in range(3):
            await world.refresh()
        assert len(titles(world)) == 1
        assert len(titles(world, Side.LEFT)) == 2
        # Both sources, and the one that may be the twin of either.
        assert sorted(str(f.side) for f in world.failures()) == ["left", "left", "right"]
        assert "look like" in world.failures()[0].error
        assert world.failures()[0].next is None
        world.right.remove(world.right.living[0])
        await world.refresh()
        world.forgive()
        await world.refresh()
        assert (len(titles(world)), world.failures(), world.intents()) == (2, [], [])

    async def test_of_an_edited_twin_without_any_time_asks_a_person(self, make: Make) -> None:
        world = make(kind=NOT_MARKED)
        world.right.limits = replace(LIMITS, timestamp_resolution=None)
        world.left.make("Boiler leaks", points=1)
        self.lose(world, Unavailable("timed out"))
        await world.refresh()
        world.right.change(world.right.titled("Boiler leaks"), points=2)
        for _ in range(2):
            await world.refresh()
        assert titles(world) == titles(world, Side.LEFT) == ["Boiler leaks"]
        assert sorted(str(f.side) for f in world.failures()) == ["left", "right"]

    async def test_of_an_update_is_known_for_our_own(self, world: World) -> None:
        """Somebody edits again before the next refresh: no conflict with ourselves, nothing is taken back."""
        left, right = await world.pair(points=1, labels={"a"})
        world.right.fail(Unavailable("timed out"), on="update", acted=True)
        world.left.change(left, points=2, labels={"a", "b"})
        await world.refresh()
        assert world.right.value(right, "points") == 2
        world.later()
        world.left.change(left, points=3, labels={"a"})
        await world.synced()
        assert world.right.value(right, "points") == 3
        assert world.right.value(right, "labels") == {"a"}
        assert world.left.value(left, "labels") == {"a"}
        assert world.conflicts() == []

    @pytest.mark.parametrize("lag", [timedelta(), timedelta(seconds=2)])
    async def test_of_a_system_whose_search_lags(self, make: Make, lag: timedelta) -> None:
        world = make(kind=NOT_MARKED)
        world.right.limits = replace(LIMITS, search_lag=lag)
        world.left.make("Boiler leaks")
        self.lose(world, Unavailable("timed out"))
        await world.refresh()
        world.later(lag.total_seconds() + 1)
        await world.synced()
        assert titles(world) == ["Boiler leaks"]
