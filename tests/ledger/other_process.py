"""Another process that uses the same ledger: `python -m tests.ledger.other_process VERB URL`.

It prints one line of JSON when it has done its part, and ends when its input does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ledger.store import Ledger, this_owner
from tests.ledger.make import link

CONNECTORS = [f"connector-{n}" for n in range(40)]


def say(what: Any) -> None:
    print(json.dumps(what), flush=True)


def contend(url: str) -> None:
    """Open the ledger when told, and take the lease of every connector that is free."""
    say("ready")
    sys.stdin.readline()
    with Ledger.open(url) as ledger:
        say([name for name in CONNECTORS if ledger.acquire(name, this_owner(), 600)])
        sys.stdin.read()


def hang(url: str) -> None:
    """Stop in the middle of a transaction, holding the lease of `falcon`."""
    with Ledger.open(url) as ledger:
        lease = ledger.acquire("falcon", this_owner(), 600)
        with ledger.begin(lease, durable=True) as tx:
            tx.save_links([link("uncommitted")])
            say("ready")
            sys.stdin.read()


def look(url: str) -> None:
    """Open the ledger and say whether that loaded Alembic."""
    with Ledger.open(url):
        say("alembic" in sys.modules)


class Other:
    """A running other process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def told(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the other process ended without a word"
        return json.loads(line)

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def kill(self, *, reap: bool = True) -> None:
        """kill -9. Without `reap` its remains stay in the table of processes, as under a parent that never looks."""
        self._process.kill()
        if reap:
            self._process.wait()
        else:
            assert self._process.stdout is not None
            self._process.stdout.read()  # ends when the process does


@contextmanager
def other_process(verb: str, url: str) -> Iterator[Other]:
    command = [sys.executable, "-m", "tests.ledger.other_process", verb, url]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Other(process)
        finally:
            process.kill()


if __name__ == "__main__":
    {"contend": contend, "hang": hang, "look": look}[sys.argv[1]](sys.argv[2])
