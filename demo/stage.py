"""The stage of the demo: a folder, two trackers with people and tickets, and a daemon.

Rule of this file: everything on the stage belongs to this process and ends with it, even if it is killed. The next demo
finds the folder, clears it, and begins anew.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from connectors.errors import ConfigurationError, Unavailable
from demo.desk import Desk
from flows.home import daemon_info
from flows.processes import Process, spawn

CONFIGURATION = Path(__file__).resolve().parent.parent / "examples" / "demo" / "demo.yaml"
NAME = "support-engineering"
MARK = "THIS-IS-A-DEMO"
STOPS_AFTER = 45.0
"""Seconds that the daemon gets to end, its Prefect server included."""


@dataclass(slots=True)
class Stage:
    """Two open desks. `folder` is also the configuration that the daemon works on."""

    folder: Path
    support: Desk
    engineering: Desk
    password: str
    daemon: subprocess.Popen[bytes] | None = None

    def start_daemon(self) -> None:
        """Start `syncline start` as people do."""
        command = [sys.executable, "-m", "cli", "--config", str(self.folder.resolve()), "start", "--port", "0"]
        self.daemon = spawn(command, self.folder.resolve() / "daemon.log", self.environment())

    def require_daemon(self) -> None:
        """Raises Unavailable, with its last words, if the daemon has ended."""
        if self.daemon is None or self.daemon.poll() is not None:
            last = (self.folder / "daemon.log").read_text(errors="replace")[-1500:]
            raise Unavailable(f"The daemon has ended:\n{last}", remedy="Start the demo again.")

    def stop_daemon(self) -> None:
        """End it as SIGTERM does: refreshes finish, then its Prefect server ends."""
        if self.daemon is not None and self.daemon.poll() is None:
            Process.of(self.daemon.pid).end(STOPS_AFTER)
            self.daemon.wait()

    @property
    def prefect_url(self) -> str:
        info = daemon_info(self.folder)
        return info.prefect_url or "" if info else ""

    def command(self, *words: str) -> list[str]:
        """A call of the command line on this configuration."""
        return [sys.executable, "-m", "cli", "--config", str(self.folder), *words]

    def environment(self) -> dict[str, str]:
        """The demo has a Prefect server of its own, whatever the shell or a Prefect profile names."""
        ours = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "SYNCLINE_"))}
        return ours | {"PREFECT_HOME": str(self.folder.resolve() / "prefect")}


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Two trackers with forty tickets, in a folder that is cleared first. All that runs on the stage ends with it.

    Raises ConfigurationError if the folder holds something else, or another demo runs in it.
    """
    password = secrets.token_urlsafe(9)
    with ExitStack() as stack:
        stack.enter_context(_own(folder))
        with ThreadPoolExecutor(2) as pool:
            opening = [pool.submit(Desk.open, folder / name, name, password) for name in ("support", "engineering")]
        support, engineering = (stack.enter_context(closing(opened.result())) for opened in opening)
        made = Stage(folder, support, engineering, password)
        _configure(made)
        stack.callback(made.stop_daemon)
        yield made


def _configure(made: Stage) -> None:
    """The example's YAML, and beside it the files that it takes addresses and the password from."""
    shutil.copy(CONFIGURATION, made.folder)
    for desk in (made.support, made.engineering):
        (made.folder / f"{desk.name}.url").write_text(desk.tracker.url)
    secret = made.folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(made.password)


@contextmanager
def _own(folder: Path) -> Iterator[None]:
    """Have the folder, empty, to ourselves. Raises ConfigurationError where that cannot be."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # given back by the system, whatever ends this process
        if any(folder.iterdir()) and not (folder / MARK).exists():
            raise ConfigurationError(f"{folder} holds something else than a demo", remedy="Name another with --folder.")
        _clear(folder)
        (folder / MARK).write_text("`syncline demo` made this folder and clears it when it starts again.\n")
        yield
    except BlockingIOError:
        raise ConfigurationError(
            f"A demo runs in {folder} already", remedy="End it with Ctrl-C, or name another folder with --folder."
        ) from None
    except PermissionError as error:
        raise ConfigurationError(f"{error.filename} may not be changed", remedy="Name another --folder.") from None
    finally:
        os.close(descriptor)


def _clear(folder: Path, patience: float = 10.0) -> None:
    """Remove what an earlier demo left. Processes of one that was killed a moment ago may still be writing."""
    deadline = time.monotonic() + patience
    while True:
        try:
            for left in folder.iterdir():
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
            return
        except PermissionError:
            raise
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
