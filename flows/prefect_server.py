"""A Prefect server of our own on loopback, where PREFECT_API_URL names none.

Rule of this file: everything it keeps is in one folder, it talks to nobody outside, and it can always be ended:
by its handle, by its recorded identity after a crash, by the kernel when its parent dies.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from prefect.client.orchestration import PrefectClient
from prefect.settings import PREFECT_API_URL

from connectors.errors import Unavailable
from flows.processes import Process, spawn

HOST = "127.0.0.1"
READY_AFTER = 120.0
"""Seconds. It is ready in 3 to 10; a loaded machine that migrates an older database takes longer."""
STOPS_AFTER = 10.0
POLL = 0.25

SETTINGS = {
    # Version 2 of the UI asks an outside host even with analytics off; version 1 asks nobody.
    "PREFECT_SERVER_UI_V2_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # `Late` is a word in the UI; with hundreds of connectors the marking alone keeps SQLite locked for minutes.
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    # The scheduler would write an hour of runs ahead per connector; a few minutes are enough.
    "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "PT3M",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "20",
}


@dataclass(slots=True)
class PrefectServer:
    """A server that this process started. `url` is its API, `home` the folder with its database and its log."""

    url: str
    home: Path
    child: subprocess.Popen[bytes]
    process: Process

    def stop(self) -> None:
        """End it: politely, then for good. Stop workers first, they would wait for it."""
        self.process.end(STOPS_AFTER)
        self.child.wait()

    async def revive(self) -> bool:
        """Start it again if it has ended by itself, at the same address. Answers whether that was needed."""
        if self.child.poll() is None:
            return False
        again = await start(self.home, urlsplit(self.url).port)
        self.child, self.process = again.child, again.process
        return True


def prefect_url() -> str | None:
    """The API of the Prefect server that the environment or profile names, if any."""
    url: str | None = PREFECT_API_URL.value()
    return url


def ui_url(api_url: str) -> str:
    """What people open in a browser."""
    return api_url.removesuffix("/").removesuffix("/api")


async def reachable(url: str) -> str | None:
    """None if a Prefect server answers there, else why not."""
    async with PrefectClient(url) as client:
        error = await client.api_healthcheck()
    return None if error is None else f"{type(error).__name__}: {error}".rstrip(": ")


async def require(url: str | None) -> str:
    """The URL, if a Prefect server answers there. Raises Unavailable."""
    if not url:
        raise Unavailable(
            "No Prefect server is known",
            remedy="Start the daemon with `syncline start`, set PREFECT_API_URL, or refresh in this process: --local.",
        )
    if error := await reachable(url):
        raise Unavailable(
            f"The Prefect server at {url} does not answer ({error})",
            remedy="Start it, mend PREFECT_API_URL, or refresh in this process: --local.",
        )
    return url


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


async def start(home: Path, port: int | None = None) -> PrefectServer:
    """Start a server that keeps all in `home`, and wait until it answers. Raises Unavailable with its last words."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    port = port or free_port()
    url, log = f"http://{HOST}:{port}/api", home / "server.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= SETTINGS | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_UI_API_URL": url,
    }
    words = (sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port))
    child = spawn(words, log, environment)
    try:
        await _ready(child, url, log)
    except BaseException:
        child.kill()
        child.wait()
        raise
    return PrefectServer(url, home, child, Process.of(child.pid))


async def _ready(child: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_AFTER
    while await reachable(url) is not None:
        if child.poll() is not None or time.monotonic() > deadline:
            last_words = log.read_text(errors="replace")[-2000:]
            raise Unavailable(f"The Prefect server did not start ({log}):\n{last_words}", remedy="")
        await asyncio.sleep(POLL)
