"""The ends of a link: what was last seen of each side, and whether somebody else than us was there."""

from __future__ import annotations

from dataclasses import replace

from connectors.entity import Entity
from flows.actions import Pair
from flows.job import End
from ledger.model import End as LinkEnd
from ledger.model import Link
from mappings.config import Side

GONE = "(gone)"
"""Version of a link's end whose entity no longer exists, where the policy lets the twin stay."""


def touched(link: Link, side: Side, entity: Entity) -> bool:
    """Whether somebody else than us has written to this side, as far as its versions tell."""
    end = link.end(side)
    return end.touched or (bool(end.version) and end.version != entity.version)


def touched_end(end: End, pair: Pair, link: Link, side: Side) -> Link:
    """The link with this side's version as just read; unchanged where the side was not read."""
    entity = pair.entity(side)
    if entity is None:
        return link
    by_others = touched(link, side, entity)
    return with_end(link, side, end.link_end(entity, seen=pair.seen[side], touched=by_others))


def with_end(link: Link, side: Side, end: LinkEnd) -> Link:
    """The link with another end on that side."""
    return replace(link, left=end) if side is Side.LEFT else replace(link, right=end)


def unsettled(link: Link) -> Link:
    """The link with both versions forgotten: both sides are looked at again."""
    return replace(link, left=replace(link.left, version=""), right=replace(link.right, version=""))
