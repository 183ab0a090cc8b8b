"""Worlds with a web side, each closed with its test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.console.web.served import Served
from tests.flows.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Two systems in memory, every field of a ticket both ways."""
    made = World(tmp_path)
    yield made
    await made.close()


@pytest.fixture
async def served(world: World) -> AsyncIterator[Served]:
    """The web side of `world`."""
    made = Served(world.runtime)
    yield made
    await made.close()


@pytest.fixture
async def admin(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """Sends the administrator's token."""
    async with served.client() as client:
        yield client
