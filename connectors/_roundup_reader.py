"""From Roundup's rows to entities.

Rule of this file: a page of entities costs a handful of requests, never one per entity. Users and look-up values are
kept, and asked for again when an id turns up that is not among them.
"""

from __future__ import annotations

from asyncio import gather
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from time import monotonic
from typing import Any

from connectors._roundup_api import Api, Row
from connectors._roundup_schema import DESCRIPTION, Property, TrackerSchema
from connectors._roundup_values import (
    MESSAGE_FIELDS,
    WITH_CONTENT,
    Message,
    addresses,
    description_of,
    moment,
    read_value,
    rich,
    user,
    version_of,
)
from connectors.entity import Attachment, Choice, Comment, Entity, EntityRef, UserRef
from connectors.errors import ConfigurationError, Forbidden
from connectors.schema import EntitySchema, FieldType

LABELS = 2
"""The verbosity at which links show the name of what they point at."""

_USERS_FOR = 300.0
"""Seconds after which the users are asked for again: their addresses may have changed."""

_KEPT_PROPERTIES = ("messages", "files")
_USER_FIELDS = ("username", "realname", "address", "alternate_addresses", "roles")


class Reader:
    """Reads entities, messages and users of one tracker."""

    def __init__(self, api: Api, username: str) -> None:
        self._api = api
        self._username = username
        self._users: dict[str, UserRef] = {}
        self._users_until = 0.0
        self._user_rows: dict[str, Row] = {}
        self._strangers: set[str] = set()
        self._choices: dict[str, tuple[Choice, ...] | None] = {}

    async def fields(self, ticket: str) -> dict[str, tuple[FieldType, Property]]:
        """The fields of a ticket class but the description. Raises ConfigurationError, naming the nearest classes."""
        return (await self._schema_with(ticket)).fields(ticket)

    async def schema(self, ticket: str) -> EntitySchema:
        """The ticket class in canonical terms, as it and its choices are now."""
        await self._api.schema(fresh=True)
        known = await self._schema_with(ticket)
        lookups = known.lookups(ticket)
        choices = await gather(*(self.choices(name, fresh=True) for name in lookups))
        return known.entity_schema(ticket, dict(zip(lookups, choices, strict=True)))

    async def choices(self, class_name: str, *, fresh: bool = False) -> tuple[Choice, ...] | None:
        """The values of a look-up class in the tracker's order; None where the account may not see them."""
        if fresh or class_name not in self._choices:
            ordered = "order" in (await self._api.schema()).classes.get(class_name, {})
            params = {"@verbose": LABELS, "@fields": "id", "@sort": "order,id" if ordered else "id"}
            try:
                rows = (await self._api.list(class_name, params)).rows
            except Forbidden:
                self._choices[class_name] = None
            else:
                named = ((next((v for k, v in row.items() if k not in ("id", "link") and v), ""), row) for row in rows)
                self._choices[class_name] = tuple(Choice(str(name), row["id"]) for name, row in named if name)
        return self._choices[class_name]

    async def wanted(self, ticket: str) -> dict[str, Any]:
        """The parameters that make a row tell all that an entity is made of."""
        names = [*await self.fields(ticket), *_KEPT_PROPERTIES]
        return {"@fields": ",".join(names), "@verbose": LABELS}

    async def by_id(self, ticket: str, ids: Sequence[str]) -> dict[str, Entity]:
        """The entities of these ids. Unknown, retired and hidden ones are missing."""
        fields = [*await self.fields(ticket), *_KEPT_PROPERTIES]
        rows = await self._api.by_id(ticket, ids, fields, LABELS)
        return {entity.ref.id: entity for entity in await self.entities(ticket, list(rows.values()))}

    async def entities(self, ticket: str, rows: Sequence[Row]) -> tuple[Entity, ...]:
        """Rows as entities, in their order."""
        if not rows:
            return ()
        fields = await self.fields(ticket)
        descriptions, users = await gather(self._descriptions(rows), self.users_of(_user_ids(fields, rows)))
        web = await self._api.web()
        return tuple(_entity(ticket, fields, row, descriptions.get(row["id"]), users, web) for row in rows)

    async def messages(self, ids: Iterable[str]) -> dict[str, Message]:
        """Messages by id, with their texts. Retired ones are missing."""
        rows = await self._api.by_id("msg", sorted(set(ids), key=int), MESSAGE_FIELDS, WITH_CONTENT)
        return {id: Message.parse(row) for id, row in rows.items()}

    async def talk(self, ticket: str, ids: Sequence[str]) -> dict[str, tuple[Comment, ...]]:
        """The comments of each entity, oldest first."""
        rows = await self._api.by_id(ticket, ids, ("messages", "creation", "creator"), LABELS)
        known = await self.messages(id for row in rows.values() for id in message_ids(row))
        users = await self.users_of(message.author["id"] for message in known.values() if message.author)
        talks = {}
        for id, row in rows.items():
            own = [known[message] for message in message_ids(row) if message in known]
            description = description_of(row, own)
            own.sort(key=lambda message: (message.date or message.creation, int(message.id)))
            talks[id] = tuple(message.comment(users) for message in own if message is not description)
        return talks

    async def files(self, ids: Iterable[str]) -> dict[str, Attachment]:
        """Attachments by id. Their sizes cost a request each: no list tells them."""
        fields = ("name", "type", "creation", "creator")
        rows = await self._api.by_id("file", sorted(set(ids), key=int), fields, LABELS)
        sizes = await gather(*(self._api.size(id) for id in rows))
        users = await self.users_of(row["creator"]["id"] for row in rows.values() if row.get("creator"))
        return {
            id: Attachment(
                id,
                row.get("name") or f"file{id}",
                size,
                row.get("type"),
                author=user(row["creator"], users) if row.get("creator") else None,
                created=moment(row["creation"]),
            )
            for (id, row), size in zip(rows.items(), sizes, strict=True)
        }

    async def users_of(self, ids: Iterable[str]) -> Mapping[str, UserRef]:
        """The active users, asked for again if one of `ids` is new, and now and then."""
        unknown = set(ids) - self._users.keys() - self._strangers
        if unknown or monotonic() > self._users_until:
            await self.load_users()
            self._strangers |= unknown - self._users.keys()
        return self._users

    async def load_users(self) -> None:
        params = {"@fields": ",".join(_USER_FIELDS), "@verbose": 0, "@sort": "id"}
        rows = (await self._api.list("user", params)).rows
        self._users_until = monotonic() + _USERS_FOR
        self._user_rows = {row["id"]: row for row in rows}
        self._users = {
            row["id"]: UserRef(row["id"], row.get("username"), row.get("address") or None, row.get("realname") or None)
            for row in rows
        }

    async def find_users(self, text: str) -> list[UserRef]:
        """The active users whose id, user name or one of whose addresses (case-folded) is exactly `text`."""
        await self.users_of(())
        if not self._matching(text):
            await self.load_users()
        return self._matching(text)

    async def me(self) -> UserRef:
        """The account we work as. Raises ConfigurationError where it may not even see itself."""
        users = await self.users_of(())
        for one in users.values():
            if one.username == self._username:
                return one
        raise ConfigurationError("The account may not see the tracker's users", remedy="Give it a role that may.")

    async def roles(self) -> tuple[str, ...]:
        """The account's roles, as far as it may see them."""
        row = self._user_rows.get((await self.me()).id, {})
        return tuple(role.strip() for role in (row.get("roles") or "").split(",") if role.strip())

    def _matching(self, text: str) -> list[UserRef]:
        folded = text.strip().casefold()
        return [
            self._users[id]
            for id, row in self._user_rows.items()
            if folded in addresses(row) or text in (id, row.get("username"))
        ]

    async def _schema_with(self, ticket: str) -> TrackerSchema:
        known = await self._api.schema()
        if ticket not in known.tickets():
            near = get_close_matches(ticket, known.tickets(), 3, 0) or known.tickets()
            raise ConfigurationError(
                f"The tracker has no ticket class {ticket!r}",
                remedy=f"It has: {', '.join(near)}.",
                system=self._api.http.config.identity(),
            )
        return known

    async def _descriptions(self, rows: Sequence[Row]) -> dict[str, Message]:
        """The description of each row that has one: nearly always its first message, so those are asked for first."""
        firsts = {row["id"]: ids[:1] for row in rows if (ids := message_ids(row))}
        found = await self._pick(rows, firsts)
        rest = {row["id"]: ids for row in rows if row["id"] not in found and len(ids := message_ids(row)) > 1}
        return {**found, **await self._pick(rows, rest)}

    async def _pick(self, rows: Sequence[Row], candidates: Mapping[str, Sequence[str]]) -> dict[str, Message]:
        known = await self.messages(id for ids in candidates.values() for id in ids)
        picked = {
            row["id"]: description_of(row, (known[id] for id in candidates.get(row["id"], ()) if id in known))
            for row in rows
        }
        return {id: message for id, message in picked.items() if message}


def message_ids(row: Mapping[str, Any]) -> list[str]:
    """The ids of a row's messages, oldest first."""
    return sorted((message["id"] for message in row.get("messages") or ()), key=int)


def _user_ids(fields: Mapping[str, tuple[FieldType, Property]], rows: Iterable[Row]) -> set[str]:
    names = [name for name, (type_, _) in fields.items() if type_ is FieldType.USER]
    values = (row.get(name) or () for row in rows for name in names)
    return {one["id"] for value in values for one in (value if isinstance(value, list) else [value] if value else [])}


def _entity(
    ticket: str,
    fields: Mapping[str, tuple[FieldType, Property]],
    row: Row,
    description: Message | None,
    users: Mapping[str, UserRef],
    web: str,
) -> Entity:
    values = {name: read_value(type_, own, row.get(name), users) for name, (type_, own) in fields.items()}
    return Entity(
        ref=EntityRef("", ticket, row["id"]),
        fields={**values, DESCRIPTION: rich(description.text) if description else None},
        version=version_of(row, description),
        modified=moment(row["activity"]),
        created=moment(row["creation"]),
        modified_by=user(row["actor"], users) if row.get("actor") else None,
        created_by=user(row["creator"], users) if row.get("creator") else None,
        key=f"{ticket}{row['id']}",
        url=f"{web}{ticket}{row['id']}",
        extra={
            "description": description.id if description else None,
            "messages": message_ids(row),
            "files": [one["id"] for one in row.get("files") or ()],
        },
    )
