"""A system in memory, for tests, examples and dry practice: a faithful stateful tracker without a network.

Rule of this file: the connector knows nothing of its own; everything is asked of the `MemorySystem` behind its url.
Connectors with the same url see the same system. `memory:///path/to/file.json` keeps it in a file that several
processes share. What configuration cannot say, a test scripts on `system(url)`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from connectors._memory_store import ACCOUNT, ALICE, BOB, LIMITS, Ask, Fault, MemorySystem
from connectors._memory_values import TICKET, held
from connectors.contract import Limits, Query, SystemConfig, SystemInfo
from connectors.entity import (
    Attachment,
    Choice,
    Comment,
    Edit,
    Entity,
    EntityRef,
    Fields,
    Gone,
    Link,
    Page,
    UserRef,
    Value,
)
from connectors.errors import Changed, ConfigurationError, EntityError, Forbidden, Rejected
from connectors.schema import EntitySchema, FieldSchema, FieldType

__all__ = [
    "ACCOUNT", "ALICE", "BOB", "LIMITS", "TICKET", "Fault", "MemoryConfig", "MemoryConnector", "MemorySystem",
    "define", "forget", "system",
]  # fmt: skip

_systems: dict[str, MemorySystem] = {}

Ability = Literal[
    "markers", "deletes", "archives", "comments", "attachments", "links", "users", "history", "events", "bulk"
]

_ABILITIES: dict[Ability, str] = {
    "markers": "find",
    "deletes": "delete",
    "archives": "archive",
    "comments": "comments",
    "attachments": "attachments",
    "links": "links",
    "users": "find_user",
    "history": "history",
    "events": "events",
    "bulk": "create_many",
}
"""Ability -> the method that its optional protocol is known by."""


def system(url: str) -> MemorySystem:
    """The system at this url; a new one where there is none yet."""
    key = url.rstrip("/")
    if key not in _systems:
        path = urlsplit(key).path
        _systems[key] = MemorySystem(key, file=Path(path) if path else None)
    return _systems[key]


def define(defined: MemorySystem) -> MemorySystem:
    """Put a scripted system at its url, in place of what was there."""
    _systems[defined.url.rstrip("/")] = defined
    return defined


def forget(url: str) -> None:
    """Let a system vanish from this process. Its file, if any, stays."""
    _systems.pop(url.rstrip("/"), None)


class FieldConfig(BaseModel):
    """One field of an entity type, as YAML defines it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: FieldType = Field(FieldType.TEXT, description="Type of the field: text, choice, user, date …")
    label: str = Field("", description="The name that people see.")
    multiple: bool = Field(False, description="Whether it takes several values.")
    required: bool = Field(False, description="Whether a create without it is refused.")
    on_create: bool = Field(True, description="Whether it can be written when an entity is created.")
    on_update: bool = Field(True, description="Whether it can be written later.")
    choices: tuple[str, ...] | None = Field(None, description="The allowed values; none = any value.")
    max_length: int | None = Field(None, description="Longest text, in characters.")


class UserConfig(BaseModel):
    """One user, as YAML defines it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    username: str = Field(description="The log-in name.")
    email: str | None = Field(None, description="The e-mail address.")
    name: str | None = Field(None, description="The name that people see.")


class MemoryConfig(SystemConfig):
    """Keys left out leave the system as a test has scripted it, or else as a well-behaved tracker."""

    kind: str = Field("memory", description="The kind of system.")
    url: str = Field("memory://", description="memory://NAME, or memory:///path/to/file.json to share it in a file.")
    types: dict[str, dict[str, FieldConfig]] = Field({}, description="Entity type -> field -> definition.")
    users: tuple[UserConfig, ...] = Field((), description="The users, besides our own account.")
    scopes: tuple[str, ...] = Field((), description="The known scopes; none = every scope is known.")
    resolution: float | None = Field(1e-6, description="Seconds in one tick of the clock; null = no modified time.")
    conditional_writes: bool = Field(True, description="Whether the system itself refuses stale writes.")
    max_page: int = Field(100, ge=1, description="Most entities in one page.")
    latency: float = Field(0.0, ge=0, description="Seconds that each request takes.")
    without: tuple[Ability, ...] = Field((), description="Abilities that this system lacks, such as markers.")


class MemoryConnector:
    """See `connectors.contract.Connector`. Has every optional ability that `without` does not name."""

    kind: ClassVar[str] = "memory"
    Config: ClassVar[type[SystemConfig]] = MemoryConfig
    limits: Limits = LIMITS
    native_language: ClassVar[str] = "field=text"

    def __new__(cls, config: MemoryConfig, http: Any = None) -> MemoryConnector:  # noqa: ARG004 (as in __init__)
        missing = [_ABILITIES[name] for name in config.without]
        if system(config.url).limits.comment_changes_visible:
            missing.append("comment_changes")  # a second feed would say nothing new
        # A method that is None is Python's way to say "not supported": isinstance(…, HasComments) then says no.
        return super().__new__(type(cls.__name__, (cls,), dict.fromkeys(missing)))

    def __init__(self, config: MemoryConfig, http: Any = None) -> None:  # noqa: ARG002 (it speaks no HTTP)
        self.config = config
        self.system = system(config.url)
        _apply(config, self.system)
        self.limits = self.system.limits
        self.requests = 0

    async def check(self) -> SystemInfo:
        with self._request("check"):
            offset = (self.system.clock() - datetime.now(self.system.clock().tzinfo)).total_seconds()
            return SystemInfo("memory", "1", ACCOUNT, clock_offset=offset)

    async def schema(self, scope: str, entity_type: str) -> EntitySchema:
        with self._request("schema"):
            return self.system.schema(scope, entity_type)

    async def changes(self, query: Query) -> AsyncIterator[Page]:
        async for page in self._pages(query, comments=False):
            yield page

    async def comment_changes(self, query: Query) -> AsyncIterator[Page]:
        async for page in self._pages(query, comments=True):
            yield page

    async def read(self, refs: Sequence[EntityRef]) -> dict[EntityRef, Entity | Gone | Forbidden]:
        await self._travel()
        with self._request("read"):
            return {ref: self.system.get(ref) for ref in refs}

    async def create(self, scope: str, entity_type: str, fields: Fields, *, marker: str | None) -> Entity:
        await self._travel()
        with self._request("create"):
            return self.system.add(scope, entity_type, fields, by=ACCOUNT, marker=marker)

    async def update(self, entity: Entity, fields: Fields, *, expected: str | None) -> Entity:
        if expected is not None and not self.limits.conditional_writes:
            now = (await self.read([entity.ref]))[entity.ref]
            if isinstance(now, Entity) and now.version != expected:
                raise Changed(f"{entity.ref} was edited meanwhile", ref=entity.ref)
            expected = None
        await self._travel()
        with self._request("update", entity.ref.id):
            sent = {**self._along(entity), **fields}
            return self.system.edit(entity.ref, sent, by=ACCOUNT, expected=expected)

    def normalise(self, entity_type: str, field: str, value: Value) -> Value:
        return held(self.system.schemas[entity_type].fields[field], value)

    async def find(self, scope: str, entity_type: str, marker: str) -> EntityRef | None:
        with self._request("find"):
            return self.system.find(scope, entity_type, marker)

    async def create_many(
        self, scope: str, entity_type: str, rows: Sequence[tuple[Fields, str | None]]
    ) -> Sequence[Entity | Exception]:
        await self._travel()
        with self._request("create_many"):
            return [self._created(scope, entity_type, fields, marker) for fields, marker in rows]

    async def delete(self, entity: Entity) -> None:
        with self._request("delete", entity.ref.id):
            self.system.remove(entity.ref)

    async def archive(self, entity: Entity) -> None:
        with self._request("archive", entity.ref.id):
            self.system.remove(entity.ref)

    async def comments(self, entities: Sequence[Entity]) -> dict[EntityRef, tuple[Comment, ...]]:
        with self._request("comments"):
            return {entity.ref: self.system.row(entity.ref).comments for entity in entities}

    async def add_comment(self, entity: Entity, comment: Comment) -> tuple[Comment, Entity]:
        await self._travel()
        with self._request("add_comment", entity.ref.id):
            along, text = self._along(entity), comment.text.canonical
            return self.system.comment(entity.ref, text, by=ACCOUNT, draft=comment, along=along)

    async def edit_comment(self, entity: Entity, comment: Comment) -> tuple[Comment, Entity]:
        with self._request("edit_comment", entity.ref.id):
            now = self.system.recomment(entity.ref, comment.id, comment.text.canonical, by=ACCOUNT)
            return next(c for c in self.system.row(entity.ref).comments if c.id == comment.id), now

    async def delete_comment(self, entity: Entity, comment_id: str) -> Entity:
        with self._request("delete_comment", entity.ref.id):
            return self.system.recomment(entity.ref, comment_id, None, by=ACCOUNT)

    async def attachments(self, entities: Sequence[Entity]) -> dict[EntityRef, tuple[Attachment, ...]]:
        with self._request("attachments"):
            return {entity.ref: self.system.row(entity.ref).attachments for entity in entities}

    async def open_attachment(self, entity: Entity, attachment: Attachment) -> AsyncIterator[bytes]:
        with self._request("open_attachment", entity.ref.id):
            content = self.system.row(entity.ref).contents[attachment.id]
        for start in range(0, len(content), 65536):
            yield content[start : start + 65536]

    async def add_attachment(
        self, entity: Entity, attachment: Attachment, content: AsyncIterator[bytes]
    ) -> tuple[Attachment, Entity]:
        whole = b"".join([chunk async for chunk in content])
        with self._request("add_attachment", entity.ref.id):
            row, digest = self.system.row(entity.ref), hashlib.sha256(whole).hexdigest()
            kept = replace(attachment, id=f"a{self.system.seq + 1}", size=len(whole), sha256=digest, author=ACCOUNT)
            kept = replace(kept, created=self.system.clock())
            contents = {**row.contents, kept.id: whole}
            files = (*row.attachments, kept)
            return kept, self.system.put(entity.ref, by=ACCOUNT, attachments=files, contents=contents)

    async def delete_attachment(self, entity: Entity, attachment_id: str) -> Entity:
        with self._request("delete_attachment", entity.ref.id):
            files = tuple(f for f in self.system.row(entity.ref).attachments if f.id != attachment_id)
            return self.system.put(entity.ref, by=ACCOUNT, attachments=files)

    async def link_types(self) -> tuple[str, ...]:
        return ("relates", "blocks")

    async def links(self, entities: Sequence[Entity]) -> dict[EntityRef, tuple[Link, ...]]:
        with self._request("links"):
            return {entity.ref: self.system.row(entity.ref).links for entity in entities}

    async def add_link(self, entity: Entity, link_type: str, target: EntityRef) -> Link:
        if link_type not in await self.link_types():
            raise Rejected(f"{self.config.url} has no link type {link_type}", ref=entity.ref)
        with self._request("add_link", entity.ref.id):
            link = Link(f"l{self.system.seq + 1}", link_type, entity.ref, target)
            self._relink(link, lambda links: (*links, link))
            return link

    async def delete_link(self, entity: Entity, link: Link) -> None:
        with self._request("delete_link", entity.ref.id):
            self._relink(link, lambda links: tuple(kept for kept in links if kept.id != link.id))

    async def find_user(self, text: str) -> Sequence[UserRef]:
        with self._request("find_user"):
            known = self.system.users
            return [u for u in known if text in (u.id, u.username) or text.casefold() == (u.email or "").casefold()]

    async def users(self, scope: str) -> Sequence[UserRef]:
        del scope
        with self._request("users"):
            return self.system.users

    async def history(self, entity: Entity, since: datetime | None) -> Sequence[Edit]:
        with self._request("history"):
            edits = self.system.row(entity.ref).history
            return [edit for edit in edits if since is None or edit.at >= since]

    async def scopes(self) -> Mapping[str, str]:
        with self._request("scopes"):
            return self.system.scopes if self.system.scopes is not None else {"": "everything"}

    async def entity_types(self, scope: str) -> tuple[str, ...]:
        with self._request("entity_types"):
            return self.system.types(scope)

    async def events(self) -> AsyncIterator[EntityRef]:
        seen = self.system.seq
        while True:
            news = sorted((row for row in self.system.rows.values() if row.seq > seen), key=lambda row: row.seq)
            for row in news:
                seen = row.seq
                yield row.ref
            await asyncio.sleep(0.02)

    async def _pages(self, query: Query, *, comments: bool) -> AsyncIterator[Page]:
        """Pages by key: each begins after the last place served, wherever edits have moved the rest meanwhile."""
        ask = Ask(self.limits.max_page, comments=comments, where=_condition(query.native))
        while True:
            await self._travel()
            with self._request("changes"):
                entities, after = self.system.page(query.scope, query.entity_type, query.since, ask)
                server_time = self.system.clock()
            yield Page(tuple(entities), server_time)
            if after is None:
                return
            ask = replace(ask, after=after)

    def _created(self, scope: str, entity_type: str, fields: Fields, marker: str | None) -> Entity | Exception:
        try:
            return self.system.add(scope, entity_type, fields, by=ACCOUNT, marker=marker)
        except EntityError as refused:  # this row alone
            return refused

    def _relink(self, link: Link, change: Callable[[tuple[Link, ...]], tuple[Link, ...]]) -> None:
        """Both ends of a link show it; which of them it moves, `limits` say."""
        ends = (link.source, link.target) if self.limits.link_changes_visible else ()
        for ref in dict.fromkeys((link.source, link.target)):
            links = change(self.system.row(ref).links)
            self.system.put(ref, by=ACCOUNT, moves=ref in ends, links=links)

    def _along(self, entity: Entity) -> Fields:
        return {name: entity.fields[name] for name in self.system.sends_along if name in entity.fields}

    @contextmanager
    def _request(self, name: str, id: str = "") -> Iterator[None]:
        self.requests += 1
        with self.system.request(name, id):
            yield

    async def _travel(self) -> None:
        """The way to the system and back: lets others run, as every real request does."""
        await asyncio.sleep(self.system.latency)


def _condition(native: str | None) -> Callable[[Fields], bool] | None:
    """The native query `field=text` as a condition on fields."""
    if native is None:
        return None
    name, _, text = native.partition("=")

    def matches(fields: Fields) -> bool:
        if name not in fields:
            raise ConfigurationError(f'The query "{native}" names no field', remedy="Write field=text.")
        return text == str(fields[name] or "")

    return matches


def _apply(config: MemoryConfig, to: MemorySystem) -> None:
    """What the configuration says, and nothing that it leaves out."""
    given = config.model_fields_set
    limits: dict[str, Any] = {
        name: getattr(config, name) for name in ("conditional_writes", "max_page") if name in given
    }
    if "resolution" in given:
        tick = config.resolution
        limits["timestamp_resolution"] = None if tick is None else timedelta(seconds=tick)
    to.limits = replace(to.limits, **limits)
    if "latency" in given:
        to.latency = config.latency
    if config.types:
        to.schemas = {name: _schema(name, fields) for name, fields in config.types.items()}
    if config.scopes:
        to.scopes = {name: name for name in config.scopes}
    if config.users:
        others = (UserRef(str(n), **user.model_dump()) for n, user in enumerate(config.users, start=2))
        to.users = (ACCOUNT, *others)


def _schema(name: str, fields: Mapping[str, FieldConfig]) -> EntitySchema:
    def field(key: str, config: FieldConfig) -> FieldSchema:
        choices = None if config.choices is None else tuple(Choice(text) for text in config.choices)
        return FieldSchema(key, **{**config.model_dump(), "choices": choices})

    return EntitySchema.of(name, *(field(key, config) for key, config in fields.items()))
