"""Where refreshes run: a thread of its own with an event loop of its own.

Rule of this file: runs are never on the main thread. There Prefect's engine would take SIGTERM for itself, and they
could not be left to finish. `python -m flows.work POOL` is one more worker process of a daemon.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from prefect.settings import temporary_settings

from flows import runtime
from flows.home import state_folder
from flows.prefect_server import prefect_url
from flows.settings import worker_settings
from flows.worker import SynclineWorker

GRACE = 20.0
"""Seconds that runs in flight get to finish their current entity."""
PAUSE = 5.0
"""Seconds before a worker that lost the Prefect server tries again."""

log = logging.getLogger("syncline.work")


class WorkerThread:
    """A worker on its own thread, with the Prefect settings of the context that makes it.

    What it works on is the shared runtime of the process: SYNCLINE_CONFIG and SYNCLINE_LEDGER.
    """

    def __init__(self, pool: str) -> None:
        self._pool = pool
        self._stopping = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=contextvars.copy_context().run, args=(self._main,), name="syncline-work")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take no more runs, let those in flight finish their current entity, and wait for that."""
        runtime.shared().stopping.set()
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _main(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        try:
            while not self._stopping.is_set():
                await self._serve_until_lost()
        finally:
            await runtime.close_shared()

    async def _serve_until_lost(self) -> None:
        worker = SynclineWorker(self._pool, name=f"{self._pool} {os.getpid()}")
        try:
            await worker.serve(self._stopping, GRACE)
        except Exception:
            log.exception("The worker lost the Prefect server; it tries again in %.0f s.", PAUSE)
            stopped = asyncio.ensure_future(self._stopping.wait())
            await asyncio.wait({stopped}, timeout=PAUSE)
            stopped.cancel()


def main(pool: str) -> None:
    """Work until SIGTERM or SIGINT, on what the environment names."""
    config = runtime.shared().config
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with temporary_settings(worker_settings(prefect_url() or "", Path(state_folder(config)) / "prefect")):
        worker = WorkerThread(pool)
        worker.start()
        stopping.wait()
        worker.stop()


if __name__ == "__main__":
    main(sys.argv[1])
