"""One system's budget: slots over loops and threads, and a circuit breaker that heals by time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.budget import Breaker, Budget, Slots, Spared, budget_of
from connectors.contract import SystemConfig


class TestSlots:
    def test_they_are_shared_by_event_loops_in_different_threads(self) -> None:
        slots = Slots(2)
        inside: set[object] = set()
        most = 0

        async def visit() -> None:
            nonlocal most
            await slots.take()
            me = object()
            inside.add(me)
            most = max(most, len(inside))
            await asyncio.sleep(0.001)
            inside.discard(me)
            slots.give_back()

        async def crowd() -> None:
            await asyncio.gather(*(visit() for _ in range(20)))

        with ThreadPoolExecutor(3) as threads:
            for done in [threads.submit(asyncio.run, crowd()) for _ in range(3)]:
                done.result(60)
        assert most == 2
        assert asyncio.run(_free(slots)) == 2

    @given(st.lists(st.sampled_from(["take", "give", "cancel", "run"]), max_size=40))
    def test_none_is_lost_and_none_is_doubled_however_waiters_are_cancelled(self, steps: list[str]) -> None:
        async def play() -> int:
            slots = Slots(2)
            tasks: list[asyncio.Task[None]] = []
            held = 0
            for step in steps:
                if step == "take":
                    tasks.append(asyncio.ensure_future(slots.take()))
                elif step == "cancel" and tasks:
                    tasks.pop(0).cancel()
                elif step == "give" and held:
                    slots.give_back()
                    held -= 1
                if step == "run":
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)
                done = [task for task in tasks if task.done()]
                held += len(done)
                tasks = [task for task in tasks if not task.done()]
                assert held <= 2
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for _ in range(held):
                slots.give_back()
            return await _free(slots)

        assert asyncio.run(play()) == 2


async def _free(slots: Slots) -> int:
    """How many can be taken at once."""
    taking = [asyncio.ensure_future(slots.take()) for _ in range(slots.size + 1)]
    await asyncio.sleep(0)
    free = sum(task.done() for task in taking)
    for task in taking:
        if not task.cancel():
            slots.give_back()
    await asyncio.gather(*taking, return_exceptions=True)
    return free


class TestBreaker:
    def test_it_opens_after_repeated_failures_and_lets_one_through_per_growing_pause(self) -> None:
        breaker = Breaker(threshold=2, first=5, longest=15)
        breaker.failed(100)
        assert breaker.refuses_for(100) == 0
        breaker.failed(100)
        assert breaker.refuses_for(101) == 4
        assert breaker.refuses_for(105) == 0, "the probe"
        assert breaker.refuses_for(105) == 10, "all others wait for the next one"
        assert breaker.refuses_for(115) == 0
        assert breaker.refuses_for(115) == 15, "pauses do not grow for ever"

    def test_an_answer_closes_it_at_once(self) -> None:
        breaker = Breaker(threshold=1, first=5)
        breaker.failed(100)
        assert breaker.refuses_for(100) == 5
        breaker.succeeded()
        assert breaker.refuses_for(100) == 0


class TestBudget:
    async def test_a_short_pause_is_sat_out_and_a_long_one_refused(self) -> None:
        now = 0.0

        def clock() -> float:
            nonlocal now
            now += 1.0
            return now

        budget = Budget(1, clock)
        budget.pause(3)
        async with budget.turn(patience=60):
            assert now >= 3
        budget.pause(600)
        with pytest.raises(Spared) as spared:
            async with budget.turn(patience=60):
                pytest.fail("this is no time for a request")
        assert spared.value.retry_after
        assert not spared.value.sent

    def test_connectors_of_one_system_share_it_and_two_systems_do_not(self) -> None:
        here, same, there = (
            SystemConfig(kind="test", url=url)
            for url in ("http://budget.example/a", "http://me:pw@BUDGET.example/a/", "http://budget.example/b")
        )
        assert budget_of(here) is budget_of(same)
        assert budget_of(here) is not budget_of(there)

    def test_a_transport_is_a_system_of_its_own(self) -> None:
        config = SystemConfig(kind="test", url="http://budget.example/a")
        one, two = (httpx.MockTransport(lambda request: httpx.Response(200, request=request)) for _ in range(2))
        assert budget_of(config, one) is budget_of(config, one)
        assert budget_of(config, one) is not budget_of(config, two)
