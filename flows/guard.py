"""The one guard in front of every connector: who may be written, and how often they were asked.

Rule of this file: no write reaches a system but through `Writer`, so permitted synchronization (SPEC A6) never depends
on the good will of a connector or of the planner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.contract import Archives, Connector, Deletes, HasComments, WritesInBulk
from connectors.entity import Comment, Entity, Fields
from connectors.errors import DirectionNotPermitted, Rejected
from mappings.config import Side


class Writer:
    """The writes of one side of one target. Raises DirectionNotPermitted before anything is sent.

    `refused` is told of every refusal, for the audit log.
    """

    def __init__(
        self, connector: Connector, side: Side, permitted: frozenset[Side], refused: Callable[[str], None]
    ) -> None:
        self._connector, self._side, self._permitted, self._refused = connector, side, permitted, refused

    def _permit(self, what: str) -> None:
        if self._side not in self._permitted:
            self._refused(what)
            raise DirectionNotPermitted(f"permitted synchronization refuses to {what} on the {self._side} side")

    async def create(self, scope: str, entity_type: str, fields: Fields, *, marker: str | None) -> Entity:
        self._permit("create")
        return await self._connector.create(scope, entity_type, fields, marker=marker)

    async def create_many(
        self, scope: str, entity_type: str, rows: Sequence[tuple[Fields, str | None]]
    ) -> Sequence[Entity | Exception]:
        self._permit("create")
        if not isinstance(self._connector, WritesInBulk):
            raise Rejected(f"{self._connector.kind} does not create in bulk")
        return await self._connector.create_many(scope, entity_type, rows)

    async def update(self, entity: Entity, fields: Fields, *, expected: str | None) -> Entity:
        self._permit("update")
        return await self._connector.update(entity, fields, expected=expected)

    async def delete(self, entity: Entity) -> None:
        self._permit("delete")
        if not isinstance(self._connector, Deletes):
            raise Rejected(f"{self._connector.kind} cannot delete", ref=entity.ref)
        await self._connector.delete(entity)

    async def archive(self, entity: Entity) -> None:
        self._permit("archive")
        if not isinstance(self._connector, Archives):
            raise Rejected(f"{self._connector.kind} cannot archive", ref=entity.ref)
        await self._connector.archive(entity)

    async def add_comment(self, entity: Entity, comment: Comment) -> tuple[Comment, Entity]:
        return await self._commenting("comment", entity).add_comment(entity, comment)

    async def edit_comment(self, entity: Entity, comment: Comment) -> tuple[Comment, Entity]:
        return await self._commenting("edit a comment", entity).edit_comment(entity, comment)

    async def delete_comment(self, entity: Entity, comment_id: str) -> Entity:
        return await self._commenting("delete a comment", entity).delete_comment(entity, comment_id)

    def _commenting(self, what: str, entity: Entity) -> HasComments:
        self._permit(what)
        if not isinstance(self._connector, HasComments):
            raise Rejected(f"{self._connector.kind} has no comments", ref=entity.ref)
        return self._connector
