"""A private Redmine on loopback. Rule: nothing of it outlives its `with`, but the prepared copy in the temp folder.

Debian's packages `redmine redmine-sqlite puma` bring the code. A copy of it, migrated and with default data, is made
once (some 30 s); every server starts from a copy of that copy (some 5 s). Works as root and as an ordinary user.
Without pytest: `with start_redmine(folder) as server: …`.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

DEBIAN = Path("/usr/share/redmine")
ADMIN_KEY = "0123456789abcdef0123456789abcdef01234567"
MAXIMUM_START = 120.0
_numbers = itertools.count(1)

DATABASE = """\
production:
  adapter: sqlite3
  database: db/redmine.sqlite3
  timeout: 20000
"""

# What REST cannot do: switch itself on, keys of our choice, fields that people define.
PREPARE = f"""
Setting.rest_api_enabled = '1'
Setting.login_required = '0'
admin = User.find_by(login: 'admin')
admin.update!(must_change_passwd: false, firstname: 'Ada', lastname: 'Admin', mail: 'admin@example.com')
Token.create!(user: admin, action: 'api').update_column(:value, '{ADMIN_KEY}')
def custom(name, format, more = {{}})
  IssueCustomField.create!({{name: name, field_format: format, is_for_all: true, tracker_ids: Tracker.pluck(:id),
                            is_filter: true}}.merge(more))
end
custom('Remote Id', 'string')
custom('Severity', 'list', possible_values: %w[Minor Major Critical])
custom('Platforms', 'list', possible_values: %w[Linux Windows macOS], multiple: true)
custom('Found on', 'date')
custom('Effort', 'float')
custom('Customers', 'int')
custom('Billable', 'bool')
custom('Reviewer', 'user')
custom('Notes for support', 'text', text_formatting: 'full')
custom('Homepage', 'link')
"""


def missing() -> str | None:
    """Why there can be no Redmine on this machine, or None."""
    wanted = [str(DEBIAN / "Gemfile"), *(f"/usr/bin/{name}" for name in ("bundle", "ruby", "puma"))]
    absent = [path for path in wanted if not Path(path).exists()]
    return f"no Redmine here: {', '.join(absent)} missing (Debian: redmine redmine-sqlite puma)" if absent else None


@dataclass(frozen=True)
class Account:
    """A user of the private Redmine, with a key for the REST API."""

    id: str
    login: str
    mail: str
    password: str
    api_key: str


@dataclass(frozen=True)
class Server:
    """A running private Redmine. `api_key` is the administrator's; times are UTC."""

    url: str
    folder: Path
    api_key: str = ADMIN_KEY

    def call(self, method: str, path: str, json: Any = None, *, key: str | None = None) -> Any:
        """One REST call as the administrator, or as the owner of `key`. Fails loudly on every status from 400 on."""
        headers = {"X-Redmine-API-Key": key or self.api_key}
        answer = httpx.request(method, self.url + path, json=json, headers=headers, timeout=60, trust_env=False)
        if answer.status_code >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content.strip() else None

    def project(self, identifier: str | None = None, **more: Any) -> str:
        """A new project with every default tracker; answers its identifier."""
        identifier = identifier or f"p{next(_numbers)}-{os.getpid()}"
        trackers = [tracker["id"] for tracker in self.call("GET", "/trackers.json")["trackers"]]
        project = {"name": identifier.title(), "identifier": identifier, "tracker_ids": trackers, **more}
        self.call("POST", "/projects.json", {"project": project})
        return identifier

    def user(self, login: str | None = None, *, member_of: str | None = None, role: str = "Manager") -> Account:
        """A new active user, member of a project if one is named."""
        login = login or f"user{next(_numbers)}-{os.getpid()}"
        user = {
            "login": login,
            "firstname": login.title(),
            "lastname": "Example",
            "mail": f"{login}@example.com",
            "password": f"{login}-password",
        }
        number = self.call("POST", "/users.json", {"user": user})["user"]["id"]
        key = self.call("GET", f"/users/{number}.json")["user"]["api_key"]
        if member_of:
            self.join(member_of, number, role)
        return Account(str(number), login, user["mail"], user["password"], key)

    def join(self, project: str, user: str | int, role: str = "Manager") -> None:
        """Make the user a member of the project."""
        roles = {entry["name"]: entry["id"] for entry in self.call("GET", "/roles.json")["roles"]}
        membership = {"user_id": int(user), "role_ids": [roles[role]]}
        self.call("POST", f"/projects/{project}/memberships.json", {"membership": membership})

    def issue(self, project: str, subject: str = "A fault", *, key: str | None = None, **more: Any) -> dict[str, Any]:
        """A new issue, as Redmine answers it."""
        body = {"issue": {"project_id": project, "subject": subject, **more}}
        created: dict[str, Any] = self.call("POST", "/issues.json", body, key=key)["issue"]
        return created

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """One statement on the database itself: for what REST cannot do (moments, settings that are not cached)."""
        with closing(sqlite3.connect(self.folder / "db/redmine.sqlite3", timeout=20)) as database, database:
            return database.execute(statement, values).fetchall()


@contextmanager
def start_redmine(folder: Path, port: int | None = None) -> Iterator[Server]:
    """A Redmine of its own in `folder` (made if absent; kept data is used again), stopped at the end."""
    if not (folder / "config.ru").exists():
        shutil.copytree(_prepared(), folder, dirs_exist_ok=True)
    port = port or _free_port()
    command = ["puma", "-e", "production", "-t", "8:16", "-b", f"tcp://127.0.0.1:{port}", "config.ru"]
    with (folder / "puma.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=_environment(folder), stdout=log, stderr=log)
    try:
        server = Server(f"http://127.0.0.1:{port}", folder)
        _wait_until_ready(server, process)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def redmine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One private Redmine for the whole session. Use it together with `pytestmark = REDMINE`."""
    if why := missing():
        pytest.skip(why)
    with start_redmine(tmp_path_factory.mktemp("redmine")) as server:
        yield server


@pytest.fixture
def redmine_project(redmine: Server) -> str:
    """The identifier of a fresh project."""
    return redmine.project()


REDMINE = [pytest.mark.xdist_group("redmine"), pytest.mark.skipif(missing() is not None, reason=missing() or "")]
"""Marks of every test that needs Redmine: one server, one process."""


def _prepared() -> Path:
    """The folder of the prepared copy; made by whoever comes first, anew when this file or Debian's package changes."""
    changed = f"{Path(__file__).read_text()}{(DEBIAN / 'Gemfile').stat().st_mtime_ns}"
    home = Path(tempfile.gettempdir()) / f"syncline-redmine-{os.getuid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    if home.stat().st_uid != os.getuid():
        raise RuntimeError(f"{home} belongs to somebody else")
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        copy = home / hashlib.sha256(changed.encode()).hexdigest()[:12]
        if not copy.exists():
            for old in home.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
            draft = home / "draft"
            _prepare(draft)
            draft.rename(copy)
    return copy


def _prepare(folder: Path) -> None:
    ignored = shutil.ignore_patterns("instances", "database.yml", "Gemfile.lock", "extra")
    shutil.copytree(DEBIAN, folder, ignore=ignored, ignore_dangling_symlinks=True)
    for name in ("config", "tmp", "log", "files"):
        (folder / "instances/default" / name).mkdir(parents=True)
    gemfile = folder / "Gemfile"
    gemfile.write_text(gemfile.read_text().replace("'/usr/share/redmine/", "__dir__ + '/"))
    (folder / "Gemfile.local").write_text("gem 'puma'\n")
    (folder / "instances/default/config/database.yml").write_text(DATABASE)
    (folder / "instances/default/config/secret_key.txt").write_text("only for tests " * 8)
    # One request at a time, on many connections: SQLite refuses the second of two transactions as locked.
    (folder / "config/additional_environment.rb").write_text(
        "config.log_level = :warn\nconfig.allow_concurrency = false\n"
    )
    _run(folder, "bundle", "install", "--local", "--quiet")
    _run(folder, "bundle", "exec", "rake", "db:migrate")
    _run(folder, "bundle", "exec", "rake", "redmine:load_default_data", REDMINE_LANG="en")
    _run(folder, "bundle", "exec", "rails", "runner", PREPARE)
    with closing(sqlite3.connect(folder / "db/redmine.sqlite3")) as database:
        database.execute("PRAGMA journal_mode=WAL")


def _run(folder: Path, *command: str, **more: str) -> None:
    done = subprocess.run(
        command, cwd=folder, env={**_environment(folder), **more}, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)[:80]} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "RAILS_ENV": "production",
        "SCHEMA": "/dev/null",  # db:migrate would dump it
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + MAXIMUM_START
    while time.monotonic() < end and process.poll() is None:
        try:
            server.call("GET", "/users/current.json")
            return
        except (httpx.HTTPError, RuntimeError):
            time.sleep(0.2)
    raise RuntimeError(f"Redmine did not start:\n{(server.folder / 'puma.log').read_text()[-4000:]}")
