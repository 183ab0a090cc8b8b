"""Links and their comment links: which left entity is which right entity.

Rule of this file: an entity has at most one link per connector, and no question costs a query per entity.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from ledger import codec, tables
from ledger.access import CHUNK, Reader, Writer, chunks
from ledger.errors import LedgerError
from ledger.model import CommentLink, Link, LinkState
from mappings.config import Side

_links = tables.links.c
_comments = tables.comment_links.c


class LinkReader(Reader):
    def link(self, id: int) -> Link | None:
        """One link, None where there is none of that id."""
        row = self._first(select(tables.links).where(_links.id == id))
        return codec.link_from(row) if row else None

    def links_of(
        self, connector: str, side: Side, idents: Collection[str], *, system: str | None = None
    ) -> dict[str, Link]:
        """The connector's links of these entities of one side, by ident. Entities without a link are left out.

        `system`: the identity of the side's system; needed where the connector was once set to another one.
        """
        statement = select(tables.links).where(_links.connector == connector)
        if system is not None:
            statement = statement.where(_links[f"{side}_system"] == system)
        rows = self._all_of(statement, _links[f"{side}_ident"], idents)
        return {link.end(side).ident: link for link in map(codec.link_from, rows)}

    def linked_elsewhere(self, system: str, idents: Collection[str], *, connector: str = "") -> list[Link]:
        """All connectors' links of these entities of a system, on whichever side; `connector` is left out."""
        found: dict[int, Link] = {}
        for chunk in chunks(idents):
            for side in Side:
                at_this_end = (_links[f"{side}_ident"].in_(chunk), _links[f"{side}_system"] == system)
                rows = self._all(select(tables.links).where(*at_this_end, _links.connector != connector))
                found |= {row.id: codec.link_from(row) for row in rows}
        return list(found.values())

    def idents_linked(self, connector: str, side: Side, target: str | None = None) -> set[str]:
        """Every ident of that side that the connector (or one target of it) has a link for."""
        statement = select(_links[f"{side}_ident"]).where(*_of(connector, target))
        return {ident for (ident,) in self._all(statement)}

    def links(
        self,
        connector: str | None = None,
        *,
        target: str | None = None,
        state: LinkState | None = None,
        row: str | None = None,
        ids: Collection[int] | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> list[Link]:
        """Links by ascending id. For very many, page: `after` the last id seen, or use `each_link`."""
        where = [*_of(connector, target), _links.id > after]
        if state is not None:
            where.append(_links.state == str(state))
        if row is not None:
            where.append(_links.entity_row == row)
        statement = select(tables.links).where(*where).order_by(_links.id)
        rows = self._all_of(statement.limit(limit), _links.id, ids)
        return [codec.link_from(found) for found in rows[:limit]]

    def each_link(self, connector: str | None = None, **which: Any) -> Iterator[Link]:
        """Like `links`, one after the other, in the memory of a page."""
        last = 0
        while page := self.links(connector, after=last, limit=CHUNK, **which):
            yield from page
            last = page[-1].id

    def links_due(self, connector: str, target: str, *, limit: int) -> list[Link]:
        """The links whose last whole comparison is the longest ago, never compared ones first."""
        due = select(tables.links).where(*_of(connector, target))
        # Two questions, because the databases disagree on where NULL sorts, and an index must answer both.
        never = self._links(due.where(_links.checked.is_(None)).limit(limit))
        once = due.where(_links.checked.is_not(None)).order_by(_links.checked)
        return never + self._links(once.limit(limit - len(never)))

    def links_outdated(
        self, connector: str, target: str, row: str, mapping: str, *, after: int = 0, limit: int
    ) -> list[Link]:
        """Links of an entity row that were last merged under another version of the mapping, by ascending id."""
        where = (*_of(connector, target), _links.entity_row == row)
        # The two ends of the index tell at once that none is outdated, among a million links too.
        first, last = (select(end(_links.mapping)).where(*where).scalar_subquery() for end in (func.min, func.max))
        found = self._first(select(first.label("first"), last.label("last")))
        if found is None or {found.first, found.last} <= {mapping, None}:
            return []
        outdated = select(tables.links).where(*where, _links.mapping != mapping, _links.id > after)
        return self._links(outdated.order_by(_links.id).limit(limit))

    def count_links(self, connector: str, target: str | None = None, *, state: LinkState | None = None) -> int:
        """How many links there are. Of one state it costs what those cost, else what all of them do."""
        of_state = [] if state is None else [_links.state == str(state)]
        found = self._first(select(func.count().label("links")).where(*_of(connector, target), *of_state))
        return int(found.links) if found else 0

    def counts(self, connector: str, target: str | None = None) -> dict[LinkState, int]:
        """How many links are in each state; every state is there."""
        statement = select(_links.state, func.count()).where(*_of(connector, target)).group_by(_links.state)
        return dict.fromkeys(LinkState, 0) | {LinkState(state): count for state, count in self._all(statement)}

    def comment_links(self, link_ids: Collection[int]) -> dict[int, list[CommentLink]]:
        """The comment links of each of these links; a link without comments has an empty list."""
        found: dict[int, list[CommentLink]] = {id: [] for id in link_ids}
        for chunk in chunks(link_ids):
            statement = select(tables.comment_links).where(_comments.link.in_(chunk))
            for row in self._all(statement.order_by(_comments.link, _comments.created, _comments.left_id)):
                found[row.link].append(codec.comment_from(row))
        return found

    def _links(self, statement: Select[Any]) -> list[Link]:
        return [codec.link_from(row) for row in self._all(statement)]


class LinkWriter(LinkReader, Writer):
    def save_links(self, links: list[Link]) -> list[Link]:
        """Insert those with id 0, update the others; all of them, with their ids, in the given order.

        Raises LedgerError, naming both links, if an entity would have two links of one connector.
        """
        try:
            with self._connection.begin_nested():
                return self._save(tables.links, links, codec.link_row)
        except IntegrityError:
            if twins := self._second_link(links):
                raise LedgerError(f"{twins}. Nothing of this transaction was written") from None
            raise

    def remove_links(self, ids: Collection[int]) -> None:
        """Forget links, with their comment links; their open conflicts are closed as `agreed`."""
        for chunk in chunks(ids):
            self._run(delete(tables.comment_links).where(_comments.link.in_(chunk)))
            open_ones = and_(tables.conflicts.c.link.in_(chunk), tables.conflicts.c.state == "open")
            self._run(update(tables.conflicts).where(open_ones).values(state="agreed"))
        self._delete(tables.links, ids)

    def set_checked(self, ids: Collection[int], at: datetime, agrees: bool) -> None:
        """Both sides of these links were compared whole at that moment, and that is what it said."""
        for chunk in chunks(ids):
            self._run(update(tables.links).where(_links.id.in_(chunk)).values(checked=at, agrees=agrees))

    def save_comment_links(self, comments: list[CommentLink]) -> None:
        """Insert, or update those with the same link and left id."""
        self._put(tables.comment_links, [codec.comment_row(comment) for comment in comments])

    def drop_comment_links(self, link: int, side: Side, ids: Collection[str]) -> None:
        """Forget comment links by the comments' ids on one side."""
        for chunk in chunks(ids):
            self._run(delete(tables.comment_links).where(_comments.link == link, _comments[f"{side}_id"].in_(chunk)))

    def _second_link(self, links: list[Link]) -> str | None:
        """Which two links claim the same entity, in words; None if no two do."""
        for side in Side:
            claimed: dict[tuple[str, str, str], Link] = {}
            for link in (*self._others(side, links), *links):
                end = link.end(side)
                other = claimed.setdefault((link.connector, end.system, end.ident), link)
                if other is not link:
                    twins = f"{_words(other)}, and {_words(link)}"
                    return f"The {side} {end.ref} of {link.connector} would have two twins: {twins}"
        return None

    def _others(self, side: Side, links: list[Link]) -> Iterator[Link]:
        """The links in the ledger that have the same entities on that side, these links themselves left out."""
        own = {link.id for link in links}
        for connector, system in {(link.connector, link.end(side).system) for link in links}:
            idents = [link.end(side).ident for link in links if link.connector == connector]
            there = self.links_of(connector, side, idents, system=system)
            yield from (link for link in there.values() if link.id not in own)


def _of(connector: str | None, target: str | None) -> list[ColumnElement[bool]]:
    where = [] if connector is None else [_links.connector == connector]
    return where if target is None else [*where, _links.target == target]


def _words(link: Link) -> str:
    return f"link {link.id or '(new)'} of left {link.left.ref} with right {link.right.ref}"
