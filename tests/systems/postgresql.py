"""A private PostgreSQL on loopback. Rule: nothing of it outlives its `with`.

Works as root (the server then runs as `postgres` or `nobody`) and as an ordinary user. Without pytest:
`with start_postgresql() as server: server.database()`. With it: import `postgresql_server` and `postgresql_url` into a
conftest; every test that asks for `postgresql_url` gets an empty database of its own.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

MAXIMUM_START = 60.0
MAXIMUM_STOP = 20.0


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`: the newest of Debian's, else the one on the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    found = debian[-1] if debian else Path(on_path) if on_path else None
    return found.parent if found else None


@dataclass
class PostgreSQL:
    """A running server that trusts everybody on this machine."""

    port: int
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        """The address of a new, empty database."""
        name = f"fresh{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.url(name)

    def drop(self, url: str) -> None:
        self.run(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def run(self, statement: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def start_postgresql() -> Iterator[PostgreSQL]:
    """A new server with nothing in it. What it holds is gone afterwards."""
    folder = binaries()
    assert folder is not None, "PostgreSQL is not installed"
    user = _other_user()
    # Directly in the temporary folder: the server's user could not get through a parent that is root's alone.
    home = Path(tempfile.mkdtemp(prefix="postgresql-"))
    if user is not None:
        os.chown(home, user.pw_uid, user.pw_gid)
    data = home / "data"
    try:
        create = [str(folder / "initdb"), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "-D", str(data)]
        subprocess.run(create, cwd=home, check=True, capture_output=True, timeout=MAXIMUM_START, **_as(user))
        server = PostgreSQL(_free_port())
        with _process(folder, user, home, server):
            yield server
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _process(folder: Path, user: pwd.struct_passwd | None, home: Path, server: PostgreSQL) -> Iterator[None]:
    settings = ("fsync=off", "listen_addresses=127.0.0.1", f"port={server.port}", "unix_socket_directories=")
    command = [str(folder / "postgres"), "-D", str(home / "data"), *(f"--{setting}" for setting in settings)]
    with open(home / "log", "wb") as log:
        process = subprocess.Popen(command, cwd=home, stdout=log, stderr=log, **_as(user))
    try:
        _wait_until_ready(process, server, home / "log")
        yield
    finally:
        process.send_signal(signal.SIGINT)  # fast shutdown: sessions that are still open are ended
        try:
            process.wait(MAXIMUM_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], server: PostgreSQL, log: Path) -> None:
    deadline = time.monotonic() + MAXIMUM_START
    while True:
        try:
            return server.run("SELECT 1")
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"PostgreSQL did not start: {log.read_text(errors='replace')}") from None
            time.sleep(0.05)


def _other_user() -> pwd.struct_passwd | None:
    """Whom to run as in place of root, who may not; None for an ordinary user."""
    if os.geteuid():
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _as(user: pwd.struct_passwd | None) -> dict[str, Any]:
    """The arguments of `subprocess` for that user."""
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    if binaries() is None:
        pytest.skip("no PostgreSQL here: initdb is missing (Debian: postgresql)")
    with start_postgresql() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server: PostgreSQL) -> Iterator[str]:
    """The address of an empty database."""
    url = postgresql_server.database()
    yield url
    postgresql_server.drop(url)
