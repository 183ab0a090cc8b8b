"""The look at all pairs in turn: a slice is due so often within `check_every`, and between nothing is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flows.examine import SLICES
from ledger.model import Cursor, Feed
from mappings.config import Side
from tests.flows.conftest import Make
from tests.flows.world import NAME

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("ago", "read"), [(DAY / SLICES / 2, 0), (DAY / SLICES * 1.5, 0), (DAY / 2, 1), (DAY, 2), (2 * DAY, 2)]
)
async def test_as_many_pairs_are_read_as_are_due(make: Make, ago: timedelta, read: int) -> None:
    """Of two pairs, half a day after the last slice, one is due."""
    world = make(deletes={"check_every": "24h"})
    await world.pair("Boiler leaks")
    await world.pair("Roof leaks")
    feed = Feed(NAME, "default", "ticket=ticket", Side.LEFT, "scrub", "")
    with world.runtime.ledger.begin() as tx:
        tx.save_cursor(feed, Cursor(None, datetime.now(UTC) - ago))
    before = {link.id: link.checked for link in world.links()}
    await world.synced()
    assert sum(link.checked != before[link.id] for link in world.links()) == read
