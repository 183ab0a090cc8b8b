"""Runs on Prefect: scheduled and asked for, run by the in-process worker, told in states, tasks and artifacts."""

from __future__ import annotations

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    FlowRunFilter,
    FlowRunFilterId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling

from connectors.errors import Rejected, Unavailable
from flows.ask import ask, request_refresh
from flows.prefect_server import PrefectServer
from flows.report import RefreshOptions
from flows.runtime import shared
from tests.flows.on_prefect.pairs import Pair, runs_of
from tests.systems.prefect import ended, until

PLAIN = RefreshOptions()
DRY = RefreshOptions(dry_run=True)


async def refreshed(server: PrefectServer, pair: Pair, options: RefreshOptions = PLAIN) -> FlowRun:
    """Deploy the pair, ask for one refresh, and wait for its end."""
    async with PrefectClient(server.url) as client:
        await pair.deploy(client)
        with pair.worker(server):
            return await ended(client, await ask(client, pair.name, options))


async def tasks_of(server: PrefectServer, run: FlowRun) -> list[str]:
    """The names of the tasks of a run, in order of their start."""
    wanted = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
    async with PrefectClient(server.url) as client:
        found = await client.read_task_runs(flow_run_filter=wanted)
    in_order = sorted(found, key=lambda task: task.start_time or task.expected_start_time)
    return [task.name.partition("-")[0] for task in in_order]


async def artifact(server: PrefectServer, key: str) -> str | None:
    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
    async with PrefectClient(server.url) as client:
        found = await client.read_artifacts(artifact_filter=wanted)
    return str(found[-1].data) if found else None


async def test_an_interval_schedule_really_produces_runs(prefect_server: PrefectServer, pair: Pair) -> None:
    pair.configure(interval="2s")
    pair.add("printer on fire")
    async with PrefectClient(prefect_server.url) as client:
        await pair.deploy(client)

        async def completed() -> bool:
            runs = await runs_of(client, pair)
            return any(run.auto_scheduled and run.state and run.state.is_completed() for run in runs)

        with pair.worker(prefect_server):
            await until(completed)
    assert pair.titles() == (["printer on fire"], ["printer on fire"])


async def test_a_change_takes_four_tasks_and_leaves_a_report(prefect_server: PrefectServer, pair: Pair) -> None:
    pair.add("no coffee")
    run = await refreshed(prefect_server, pair)
    assert run.state is not None
    assert run.state.is_completed()
    assert (await tasks_of(prefect_server, run))[:4] == ["fetch", "map", "filter", "write"]
    report = await artifact(prefect_server, f"{pair.name}-report")
    assert report is not None
    assert "create" in report
    assert "no coffee" in report
    assert run.state.message is not None
    assert run.state.message.startswith(f"{pair.name}: created 1 right")


async def test_a_refresh_that_finds_nothing_is_one_task_and_leaves_no_artifact(
    prefect_server: PrefectServer, pair: Pair
) -> None:
    run = await refreshed(prefect_server, pair)
    assert await tasks_of(prefect_server, run) == ["fetch"]
    assert await artifact(prefect_server, f"{pair.name}-report") is None


async def test_a_dry_run_writes_nothing_and_shows_its_plan(prefect_server: PrefectServer, pair: Pair) -> None:
    pair.add("no coffee")
    run = await refreshed(prefect_server, pair, DRY)
    assert run.state is not None
    assert run.state.is_completed()
    assert pair.titles() == (["no coffee"], [])
    plan = await artifact(prefect_server, f"{pair.name}-plan")
    assert plan is not None
    assert "create" in plan
    assert await artifact(prefect_server, f"{pair.name}-report") is None


async def test_who_asks_gets_the_report_of_the_run(prefect_server: PrefectServer, pair: Pair) -> None:
    pair.add("no coffee")
    async with PrefectClient(prefect_server.url) as client:
        await pair.deploy(client)
    with pair.worker(prefect_server):
        ledger = shared().ledger
        report = await request_refresh(prefect_server.url, pair.name, RefreshOptions(), ledger)
    assert (report["outcome"], report["created"]) == ("done", {"left": 0, "right": 1})


async def test_a_system_that_does_not_answer_once_is_asked_again(prefect_server: PrefectServer, pair: Pair) -> None:
    pair.add("no coffee")
    pair.left.fail(Unavailable("ours does not answer"), on="changes")
    run = await refreshed(prefect_server, pair)
    assert run.state is not None
    assert run.state.is_completed()
    assert pair.titles() == (["no coffee"], ["no coffee"])


async def test_a_refused_call_is_not_repeated_and_the_run_fails_with_its_reason(
    prefect_server: PrefectServer, pair: Pair
) -> None:
    pair.left.fail(Rejected("ours refuses to list"), on="changes")
    run = await refreshed(prefect_server, pair)
    assert run.state is not None
    assert run.state.is_failed()
    assert "ours refuses to list" in str(run.state.message)
    assert await tasks_of(prefect_server, run) == ["fetch"]


async def test_a_run_that_somebody_cancels_ends_at_once_as_cancelled(prefect_server: PrefectServer, pair: Pair) -> None:
    pair.configure(latency=30)
    async with PrefectClient(prefect_server.url) as client:
        await pair.deploy(client)
        with pair.worker(prefect_server):
            run = await ask(client, pair.name, DRY)

            async def running() -> bool:
                state = (await client.read_flow_run(run.id)).state
                return state is not None and state.is_running()

            await until(running)
            await client.set_flow_run_state(run.id, Cancelling())
            assert (await ended(client, run)).state_name == "Cancelled"
