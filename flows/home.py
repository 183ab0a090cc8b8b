"""The folder `.syncline` beside a configuration: what the daemon keeps there, and how it is found again.

Rule of this file: who finds a record checks that the process is still the one that wrote it; the lock, which the
system takes back from the dead, decides who may start.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.errors import ConfigurationError
from flows.processes import Process


@dataclass(frozen=True, slots=True)
class DaemonInfo:
    """A daemon: its process, what people open, the Prefect API it uses, and the Prefect server it started if any."""

    process: Process
    console_url: str | None
    prefect_url: str | None
    prefect_api: str | None
    server: Process | None = None

    def as_json(self) -> dict[str, Any]:
        """The `daemon` of `syncline status`."""
        return {"pid": self.process.pid, "console_url": self.console_url, "prefect_url": self.prefect_url}


def state_folder(config: Path) -> Path:
    """The `.syncline` folder of a configuration, which is a file or a folder. Made, for its owner alone."""
    folder = (config if config.is_dir() else config.parent).resolve() / ".syncline"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def daemon_info(config: Path) -> DaemonInfo | None:
    """The daemon of this configuration, if it runs."""
    info = read_record(state_folder(config))
    return info if info is not None and info.process.alive else None


def read_record(folder: Path) -> DaemonInfo | None:
    """What the last daemon wrote about itself, alive or not. A half-written record is none."""
    try:
        data = json.loads((folder / "daemon.json").read_text())
        server = Process(**data["server"]) if data["server"] else None
        return DaemonInfo(
            Process(data["pid"], data["started"]), data["console_url"], data["prefect_url"], data["prefect_api"], server
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_record(folder: Path, info: DaemonInfo) -> None:
    """Readable by its owner alone, replaced as a whole."""
    server = {"pid": info.server.pid, "started": info.server.started} if info.server else None
    data = info.as_json() | {"started": info.process.started, "prefect_api": info.prefect_api, "server": server}
    path = folder / "daemon.json"
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(data, file, indent=2)
    new.replace(path)


def forget_record(folder: Path) -> None:
    (folder / "daemon.json").unlink(missing_ok=True)


@contextmanager
def only_daemon(folder: Path) -> Iterator[None]:
    """Be the only daemon of this configuration. Raises ConfigurationError if there is one."""
    descriptor = os.open(folder / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            info = read_record(folder)
            who = f" (pid {info.process.pid})" if info else ""
            raise ConfigurationError(
                f"A daemon of this configuration runs already{who}", remedy="Stop it with `syncline stop` first."
            ) from error
        yield
    finally:
        os.close(descriptor)


def stop_daemon(config: Path, patience: float = 60.0) -> bool:
    """End the daemon of this configuration as SIGTERM does, and wait. Answers whether there was one.

    One that has not ended after `patience` seconds is killed: nothing is lost, the ledger is made for that.
    """
    info = daemon_info(config)
    if info is None:
        return False
    info.process.end(patience)
    return True
