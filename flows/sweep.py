"""What dead processes left behind in Prefect, cleared away when a daemon starts.

Rule of this file: a run is dead only if the process that claimed it is seen to be dead on this host; and nothing of
the work is decided here, the ledger knows by itself what a dead run had begun.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Cancelled, Crashed

from ledger.lease import dead

CLAIM = "Taken by "
"""A worker claims a run with a Pending state whose message is this and the owner, as the ledger's leases name it."""

OVERDUE = timedelta(minutes=1)
PAGE = 200
IN_FLIGHT = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]


async def sweep(client: PrefectClient, pool: str, now: datetime | None = None) -> tuple[int, int]:
    """End the runs of dead processes, and drop scheduled runs that nobody was there to start. Answers both counts."""
    return await _end_dead(client, pool), await _drop_overdue(client, pool, now or datetime.now(UTC))


async def _end_dead(client: PrefectClient, pool: str) -> int:
    ended, seen = 0, 0
    wanted = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=IN_FLIGHT)))
    while page := await _read(client, pool, wanted, offset=seen):
        for run in page:
            if await _is_dead(client, run.id):
                ended += 1
                await _end(client, run)
            else:
                seen += 1
    return ended


async def _is_dead(client: PrefectClient, run: UUID) -> bool:
    messages = [state.message or "" for state in await client.read_flow_run_states(run)]
    claims = [message.removeprefix(CLAIM) for message in messages if message.startswith(CLAIM)]
    return bool(claims) and dead(claims[-1])


async def _end(client: PrefectClient, run: FlowRun) -> None:
    cancelling = run.state_type == StateType.CANCELLING
    message = "The process that ran it ended without a word. What it had begun is in the ledger; the next run goes on."
    await client.set_flow_run_state(run.id, (Cancelled if cancelling else Crashed)(message=message), force=True)


async def _drop_overdue(client: PrefectClient, pool: str, now: datetime) -> int:
    """After a long stop hundreds of runs are overdue, and one refresh does the work of all of them."""
    due = FlowRunFilterExpectedStartTime(before_=now - OVERDUE)
    scheduled = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
    wanted = FlowRunFilter(state=scheduled, expected_start_time=due)
    dropped, kept = 0, 0
    while page := await _read(client, pool, wanted, offset=kept):
        for run in page:
            if run.auto_scheduled:
                await client.delete_flow_run(run.id)
                dropped += 1
            else:
                kept += 1
    return dropped


async def _read(client: PrefectClient, pool: str, wanted: FlowRunFilter, offset: int) -> list[FlowRun]:
    return await client.read_flow_runs(
        flow_run_filter=wanted,
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
        limit=PAGE,
        offset=offset,
    )
