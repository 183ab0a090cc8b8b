"""The integration daemon: starts everything, keeps deployments in step with the configuration, stops everything.

Rule of this file: what is started last is stopped first; workers before the Prefect server, for they would wait for
it. SIGTERM and SIGINT only raise a flag: runs in flight finish their current entity.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from prefect.client.orchestration import PrefectClient
from prefect.settings import temporary_settings

from connectors.errors import ConfigurationError
from flows import prefect_server, runtime
from flows.home import DaemonInfo, forget_record, only_daemon, read_record, state_folder, write_record
from flows.keep import Keeper
from flows.prefect_server import PrefectServer, prefect_url, ui_url
from flows.processes import Process, spawn
from flows.settings import worker_settings
from flows.work import GRACE, WorkerThread

TICK = 2.0
"""Seconds between two looks at what should be deployed."""

log = logging.getLogger("syncline.daemon")

Console = Callable[[runtime.Runtime], AbstractAsyncContextManager[str]]
"""Serves console and REST API while it is entered, on the daemon's main loop; answers the console's URL."""


@dataclass(slots=True)
class Daemon:
    """One daemon of one configuration. `server_name` names its work pool, `workers` is how many processes run
    refreshes (the first is this one); `started` is told when everything runs."""

    config: Path
    ledger_url: str | None = None
    server_name: str = "syncline"
    workers: int = 1
    console: Console | None = None
    started: Callable[[DaemonInfo], None] = lambda _info: None

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises ConfigurationError for a configuration with errors and for a second daemon, Unavailable without Prefect.
        """
        stopping = _flag_of_signals()
        folder = state_folder(self.config)
        # Flows open the runtime that the environment of their process names, here as in a Prefect process worker.
        os.environ.update(runtime.environment(self.config, self.ledger_url))
        with only_daemon(folder):
            work = _sound(runtime.shared())
            async with _prefect(folder) as (url, server):
                try:
                    with temporary_settings(worker_settings(url, folder / "prefect")):
                        await self._serve(work, folder, url, server, stopping)
                finally:
                    forget_record(folder)

    async def _serve(
        self, work: runtime.Runtime, folder: Path, url: str, server: PrefectServer | None, stopping: asyncio.Event
    ) -> None:
        console = self.console(work) if self.console else nullcontext(None)
        async with PrefectClient(url) as client, console as console_url:
            info = _record(folder, url, server, console_url)
            keeper = Keeper(client, work, self.server_name)
            async with self._workers(folder, url):
                told = False
                while not stopping.is_set():
                    await _or_stop(stopping, _watch(work))
                    if await _or_stop(stopping, keeper.look_again()) and not told:
                        self.started(info)
                        told = True
                    await _or_stop(stopping, asyncio.sleep(TICK))
                    if server is not None and await server.revive():
                        log.warning("The Prefect server had ended; it was started again.")
                        _record(folder, url, server, console_url)

    @asynccontextmanager
    async def _workers(self, folder: Path, url: str) -> AsyncIterator[None]:
        thread = WorkerThread(self.server_name)
        environment = os.environ | {"PREFECT_API_URL": url}
        words = (sys.executable, "-m", "flows.work", self.server_name)
        others = [spawn(words, folder / f"worker-{n}.log", environment) for n in range(2, self.workers + 1)]
        thread.start()
        try:
            yield
        finally:
            for process in others:
                process.terminate()
            await asyncio.to_thread(thread.stop)
            for process in others:
                await asyncio.to_thread(_wait, process)


async def _watch(work: runtime.Runtime) -> None:
    """Take up edits of the groups' files (SPEC A12). A broken one is told, and the last good state goes on."""
    if not await work.look_again():
        return
    if not work.broken:
        log.info("The configuration has changed; it is in force.")
    for finding in work.broken:
        log.error("An edit is not in force, the last good configuration goes on: %s", finding)


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _record(folder: Path, url: str, server: PrefectServer | None, console_url: str | None) -> DaemonInfo:
    """Leave word of this daemon, for `syncline stop` and `status`, and for the next one if this is killed."""
    child = server.process if server else None
    info = DaemonInfo(Process.of(os.getpid()), console_url, ui_url(url), url, child)
    write_record(folder, info)
    return info


@asynccontextmanager
async def _prefect(folder: Path) -> AsyncIterator[tuple[str, PrefectServer | None]]:
    """The Prefect server that the environment names, else one of our own. What a killed daemon left is ended first."""
    left = read_record(folder)
    if left is not None and left.server is not None:
        await asyncio.to_thread(left.server.end, prefect_server.STOPS_AFTER)
    if named := prefect_url():
        yield await prefect_server.require(named), None
        return
    server = await prefect_server.start(folder / "prefect")
    _record(folder, server.url, server, None)
    try:
        yield server.url, server
    finally:
        await asyncio.to_thread(server.stop)


def _sound(work: runtime.Runtime) -> runtime.Runtime:
    """The runtime, if its configuration has no errors. Raises ConfigurationError with all of them."""
    errors = runtime.errors_of(work.configuration, work.config)
    if errors:
        told = "\n".join(f"{f.file}:{f.line}: {f.path}: {f.problem}. {f.remedy}" for f in errors)
        raise ConfigurationError(f"The configuration has errors:\n{told}", remedy="Mend them; `syncline check`.")
    return work


def _flag_of_signals() -> asyncio.Event:
    """Set by SIGTERM and SIGINT."""
    flag = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, flag.set)
    return flag


async def _or_stop(stopping: asyncio.Event, work: Awaitable[None]) -> bool:
    """Wait for the work, but no longer than until the flag is up; answers whether it was done.

    What went wrong is logged: it is tried again.
    """
    working, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not working.done():
        working.cancel()
        await asyncio.wait({working})
        return False
    if error := working.exception():
        log.error("Prefect could not be told what is configured; it is tried again.", exc_info=error)
    return error is None
