"""Serves the web side inside the daemon's process, on its main event loop.

Rule of this file: the socket is bound before anything is promised, signals stay the daemon's, and the daemon ends the
server, never the other way round.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from connectors.errors import ConfigurationError
from console.app import create_app
from console.auth import Tokens
from console.service import Service
from flows.home import state_folder
from flows.runtime import Runtime

log = logging.getLogger("syncline.console")

PATIENCE = 5
"""Seconds that requests under way get when the daemon ends."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the console listens. `certificate` and `key`: PEM files for TLS. `without_token`: Egeria's paths alone."""

    host: str = "127.0.0.1"
    port: int = 9400
    certificate: Path | None = None
    key: Path | None = None
    without_token: bool = False

    def __post_init__(self) -> None:
        if self.without_token and not is_loopback(self.host):
            raise ConfigurationError(
                f"--open-metadata-without-token would let anybody who reaches {self.host} configure this daemon",
                remedy="Use it with --host 127.0.0.1 only.",
            )
        if self.key is not None and self.certificate is None:
            raise ConfigurationError("--tls-key is given without --tls-certificate", remedy="Give both.")

    @property
    def scheme(self) -> str:
        return "https" if self.certificate else "http"


def console(place: Place, server_name: str = "syncline") -> Callable[[Runtime], AbstractAsyncContextManager[str]]:
    """What the daemon enters to have a console: `Daemon(…, console=console(place))`."""

    @asynccontextmanager
    async def serve(runtime: Runtime) -> AsyncIterator[str]:
        tokens = Tokens.load(state_folder(runtime.config))
        if tokens.made:
            log.info("The administrator's token for console and REST API is in %s.", tokens.made)
        if not is_loopback(place.host) and place.scheme == "http":
            log.warning("Tokens travel in the clear on %s: give --tls-certificate, or put a TLS proxy in front.",
                        place.host)  # fmt: skip
        service = Service(runtime, server_name=server_name)
        with _bound(place) as listening:
            app = create_app(service, tokens, without_token=place.without_token, secure=place.scheme == "https")
            async with _serving(place, app, listening):
                try:
                    yield _url(place, listening.getsockname()[1])
                finally:
                    await service.close()

    return serve


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: SIGTERM is the daemon's. `ready` is set when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _serving(place: Place, app: object, listening: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=PATIENCE,
        ssl_certfile=place.certificate,
        ssl_keyfile=place.key,
    )
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(f"The TLS certificate cannot be used: {error}", remedy="Give PEM files.") from error
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await server.ready.wait()
        yield
    finally:
        server.should_exit = True
        await task


@contextmanager
def _bound(place: Place) -> Iterator[socket.socket]:
    """The listening socket. Raises ConfigurationError where the address cannot be had."""
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((place.host, place.port))
        except OSError as error:
            raise ConfigurationError(
                f"The console cannot listen on {place.host}:{place.port}: {error.strerror}",
                remedy="Give another --port, or another --host.",
            ) from error
        yield listening


def _url(place: Place, port: int) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(place.host, place.host)
    return f"{place.scheme}://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
