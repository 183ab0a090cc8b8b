"""Processes of ours: known by pid *and* start time, ended by pid, never outliving who started them.

Rule of this file: a pid alone proves nothing, the system hands it out again. Run as a script it replaces itself by a
command that the kernel ends together with its parent (Linux; elsewhere the next start finds it).
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
POLL = 0.1


@dataclass(frozen=True, slots=True)
class Process:
    """One process of this host, once and for all: its pid, and when it started as the system tells it."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Process:
        """Raises ProcessLookupError if there is none."""
        started = start_time(pid)
        if started is None:
            raise ProcessLookupError(pid)
        return cls(pid, started)

    @property
    def alive(self) -> bool:
        return start_time(self.pid) == self.started

    def end(self, patience: float) -> bool:
        """Ask it to end, kill it after `patience` seconds. Answers whether it had to be killed."""
        if not self._signal(signal.SIGTERM) or self._gone(patience):
            return False
        self._signal(signal.SIGKILL)
        self._gone(patience)
        return True

    def _signal(self, number: int) -> bool:
        if not self.alive:
            return False
        os.kill(self.pid, number)
        return True

    def _gone(self, patience: float) -> bool:
        deadline = time.monotonic() + patience
        while self.alive and time.monotonic() < deadline:
            time.sleep(POLL)
        return not self.alive


def start_time(pid: int) -> str | None:
    """When a process started, as text that only it has; None for one that is gone or only waits to be reaped."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.joinpath("self").exists():
        return _linux_start_time(stat)
    shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.strip() or None


def _linux_start_time(stat: Path) -> str | None:
    try:
        # The second field is the command in parentheses and may hold anything: the rest begins after the last ")".
        state, *rest = stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in ("Z", "X") else rest[18]


def die_with_parent() -> None:
    """Let the kernel kill this process when the thread that started it ends (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def spawn(words: Sequence[str], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a command that dies with this thread. It works in the folder of its log, which holds all it says."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, __file__, str(os.getpid()), *words],
            env=environment,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def main(arguments: list[str]) -> None:
    parent, *words = arguments
    die_with_parent()
    if os.getppid() != int(parent):
        sys.exit("The process that asked for this one is gone.")
    os.execvp(words[0], words)


if __name__ == "__main__":
    main(sys.argv[1:])
