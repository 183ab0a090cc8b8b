"""The four tasks of a refresh, as Prefect shows them: fetch, map, filter, write.

Rule of this file: Prefect sees that a batch was worked on, for how long and whether it failed, never what is in it.
It would hash and walk every value that goes in and keep every value that comes out; so the work goes in quoted and
its result comes back past Prefect. What makes writes safe is our own ledger, not Prefect's transactions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.utilities.annotations import quote

from connectors.errors import Unavailable

T = TypeVar("T")
Quoted = Callable[[], Awaitable[None]]
"""The work of a stage, as a task gets it: Prefect takes the quotation marks off."""

FETCH_DELAYS: list[float] = [2, 8]
"""Seconds before a fetch is tried again. The HTTP seam has by then made its own, shorter attempts."""


def only_unavailable(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a failed task is worth another attempt: a system that did not answer, and nothing else."""
    return isinstance(state.data, Unavailable)


@task(
    name="fetch",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=len(FETCH_DELAYS),
    retry_delay_seconds=FETCH_DELAYS,
    retry_condition_fn=only_unavailable,
)
async def fetch(work: Quoted) -> None:
    """Read what changed on both sides, and the counterparts."""
    await work()


@task(name="map", cache_policy=NO_CACHE, persist_result=False)
async def map_(work: Quoted) -> None:
    """Translate, merge with what both sides last agreed on, plan."""
    await work()


@task(name="filter", cache_policy=NO_CACHE, persist_result=False)
async def filter_(work: Quoted) -> None:
    """Keep or drop each planned action, with a reason."""
    await work()


@task(name="write", cache_policy=NO_CACHE, persist_result=False)
async def write(work: Quoted) -> None:
    """Write what is left and record each outcome. Not repeated by Prefect: only the ledger knows what may be."""
    await work()


STAGES = {"fetch": fetch, "map": map_, "filter": filter_, "write": write}


async def prefect_step(name: str, work: Callable[[], Awaitable[T]]) -> T:
    """Run one stage of one batch as the Prefect task of that name. Raises what `work` raises."""
    result: list[T] = []

    async def run() -> None:
        result[:] = [await work()]

    quoted: Any = quote(run)
    await STAGES[name](quoted)
    return result[0]
