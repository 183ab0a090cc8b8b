"""Reactions: what a system moves by itself when we write to it, as a message reopens a closed ticket (rule 6).

Rule of this file: a field that moved with our own write is nobody's edit. It is put back, once; what moves again is
for a person to decide. Only where it is certain that no person came between.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from connectors.contract import HasHistory
from connectors.entity import Entity, same
from connectors.errors import EntityError
from flows.job import End
from mappings.translate import Row


async def put_back(
    end: End, rows: Iterable[Row], before: Entity, after: Entity, *, sent: Iterable[str], seen: datetime, alone: bool
) -> tuple[Entity, set[str]]:
    """Put back what moved although nobody sent it; answers the entity as it is then, and the rows that moved again.

    `sent`: names of the fields that were written. `alone`: the system itself saw to it that nobody came between.
    """
    stirred = {
        schema.name: row
        for row in rows
        if (schema := row.fields[end.side]) is not None
        and schema.name not in sent
        and schema.on_update
        and not same(before.fields.get(schema.name), after.fields.get(schema.name))
    }
    if not stirred or not (alone or await _ours(end, after, set(stirred), seen)):
        return after, set()
    wanted = {name: before.fields.get(name) for name in stirred}
    try:
        again = await end.writer.update(after, wanted, expected=after.version)
    except EntityError:
        return after, {row.key for row in stirred.values()}
    return again, {row.key for name, row in stirred.items() if not same(again.fields.get(name), wanted[name])}


async def _ours(end: End, after: Entity, names: set[str], seen: datetime) -> bool:
    """Whether the history says that all of it happened in our own name."""
    if not isinstance(end.connector, HasHistory):
        return False
    us = (await end.info()).user
    since = seen - (end.limits.timestamp_resolution or timedelta(0))
    edits = [edit for edit in await end.connector.history(after, since) if edit.field in names]
    return us is not None and {edit.field for edit in edits} == names and all(edit.by == us for edit in edits)
