"""Whether both trackers of the demo really agree: everything is read from both and compared, ticket by ticket.

Rule of this file: it believes nobody. What it takes from Syncline are the connectors, the pairs, and the value tables
of the mapping; not what the ledger says was agreed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from connectors.contract import Connector, HasComments, Query
from connectors.entity import Comment, Entity, RichText, UserRef, Value, members, normal_text
from flows.runtime import Runtime
from mappings.config import EntityRow, Side


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides as they are now, by the left ids. `differences`: all in which they do not agree, in words."""

    pairs: list[tuple[Entity, Entity]]
    differences: list[str]


async def compare(config: Path, name: str) -> Comparison:
    """Read both sides of an integration connector whole, and compare them."""
    async with Runtime.open(config) as runtime:
        (row,) = runtime.entry(name).config.entities
        connectors = {side: runtime.end(runtime.entry(name), side).connector for side in Side}
        entities = {side: await _everything(connectors[side], row.type(side)) for side in Side}
        talks = {side: await _talks(connectors[side], entities[side]) for side in Side}
        twins = {link.left.ref.id: link.right.ref.id for link in runtime.ledger.links(name)}
    lonely = {Side.LEFT: entities[Side.LEFT].keys() - twins.keys(),
              Side.RIGHT: entities[Side.RIGHT].keys() - set(twins.values())}  # fmt: skip
    found = [f"{side} {id} has no twin" for side in Side for id in sorted(lonely[side])]
    pairs = []
    for left, right in sorted(twins.items(), key=lambda twin: int(twin[0])):
        if left not in entities[Side.LEFT] or right not in entities[Side.RIGHT]:
            found.append(f"left {left} and right {right} are a pair, and one of them is not there")
            continue
        pairs.append((entities[Side.LEFT][left], entities[Side.RIGHT][right]))
        found += _fields(row, *pairs[-1])
        if talks[Side.LEFT][left] != talks[Side.RIGHT][right]:
            found.append(f"left {left} and right {right} differ in their comments")
    return Comparison(pairs, found)


async def _everything(connector: Connector, entity_type: str) -> dict[str, Entity]:
    pages = connector.changes(Query("", entity_type))
    return {entity.ref.id: entity async for page in pages for entity in page.entities}


async def _talks(connector: Connector, entities: Mapping[str, Entity]) -> dict[str, list[tuple[str, str]]]:
    """The comments of each entity, oldest first: author's address and text."""
    assert isinstance(connector, HasComments)
    found = await connector.comments(list(entities.values()))
    return {ref.id: [_told(comment) for comment in comments] for ref, comments in found.items()}


def _told(comment: Comment) -> tuple[str, str]:
    author = comment.author.email if comment.author else None
    return (author or "").casefold(), normal_text(comment.text.canonical)


def _fields(row: EntityRow, left: Entity, right: Entity) -> list[str]:
    found = []
    for field in row.fields:
        assert field.left is not None
        assert field.right is not None
        table = field.values or {}
        ours = {table.get(word, word) for word in _words(left.fields[field.left])}
        theirs = _words(right.fields[field.right])
        if ours != theirs:
            found.append(f"left {left.ref.id} and right {right.ref.id} differ in {field.left}")
    return found


def _words(value: Value) -> set[str]:
    """A value as texts: users by their address, the rest as people see it."""
    return {(one.email or "").casefold() if isinstance(one, UserRef) else _word(one) for one in members(value)}


def _word(value: Value) -> str:
    return normal_text(value.canonical if isinstance(value, RichText) else str(value))
