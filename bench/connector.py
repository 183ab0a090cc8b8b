"""The connector of the tracker in server.py, as anybody would write one: it keeps the contract and knows no tricks.

Pages come ahead (connectors.paging), as many at a time as the system's budget allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

from pydantic import Field

from bench.server import LABELS, PRIORITIES, STATUSES
from connectors.contract import Limits, Query, SystemConfig, SystemInfo
from connectors.entity import Choice, Entity, EntityRef, Fields, Gone, Page, RichText, Value
from connectors.errors import Changed, ConfigurationError, EntityError, Forbidden, Rejected
from connectors.paging import ByModified, Listed, Seen, pages_ahead
from connectors.rest import Http
from connectors.schema import EntitySchema, FieldSchema, FieldType

TICKET = EntitySchema.of(
    "ticket",
    FieldSchema("title", FieldType.TEXT, "Title", required=True),
    FieldSchema("description", FieldType.RICH_TEXT, "Description"),
    FieldSchema("status", FieldType.CHOICE, "Status", choices=tuple(map(Choice, STATUSES))),
    FieldSchema("priority", FieldType.CHOICE, "Priority", choices=tuple(map(Choice, PRIORITIES))),
    FieldSchema("labels", FieldType.CHOICE, "Labels", multiple=True, choices=tuple(map(Choice, LABELS))),
    FieldSchema("points", FieldType.NUMBER, "Points"),
    FieldSchema("due", FieldType.DATE, "Due"),
)


class BenchConfig(SystemConfig):
    """Nothing but the address."""

    kind: str = Field("bench.connector.BenchConnector", description="The tracker of the benchmarks.")


class BenchConnector:
    kind: ClassVar[str] = "bench.connector.BenchConnector"
    Config: ClassVar[type[SystemConfig]] = BenchConfig
    limits: Limits = Limits(timestamp_resolution=timedelta(microseconds=1), conditional_writes=True)

    def __init__(self, config: BenchConfig, http: Http) -> None:
        self.config, self.http = config, http

    @property
    def requests(self) -> int:
        return self.http.requests

    async def close(self) -> None:
        await self.http.aclose()

    async def check(self) -> SystemInfo:
        try:
            await self._listed({"limit": 0})
        except EntityError as error:  # nothing is asked about one ticket here: the address is wrong
            raise ConfigurationError(f"{self.config.url} is not the tracker of the benchmarks") from error
        return SystemInfo("bench", clock_offset=self.http.clock_offset)

    async def schema(self, scope: str, entity_type: str) -> EntitySchema:  # noqa: ARG002  (there are no projects)
        if entity_type != TICKET.type:
            raise ConfigurationError(f"There is no entity type {entity_type!r}; there is {TICKET.type!r}")
        return TICKET

    async def changes(self, query: Query) -> AsyncIterator[Page]:
        await self.schema(query.scope, query.entity_type)
        size = self.limits.max_page

        async def ask(since: datetime | None, offset: int) -> Listed[Mapping[str, Any]]:
            moment = since and since.astimezone(UTC).isoformat(timespec="microseconds")
            told = await self._listed({"since": moment, "offset": offset or None, "limit": size})
            rows = [(Seen((r["id"], r["version"]), datetime.fromisoformat(r["modified"])), r) for r in told["tickets"]]
            return Listed(rows, told["total"], self.http.server_time)

        pages: ByModified[Mapping[str, Any]] = ByModified(query.since, size)
        async with aclosing(pages_ahead(pages, ask, self.config.max_concurrency)) as answers:
            async for fresh, at in answers:
                yield Page(tuple(map(_entity, fresh)), at)

    async def read(self, refs: Sequence[EntityRef]) -> dict[EntityRef, Entity | Gone | Forbidden]:
        size = self.limits.max_page
        chunks = [",".join(ref.id for ref in refs[i : i + size]) for i in range(0, len(refs), size)]
        answers = await asyncio.gather(*(self._listed({"ids": chunk}) for chunk in chunks))
        found = {entity.ref: entity for told in answers for entity in map(_entity, told["tickets"])}
        return {ref: found.get(ref) or Gone(ref) for ref in refs}

    async def create(self, scope: str, entity_type: str, fields: Fields, *, marker: str | None) -> Entity:
        await self.schema(scope, entity_type)
        if not fields.get("title"):
            raise Rejected("A ticket has a title", fields={"title": "missing"})
        return await self._written("POST", "tickets", {**_plain(fields), "marker": marker})

    async def update(self, entity: Entity, fields: Fields, *, expected: str | None) -> Entity:
        headers = {} if expected is None else {"If-Match": expected}
        return await self._written("PUT", f"tickets/{entity.ref.id}", _plain(fields), headers)

    async def find(self, scope: str, entity_type: str, marker: str) -> EntityRef | None:  # noqa: ARG002
        told = await self._listed({"marker": marker})
        return next((_entity(row).ref for row in told["tickets"]), None)

    async def _listed(self, params: Mapping[str, Any]) -> Any:
        return await self.http.get_json("tickets", **params)

    async def _written(
        self, method: str, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Entity:
        response = await self.http.request(method, path, json=body, headers=headers, expect=(412,))
        if response.status_code == 412:
            raise Changed("the ticket was edited meanwhile")
        return _entity(self.http.json(response))


def _entity(row: Mapping[str, Any]) -> Entity:
    modified, created = datetime.fromisoformat(row["modified"]), datetime.fromisoformat(row["created"])
    ref = EntityRef("", TICKET.type, row["id"])
    return Entity(ref, fields_of(row), str(row["version"]), modified, created, key=f"#{row['id']}")


def fields_of(row: Mapping[str, Any]) -> Fields:
    """A ticket's fields in canonical form."""
    return {
        "title": row["title"],
        "description": RichText(row["description"]),
        "status": Choice(row["status"]),
        "priority": row["priority"] and Choice(row["priority"]),
        "labels": tuple(map(Choice, row["labels"])),
        "points": row["points"],
        "due": row["due"] and date.fromisoformat(row["due"]),
    }


def _plain(fields: Fields) -> dict[str, Any]:
    return {name: _bare(value) for name, value in fields.items()}


def _bare(value: Value) -> Any:
    if isinstance(value, tuple):
        return [str(member) for member in value]
    return value if value is None or isinstance(value, int) else str(value)
