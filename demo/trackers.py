"""Private Roundup trackers on loopback, for the demo and for tests.

Rule of this file: a tracker is a folder and one process of its own, and the process never outlives who started it.
The process ends when its standard input closes, which the operating system sees to even after a kill -9 of the parent.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import IO, Any
from urllib.parse import unquote, urlsplit

_HERE = Path(__file__).resolve().parent
_READY_WITHIN = 60.0

# Not for production: few password rounds and no log-in limit make tests quick, mail goes to a file.
_OPTIONS = {
    "tracker_name": "Syncline demo",
    "tracker_web": "http://127.0.0.1:1/",
    "tracker_email": "tracker",
    "admin_email": "admin@example.org",
    "mail_domain": "example.org",
    "mail_host": "localhost",
    "mail_debug": "mail.log",
    "web_enable_rest": "yes",
    "web_api_failed_login_limit": "0",
    "password_pbkdf2_default_rounds": "1000",
}


class Tracker:
    """A running tracker. Ends with `stop()` or its `with` block."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], url: str, admin: str, password: str) -> None:
        self.folder = folder
        self.url = url
        self.admin = admin
        self.password = password
        self._process = process

    def __repr__(self) -> str:
        return f"Tracker({self.url!r}, folder={str(self.folder)!r})"

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """End the server's process. Can be called again."""
        _end(self._process)

    def restart(self) -> None:
        """Serve again from the same port: for changes of its schema or configuration, and as an outage in tests."""
        self.stop()
        self._process, self.url = _launch(self.folder, urlsplit(self.url).port or 0)

    def rest(self, method: str, path: str, body: dict[str, Any] | None = None, *, as_user: str = "") -> Any:
        """One call of the tracker's REST API, as the administrator or as `name:password`; answers its `data`."""
        who = base64.b64encode((as_user or f"{self.admin}:{self.password}").encode()).decode()
        headers = {
            "Authorization": f"Basic {who}",
            "Content-Type": "application/json",
            "X-Requested-With": "rest",
            "Origin": self.url.rstrip("/"),
            "Referer": self.url,
        }
        if method in ("PUT", "PATCH", "DELETE"):
            headers["If-Match"] = self.rest("GET", path, as_user=as_user)["@etag"]
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}rest/data/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def add(self, class_name: str, **values: Any) -> str:
        """Create a node of any class (`keyword`, `status`, `issue` …); answers its id."""
        return str(self.rest("POST", class_name, values)["id"])

    def change(self, class_name: str, id: str, **values: Any) -> None:
        """Set these properties of a node."""
        self.rest("PUT", f"{class_name}/{id}", values)

    def add_user(
        self, username: str, realname: str, address: str, password: str = "secret", roles: str = "User", **more: str
    ) -> str:
        """Create a user; answers the id."""
        hashed = f"{{plaintext}}{password}"  # Roundup stores what it is given; it is hashed at the first log-in.
        return self.add(
            "user", username=username, realname=realname, address=address, password=hashed, roles=roles, **more
        )


def prepare_tracker(folder: Path, template: str, *, admin_password: str) -> None:
    """Install and initialise a tracker in `folder` (which must not exist or be empty) without starting it.

    `template`: `classic`, `devel`, … or the folder of a template. Takes about a second; copies are cheaper.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    options = ",".join(f"{key}={value}" for key, value in _OPTIONS.items() if " " not in value)
    _roundup_admin(folder, "install", template, "sqlite", options)
    _roundup_admin(folder, "initialise", admin_password)


def start_tracker(
    folder: Path,
    template: str,
    *,
    admin_password: str,
    port: int | None = None,
    prepared: Path | None = None,
    detectors: Sequence[Path] = (),
) -> Tracker:
    """Start the tracker in `folder`, made first where there is none; answers when it serves requests.

    `prepared`: a folder of `prepare_tracker` (same template and password) to copy instead of installing anew.
    `detectors`: Python files that are put among the tracker's own. `port`: None takes a free one.
    Raises RuntimeError with the server's last words if it does not come up.
    """
    folder = folder.resolve()
    if not (folder / "config.ini").exists():
        if prepared is None:
            prepare_tracker(folder, template, admin_password=admin_password)
        else:
            shutil.copytree(prepared, folder, dirs_exist_ok=True)
    for detector in detectors:
        shutil.copy(detector, folder / "detectors")
    process, url = _launch(folder, port or 0)
    return Tracker(folder, process, url, "admin", admin_password)


def _launch(folder: Path, port: int) -> tuple[subprocess.Popen[bytes], str]:
    """A serving process and its address."""
    log = folder / "server.log"
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo.trackers", "serve", str(folder), "--port", str(port)],
            cwd=_HERE.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    url = _first_line(process, _READY_WITHIN)
    if not url:
        _end(process)
        raise RuntimeError(f"the tracker in {folder} did not start: {log.read_text(errors='replace')[-2000:]}")
    return process, url


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def serve(folder: Path, port: int, alive: IO[bytes], ready: Callable[[str], None]) -> None:
    """Serve the tracker until `alive` reaches its end; `ready` is told the address once requests are accepted."""
    from roundup.cgi.wsgi_handler import RequestDispatcher  # type: ignore[import-untyped]

    with _Server(("127.0.0.1", port), _Handler) as server:
        url = f"http://127.0.0.1:{server.server_port}/"
        _write_address(folder, url)
        server.application = RequestDispatcher(str(folder))
        threading.Thread(target=_end_with, args=(alive,), daemon=True).start()
        ready(url)
        server.serve_forever()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    application: Callable[..., Iterable[bytes]]


class _Handler(BaseHTTPRequestHandler):
    """WSGI over HTTP/1.1 with kept-alive connections; the standard library's own speaks HTTP/1.0 alone."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet per answer
    timeout = 120
    server: _Server

    def answer(self) -> None:
        status = ""
        headers: list[tuple[str, str]] = []
        body = io.BytesIO()

        def start_response(line: str, fields: list[tuple[str, str]], exc_info: object = None) -> Callable[..., Any]:
            nonlocal status
            del exc_info
            status = line
            headers[:] = fields
            return body.write

        for chunk in self.server.application(self._environ(), start_response):
            body.write(chunk)
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        bodiless = code in ("204", "304") or self.command == "HEAD"
        ours = {"connection", "date", "server"} | (set() if bodiless else {"content-length"})
        for name, value in headers:
            if name.lower() not in ours:
                self.send_header(name, value)
        if not bodiless:
            self.send_header("Content-Length", str(body.getbuffer().nbytes))
        self.end_headers()
        if not bodiless:
            self.wfile.write(body.getbuffer())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = answer  # noqa: N815

    def _environ(self) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        environ = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            # Read whole, so that the next request on this connection starts where it should.
            "wsgi.input": io.BytesIO(self.rfile.read(length)),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            environ.setdefault(f"HTTP_{name.upper().replace('-', '_')}", value)
        return environ

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not worth a line each; errors reach the log through standard error."""


def _roundup_admin(folder: Path, *words: str) -> None:
    command = [sys.executable, "-m", "roundup.scripts.roundup_admin", "-i", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=120)
    if done.returncode:
        raise RuntimeError(f"roundup-admin {words[0]} failed: {(done.stderr or done.stdout)[-2000:]}")


def _write_address(folder: Path, url: str) -> None:
    """Roundup checks Origin and Referer of writes against the address in its configuration."""
    path = folder / "config.ini"
    path.write_text(re.sub(r"(?m)^(\[tracker\][^\[]*?^web = ).*$", rf"\g<1>{url}", path.read_text(), count=1))


def _first_line(process: subprocess.Popen[bytes], seconds: float) -> str:
    """The first line that the process prints, "" if it ends or says nothing in time."""
    assert process.stdout is not None
    stuck = threading.Timer(seconds, process.kill)
    stuck.start()
    try:
        return process.stdout.readline().decode().strip()
    finally:
        stuck.cancel()


def _end_with(alive: IO[bytes]) -> None:
    while alive.read(1):
        pass
    os._exit(0)


def main() -> None:
    """`python -m demo.trackers serve FOLDER [--port N]`: serve a tracker until standard input closes."""
    parser = argparse.ArgumentParser(prog="demo.trackers", description=main.__doc__)
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    serve(given.folder, given.port, sys.stdin.buffer, lambda url: print(url, flush=True))


if __name__ == "__main__":
    main()
