"""A private Prefect server on loopback, one per test session, started and stopped as the daemon does it.

Import `prefect_server` into a conftest. `with settings(server):` gives the code inside this server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.settings import temporary_settings

from flows import prefect_server as servers
from flows.prefect_server import PrefectServer
from flows.settings import worker_settings

PATIENCE = 60.0


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    server = asyncio.run(servers.start(tmp_path_factory.mktemp("prefect")))
    yield server
    server.stop()


def settings(server: PrefectServer) -> AbstractContextManager[object]:
    """Prefect's settings as the daemon has them."""
    return temporary_settings(worker_settings(server.url, server.home))


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is so; fails after a minute."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if await true():
                return
            await asyncio.sleep(0.2)


async def ended(client: PrefectClient, run: FlowRun) -> FlowRun:
    """The run once it has ended."""

    async def final() -> bool:
        state = (await client.read_flow_run(run.id)).state
        return state is not None and state.is_final()

    await until(final)
    return await client.read_flow_run(run.id)
