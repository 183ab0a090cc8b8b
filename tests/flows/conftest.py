"""Worlds for the tests of the engine; each is closed with its test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.flows.world import World

Make = Callable[..., World]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Make worlds: `make(row={…}, permitted_synchronization=…)`."""
    worlds: list[World] = []

    def build(**given: Any) -> World:
        folder = tmp_path / str(len(worlds))
        folder.mkdir()
        worlds.append(World(folder, **given))
        return worlds[-1]

    yield build
    for world in worlds:
        await world.close()


@pytest.fixture
def world(make: Make) -> World:
    """Every field of a ticket, both ways."""
    return make()
