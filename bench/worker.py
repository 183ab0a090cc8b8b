"""What a run costs that finds nothing: in the process of our own worker, and in a process for each run.

Fair because both run the same deployment of the same connector on the same Prefect server, one run after the other, and
the operating system says how much processor time worker and runs took, waiting for the next run included.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate

from bench.stage import NAME, Result, configure, tracker
from flows import prefect_server, runtime
from flows.ask import request_refresh
from flows.deploy import reconcile
from flows.keep import desired
from flows.prefect_server import PrefectServer
from flows.processes import spawn
from flows.report import RefreshOptions
from flows.runtime import Runtime

ROOT = Path(__file__).parents[1]
WORKERS = {
    "syncline": (sys.executable, "-m", "flows.work", "syncline"),
    "process": (sys.executable, "-m", "prefect", "worker", "start", "--pool", "process", "--type", "process"),
}
"""Work pool -> its worker."""


async def run(quick: bool) -> list[Result]:
    """Seconds of processor time for one run of each."""
    runs = 3 if quick else 10
    with tracker(10) as left, tracker(10) as right, TemporaryDirectory() as folder:
        config = configure(Path(folder), left, right, start_polling="now", refresh_interval=0)
        server = await prefect_server.start(Path(folder) / "prefect")
        try:
            async with Runtime.open(config) as opened:
                ours, theirs = [await _each(pool, server, opened, runs) for pool in WORKERS]
        finally:
            server.stop()
    told = f"{theirs / ours:.0f} × less: {ours:.2f} s to {theirs:.2f} s of processor time"
    return [Result("a run within our worker, to one in a process of its own", told)]


async def _each(pool: str, server: PrefectServer, opened: Runtime, runs: int) -> float:
    """Seconds of processor time that a run takes on the worker of this pool."""
    async with PrefectClient(server.url) as client:
        if pool == "process":
            await client.create_work_pool(WorkPoolCreate(name=pool, type=pool))
        await reconcile(client, desired(opened.configuration, {}, datetime.now(UTC)), pool)
    async with _worker(pool, server, opened.config) as worker:
        await request_refresh(server.url, NAME, RefreshOptions(), opened.ledger)  # what is loaded once is loaded now
        before = _seconds(worker.pid)
        for _ in range(runs):
            await request_refresh(server.url, NAME, RefreshOptions(), opened.ledger)
        return (_seconds(worker.pid) - before) / runs


@asynccontextmanager
async def _worker(pool: str, server: PrefectServer, config: Path) -> AsyncIterator[subprocess.Popen[bytes]]:
    environment: Mapping[str, str] = {
        **os.environ,
        **runtime.environment(config, None),
        "PREFECT_API_URL": server.url,
        "PREFECT_HOME": str(server.home),
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PYTHONPATH": str(ROOT),
    }
    process = spawn(WORKERS[pool], config.parent / f"{pool}.log", environment)
    try:
        yield process
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 60)


def _seconds(pid: int) -> float:
    """Processor time of a process and of its children that have ended (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
