"""Linked pairs in great number, put into the ledger in bulk as a first load leaves them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice

from bench.connector import TICKET, fields_of
from bench.server import specimen
from bench.stage import NAME
from connectors.entity import EntityRef
from flows.runtime import Runtime
from ledger.model import End, Link
from mappings.check_rows import inline_table
from mappings.config import EntityRow, Side
from mappings.merge import RowState
from mappings.plan import fingerprints, mapping_version

AT_ONCE = 1000


def link_all(runtime: Runtime, links: Iterable[Link]) -> None:
    """Put links into the ledger, a thousand with each commit."""
    lease = runtime.ledger.acquire(NAME, "bench", 600.0)
    assert lease is not None
    pairs = iter(links)
    while chunk := list(islice(pairs, AT_ONCE)):
        with runtime.ledger.begin(lease) as tx:
            tx.save_links(chunk)
    runtime.ledger.release(lease)


def pairs_of(runtime: Runtime, links: int) -> Iterator[Link]:
    """Every ticket of the left with the one of the same number on the right, 1 to `links`."""
    entry = runtime.entry(NAME)
    row, target = entry.config.entities[0], entry.config.each_target()[0].name
    systems = {side: runtime.end(entry, side).config.identity() for side in Side}
    told = fingerprints(row, inline_table)
    version, now = mapping_version(told), datetime.now(UTC)
    for number in range(1, links + 1):
        ref = EntityRef("", TICKET.type, str(number))
        left, right = (
            End(systems[side], f"{ref.type}/{ref.id}", ref, None, f"#{number}", "1", now, now, touched=False)
            for side in Side
        )
        yield Link(0, NAME, target, row.key, left, right, _states(row, told, number), mapping=version, checked=now)


def _states(row: EntityRow, told: dict[str, str], number: int) -> dict[str, RowState]:
    values = fields_of(specimen(number))
    return {
        field.key: RowState(values[field.left or ""], values[field.right or ""], fingerprint=told[field.key])
        for field in row.fields
    }
