"""Roundup: trackers of any schema, over their REST API.

Rule of this file: a ticket's first message, if it was written with the ticket, is its description; the other messages
are its comments. `_roundup_values.description_of` has the rule in full; `create` sees to it that a ticket always gets
a first message, so that a comment never turns into a description.

What Roundup does by itself: its detectors add people to `nosy` and, when a message comes, may move `status`. The
first cannot be held, the second is: every write of a message sends the ticket's look-up values along.
"""

from __future__ import annotations

from asyncio import gather
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Any, ClassVar, Literal

from pydantic import Field

from connectors._roundup_api import CHUNK, Api, Listing, native_filter, portions, since_filter
from connectors._roundup_bulk import Bulk, ahead
from connectors._roundup_reader import Reader
from connectors._roundup_schema import DESCRIPTION, Property
from connectors._roundup_values import (
    comment_tag,
    description_tag,
    link_between,
    links_of,
    normalised,
    plain,
    stamp,
)
from connectors._roundup_writer import Writer, changed
from connectors.contract import Basic, Limits, Query, SystemConfig, SystemInfo
from connectors.entity import (
    Attachment,
    Comment,
    Entity,
    EntityRef,
    Fields,
    Gone,
    Link,
    Page,
    UserRef,
    Value,
)
from connectors.errors import ConfigurationError, Forbidden, NotFound, Rejected
from connectors.rest import Http
from connectors.schema import EntitySchema, FieldType

_SPOOL = 1024 * 1024
"""Bytes of an attachment that are kept in memory; a larger one goes through a file."""


class RoundupConfig(SystemConfig):
    """`url` is the tracker's own address, with its name where it has one; the REST API lies below it."""

    kind: Literal["roundup"] = "roundup"
    credentials: Basic = Field(description="A Roundup user with the permission 'Rest Access'.")


class RoundupConnector:
    """One tracker. It has one scope, ""; its entity types are its ticket classes (`issue`; `bug`, `task` …)."""

    kind: ClassVar[str] = "roundup"
    Config: ClassVar[type[SystemConfig]] = RoundupConfig
    native_language: ClassVar[str] = "query string of Roundup's REST collections, e.g. status=1&keyword=3"
    limits = Limits(
        timestamp_resolution=timedelta(seconds=1),
        conditional_writes=True,
        max_page=CHUNK,
        link_changes_visible=False,
        comment_changes_visible=False,
        writes_per_create=2,
        text_format="plain",
        comment_author=True,
        comment_time=True,
    )

    def __init__(self, config: RoundupConfig, http: Http) -> None:
        self.config = config
        self._api = Api(config, config.credentials, http)
        self._reader = Reader(self._api, config.credentials.username)
        self._writer = Writer(self._api, self._reader)
        self._messages = Bulk(self._reader.messages)
        self._bulks: dict[str, Bulk[Entity]] = {}

    @property
    def requests(self) -> int:
        return self._api.http.requests

    async def close(self) -> None:
        await self._api.http.aclose()

    async def check(self) -> SystemInfo:
        try:
            await self._api.web()
        except NotFound:
            raise ConfigurationError(
                "There is no Roundup REST API below this address",
                remedy="`url` must end with the tracker's name where it has one; its config.ini must enable_rest.",
            ) from None
        except Forbidden:
            raise ConfigurationError(
                "The account may not use Roundup's REST API", remedy="Give its role the permission 'Rest Access'."
            ) from None
        known = await self._api.schema()
        me = await self._reader.me()
        others = [one for one in (await self._reader.users_of(())).values() if one.id != me.id]
        warnings = []
        if not known.tickets():
            warnings.append("The tracker has no class with a title and messages: there is nothing to synchronize.")
        if others and not any(one.email for one in others):
            warnings.append("The account sees no mail addresses: users cannot be mapped by e-mail.")
        roles = await self._reader.roles()
        offset = self._api.http.clock_offset
        return SystemInfo("Roundup", user=me, clock_offset=offset, permissions=roles, warnings=tuple(warnings))

    async def me(self) -> UserRef:
        """The account we work as."""
        return await self._reader.me()

    async def scopes(self) -> Mapping[str, str]:
        return {"": "the whole tracker"}

    async def entity_types(self, scope: str) -> tuple[str, ...]:
        del scope
        return (await self._api.schema()).tickets()

    async def schema(self, scope: str, entity_type: str) -> EntitySchema:
        _only_scope(scope)
        return await self._reader.schema(entity_type)

    async def changes(self, query: Query) -> AsyncIterator[Page]:
        """Everything since `query.since`; nothing new costs one request.

        Roundup composes all matching rows before it cuts out the page that was asked for. So ids alone are listed
        first: a short list is then asked for in one consistent answer, a long one is read id by id in bulk. What is
        edited meanwhile is left out of that and listed again, so that it comes after what is older.
        """
        since, size = query.since, self.limits.max_page
        while True:
            listing = await self._changed(query, since)
            if len(listing.rows) <= size or listing.asked is None or (since and listing.asked <= since):
                break
            async for page in self._snapshot(query.entity_type, listing, listing.asked):
                yield page
            since = listing.asked
        if listing.rows:
            listing = await self._changed(query, since, **await self._reader.wanted(query.entity_type))
        for rows in portions(listing.rows, size) or [[]]:
            yield Page(await self._reader.entities(query.entity_type, rows), listing.answered)

    async def comment_changes(self, query: Query) -> AsyncIterator[Page]:
        """Entities with a message changed since then: Roundup does not count an edited message as an edit of its
        ticket. That goes for descriptions too. Nothing new costs one request."""
        listing = await self._api.list("msg", since_filter(query.since))
        for messages in portions(listing.rows, CHUNK):
            wanted = await self._reader.wanted(query.entity_type)
            holders = {"messages": ",".join(row["id"] for row in messages), "@sort": "activity,id", **wanted}
            found = (await self._api.list(query.entity_type, holders)).rows
            for rows in portions(found, self.limits.max_page):
                yield Page(await self._reader.entities(query.entity_type, rows), listing.answered)
        yield Page((), listing.answered)

    async def read(self, refs: Sequence[EntityRef]) -> dict[EntityRef, Entity | Gone | Forbidden]:
        found: dict[EntityRef, Entity | Gone | Forbidden] = {}
        for entity_type in dict.fromkeys(ref.type for ref in refs):
            own = [ref for ref in refs if ref.type == entity_type]
            entities: dict[str, Entity] = {}
            with suppress(Forbidden):  # of the class as a whole: each is asked for by itself then
                entities = await self._reader.by_id(entity_type, [ref.id for ref in own if ref.id.isdecimal()])
            for ref in own:
                found[ref] = entities.get(ref.id) or await self._missing(ref)
        return found

    async def create(self, scope: str, entity_type: str, fields: Fields, *, marker: str | None) -> Entity:
        """Two writes: the first message, which is nothing by itself, then the ticket that holds it.

        The message's id carries the marker, so the ticket is found by it from the moment it exists (`find`). That
        does what Roundup's post-once token is for, without a third request, and also after a crash of ours.
        """
        _only_scope(scope)
        return await self._now(await self._writer.create(entity_type, fields, marker))

    async def create_many(
        self, scope: str, entity_type: str, rows: Sequence[tuple[Fields, str | None]]
    ) -> Sequence[Entity | Exception]:
        """All of them at once, read back together: the reads of a create cost next to nothing then."""
        _only_scope(scope)
        made = await gather(*(self._writer.attempt(entity_type, *row) for row in rows))
        now = await self.read([ref for ref in made if isinstance(ref, EntityRef)])
        answers = [now[one] if isinstance(one, EntityRef) else one for one in made]
        return [NotFound(f"{one.ref} is gone") if isinstance(one, Gone) else one for one in answers]

    async def find(self, scope: str, entity_type: str, marker: str) -> EntityRef | None:
        del scope
        messages = await self._api.list("msg", {"messageid:": description_tag(marker)})
        if not messages.rows:
            return None
        holders = await self._api.list(entity_type, {"messages": ",".join(row["id"] for row in messages.rows)})
        return EntityRef("", entity_type, holders.rows[0]["id"]) if holders.rows else None

    async def update(self, entity: Entity, fields: Fields, *, expected: str | None) -> Entity:
        """The ticket is written against the tag of the version that was compared; then its first message, likewise."""
        ref = entity.ref
        values = await self._writer.values(ref.type, fields)
        text = values.pop(DESCRIPTION, None)
        node = await self._writer.node(ref)
        now = await self._now(ref)
        if expected is not None and now.version != expected:
            raise changed(ref)
        message = await self._writer.description(now, expected) if text is not None else None
        old = now.extra["description"]
        if text is not None and not (text.strip() and message):
            values |= await self._writer.described(text, old)
        if values and expected is None:
            await self._writer.add(ref, values)
        elif values:
            await self._writer.put(ref, values, node)
        if message and text is not None and text.strip():
            await self._writer.edit(old, text, message)
        return await self._now(ref)

    async def delete(self, entity: Entity) -> None:
        """Retires it: it leaves every list, and an administrator can bring it back."""
        ref = entity.ref
        await self._writer.again(ref, lambda node: self._api.retire(ref.type, ref.id, node.etag))

    async def comments(self, entities: Sequence[Entity]) -> dict[EntityRef, tuple[Comment, ...]]:
        found: dict[EntityRef, tuple[Comment, ...]] = {}
        for entity_type in dict.fromkeys(entity.ref.type for entity in entities):
            refs = [entity.ref for entity in entities if entity.ref.type == entity_type]
            talks = await self._reader.talk(entity_type, [ref.id for ref in refs])
            found |= {ref: talks.get(ref.id, ()) for ref in refs}
        return found

    async def add_comment(self, entity: Entity, comment: Comment) -> tuple[Comment, Entity]:
        """First the message, which is nobody's until the ticket takes it in."""
        ref = entity.ref
        draft = await self._writer.message(plain(comment.text), comment_tag())
        if comment.author:
            draft["author"] = comment.author.id
        if comment.created:
            draft["date"] = stamp(comment.created)
        id = await self._api.create("msg", draft)
        await self._writer.add(ref, {"messages": f"+{id}"})
        return await self._told(ref, id)

    async def edit_comment(self, entity: Entity, comment: Comment) -> tuple[Comment, Entity]:
        await self._told(entity.ref, comment.id)  # it has to be one of this ticket
        text = plain(comment.text)
        if not text.strip():
            raise Rejected("Roundup cannot empty a message", ref=entity.ref, remedy="Delete the comment instead.")
        await self._writer.edit(comment.id, text, await self._api.node("msg", comment.id, ("inreplyto",)))
        return await self._told(entity.ref, comment.id)

    async def delete_comment(self, entity: Entity, comment_id: str) -> Entity:
        """Takes the message out of the ticket; the message itself stays, so that people can put it back."""
        await self._writer.add(entity.ref, {"messages": f"-{comment_id}"})
        return await self._now(entity.ref)

    async def attachments(self, entities: Sequence[Entity]) -> dict[EntityRef, tuple[Attachment, ...]]:
        now = await self.read([entity.ref for entity in entities])
        held = {ref: one.extra["files"] if isinstance(one, Entity) else () for ref, one in now.items()}
        files = await self._reader.files(id for ids in held.values() for id in ids)
        return {ref: tuple(files[id] for id in ids if id in files) for ref, ids in held.items()}

    async def open_attachment(self, entity: Entity, attachment: Attachment) -> AsyncIterator[bytes]:
        del entity
        async for chunk in self._api.download(attachment.id):
            yield chunk

    async def add_attachment(
        self, entity: Entity, attachment: Attachment, content: AsyncIterator[bytes]
    ) -> tuple[Attachment, Entity]:
        """The content is gathered first: Roundup wants its length beforehand."""
        ref = entity.ref
        with SpooledTemporaryFile(_SPOOL) as spool:
            async for chunk in content:
                spool.write(chunk)
            spool.seek(0)
            id = await self._api.upload(attachment.name, attachment.content_type or "application/octet-stream", spool)
        await self._writer.add(ref, {"files": f"+{id}"})
        return (await self._reader.files([id]))[id], await self._now(ref)

    async def delete_attachment(self, entity: Entity, attachment_id: str) -> Entity:
        await self._writer.add(entity.ref, {"files": f"-{attachment_id}"})
        return await self._now(entity.ref)

    async def link_types(self) -> tuple[str, ...]:
        """The names of the properties that point at tickets (`superseder`, `dependencies` …)."""
        return (await self._api.schema()).links()

    async def links(self, entities: Sequence[Entity]) -> dict[EntityRef, tuple[Link, ...]]:
        now = await self.read([entity.ref for entity in entities])
        return {ref: links_of(one) if isinstance(one, Entity) else () for ref, one in now.items()}

    async def add_link(self, entity: Entity, link_type: str, target: EntityRef) -> Link:
        ref = entity.ref
        own = await self._link_property(ref, link_type)
        await self._writer.add(ref, {link_type: f"+{target.id}" if own.multiple else target.id})
        return link_between(ref, link_type, target)

    async def delete_link(self, entity: Entity, link: Link) -> None:
        own = await self._link_property(entity.ref, link.type)
        await self._writer.add(entity.ref, {link.type: f"-{link.target.id}" if own.multiple else ""})

    async def find_user(self, text: str) -> Sequence[UserRef]:
        return await self._reader.find_users(text)

    async def users(self, scope: str) -> Sequence[UserRef]:
        del scope
        return tuple((await self._reader.users_of(())).values())

    def normalise(self, entity_type: str, field: str, value: Value) -> Value:
        del entity_type, field
        return normalised(value)

    async def _changed(self, query: Query, since: datetime | None, **wanted: Any) -> Listing:
        params = {**native_filter(query.native), **since_filter(since), **wanted}
        try:
            return await self._api.list(query.entity_type, params)
        except NotFound:
            await self._reader.fields(query.entity_type)  # names the classes that there are
            raise
        except Rejected as refusal:
            raise ConfigurationError(f"Roundup does not understand the query: {refusal.message}") from None

    async def _snapshot(self, entity_type: str, listing: Listing, asked: datetime) -> AsyncIterator[Page]:
        """What has not been edited since it was listed; the rest will be listed again."""
        ids = [[row["id"] for row in rows] for rows in portions(listing.rows, self.limits.max_page)]
        reads = (self._reader.by_id(entity_type, some) for some in ids)
        async for entities in ahead(reads, self.config.max_concurrency):
            settled = [entity for entity in entities.values() if entity.modified and entity.modified < asked]
            yield Page(tuple(sorted(settled, key=_age)), listing.answered)

    async def _missing(self, ref: EntityRef) -> Entity | Gone | Forbidden:
        """Why a list does not have it. Roundup still answers for a retired one when asked for it directly."""
        if not ref.id.isdecimal():
            return Gone(ref)
        try:
            await self._api.node(ref.type, ref.id)
        except Forbidden as refusal:
            return refusal
        except NotFound:
            return Gone(ref)
        return (await self._reader.by_id(ref.type, [ref.id])).get(ref.id) or Gone(ref)

    async def _now(self, ref: EntityRef) -> Entity:
        """The entity as it is, after everything written so far. Raises NotFound for a retired one as well."""
        bulk = self._bulks.setdefault(ref.type, Bulk(partial(self._reader.by_id, ref.type)))
        entity = (await bulk.load([ref.id])).get(ref.id) or await self._missing(ref)
        if isinstance(entity, Forbidden):
            raise entity
        if isinstance(entity, Gone):
            raise NotFound(f"{ref} does not exist any more", ref=ref)
        return entity

    async def _told(self, ref: EntityRef, id: str) -> tuple[Comment, Entity]:
        """The comment and its entity as they are."""
        entity, messages = await gather(self._now(ref), self._messages.load([id]))
        message = messages.get(id)
        if message is None or id not in entity.extra["messages"]:
            raise NotFound(f"{ref} has no comment {id}", ref=ref)
        users = await self._reader.users_of([message.author["id"]] if message.author else [])
        return message.comment(users), entity

    async def _link_property(self, ref: EntityRef, link_type: str) -> Property:
        type_, own = (await self._reader.fields(ref.type)).get(link_type, (None, Property("")))
        if type_ is not FieldType.LINK:
            raise Rejected(f"{ref.type} has no links {link_type!r}", ref=ref, fields={link_type: "no such link type"})
        return own


def _only_scope(scope: str) -> None:
    if scope:
        raise ConfigurationError(
            f"Roundup has no projects, so there is no {scope!r}", remedy="Leave out this side of the target."
        )


def _age(entity: Entity) -> tuple[datetime, int]:
    assert entity.modified is not None
    return entity.modified, int(entity.ref.id)
