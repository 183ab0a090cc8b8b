"""The daemon as a process: it starts everything, stops cleanly, and a kill -9 leaves nothing that blocks the next."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

from flows.home import DaemonInfo, daemon_info, state_folder, stop_daemon
from flows.prefect_server import PrefectServer
from tests.flows.on_prefect.pairs import Pair, runs_of
from tests.systems.prefect import until

ROOT = Path(__file__).parents[3]
PROGRAM = """
import asyncio, sys
from pathlib import Path
from flows.daemon import Daemon
pool = sys.argv[2]
asyncio.run(Daemon(Path(sys.argv[1]), server_name=pool, started=lambda _: print("started", flush=True)).run())
"""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(pair: Pair) -> Iterator[Start]:
    """Start a daemon of the pair; given a Prefect server it uses that one, else its own."""
    begun: list[subprocess.Popen[str]] = []

    def begin(server: PrefectServer | None = None) -> subprocess.Popen[str]:
        environment = os.environ | ({"PREFECT_API_URL": server.url} if server else {})
        daemon = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(pair.folder), pair.pool],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(daemon)
        return daemon

    yield begin
    for daemon in begun:
        if daemon.poll() is None:
            daemon.terminate()
        daemon.communicate(timeout=60)


def started(daemon: subprocess.Popen[str]) -> None:
    assert daemon.stdout is not None
    assert daemon.stdout.readline() == "started\n", daemon.communicate(timeout=60)[1]


def running(pair: Pair) -> DaemonInfo:
    info = daemon_info(pair.folder)
    assert info is not None
    return info


async def runs(url: str, pair: Pair) -> list[FlowRun]:
    async with PrefectClient(url) as client:
        return await runs_of(client, pair)


async def completed(url: str, pair: Pair, count: int = 1) -> None:
    async def enough() -> bool:
        return sum(bool(run.state and run.state.is_completed()) for run in await runs(url, pair)) >= count

    await until(enough)


async def in_flight(url: str, pair: Pair) -> None:
    async def one() -> bool:
        return any(run.state and run.state.is_running() for run in await runs(url, pair))

    await until(one)


async def test_one_command_starts_everything_and_sigterm_ends_it_cleanly(start: Start, pair: Pair) -> None:
    pair.add("no coffee")
    daemon = start()
    started(daemon)
    info = running(pair)
    assert info.server is not None
    record = state_folder(pair.folder) / "daemon.json"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    await completed(str(info.prefect_api), pair)
    assert pair.titles() == (["no coffee"], ["no coffee"])
    assert stop_daemon(pair.folder)
    assert daemon.wait(timeout=60) == 0
    assert not info.server.alive
    assert not record.exists()
    assert daemon_info(pair.folder) is None


async def test_a_second_daemon_of_a_configuration_is_refused(start: Start, prefect_server: PrefectServer) -> None:
    first = start(prefect_server)
    started(first)
    _, told = start(prefect_server).communicate(timeout=60)
    assert f"A daemon of this configuration runs already (pid {first.pid})" in told


async def test_runs_in_flight_end_before_the_daemon_does(
    start: Start, pair: Pair, prefect_server: PrefectServer
) -> None:
    pair.configure(latency=2)
    daemon = start(prefect_server)
    started(daemon)
    await in_flight(prefect_server.url, pair)
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(timeout=60) == 0
    assert [run.state_name for run in await runs(prefect_server.url, pair)] == ["Completed"]


async def test_after_kill_9_the_next_daemon_ends_the_dead_run_and_goes_on(
    start: Start, pair: Pair, prefect_server: PrefectServer
) -> None:
    pair.configure(latency=30)
    pair.add("no coffee")
    daemon = start(prefect_server)
    started(daemon)
    await in_flight(prefect_server.url, pair)
    daemon.kill()
    daemon.wait(timeout=60)
    pair.configure()
    started(start(prefect_server))
    await completed(prefect_server.url, pair)
    assert sorted(str(run.state_name) for run in await runs(prefect_server.url, pair)) == ["Completed", "Crashed"]
    assert pair.titles() == (["no coffee"], ["no coffee"])


async def test_the_prefect_server_of_a_killed_daemon_is_no_obstacle(start: Start, pair: Pair) -> None:
    daemon = start()
    started(daemon)
    left = running(pair).server
    assert left is not None
    daemon.kill()
    daemon.wait(timeout=60)
    again = start()
    started(again)
    assert not left.alive
    await completed(str(running(pair).prefect_api), pair)


async def test_a_prefect_server_that_does_not_answer_is_named(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    daemon = start()
    _, told = daemon.communicate(timeout=60)
    assert daemon.returncode != 0
    assert "The Prefect server at http://127.0.0.1:9/api does not answer" in told
