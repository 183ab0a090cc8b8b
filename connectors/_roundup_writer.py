"""Writes into Roundup.

Rule of this file: every write of a ticket is bound to the tag of the state that it was meant for, and sends along what
Roundup's detectors would move because of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from connectors._roundup_api import Api, Node
from connectors._roundup_reader import Reader
from connectors._roundup_schema import DESCRIPTION, SYSTEM_FIELDS, Property
from connectors._roundup_values import WITH_CONTENT, description_tag, edit_of, plain, rich, write_value
from connectors.entity import Choice, Entity, EntityRef, Fields, RichText, Value, members, same
from connectors.errors import Changed, ConnectorError, EntityError, Forbidden, Rejected
from connectors.schema import FieldType

_TRIES = 5
"""How often an addition (a message, a file, a link) is tried against people who edit the same ticket."""


class Writer:
    """Writes into one tracker."""

    def __init__(self, api: Api, reader: Reader) -> None:
        self._api = api
        self._reader = reader

    async def message(self, text: str, tag: str) -> dict[str, Any]:
        """A new message. Without an author Roundup refuses the ticket that is to hold it; "." is its own now."""
        return {"content": text, "author": (await self._reader.me()).id, "date": ".", "messageid": tag}

    async def create(self, ticket: str, fields: Fields, marker: str | None) -> EntityRef:
        """Two writes: the first message, which is nothing by itself, then the ticket that holds it."""
        values = await self.values(ticket, fields)
        text = values.pop(DESCRIPTION, " ")
        message = await self._api.create("msg", await self.message(text, description_tag(marker)))
        filled = {name: value for name, value in values.items() if value not in ("", [])}
        try:
            return EntityRef("", ticket, await self._api.create(ticket, {**filled, "messages": [message]}))
        except EntityError:
            await self.discard(message)
            raise

    async def attempt(self, ticket: str, fields: Fields, marker: str | None) -> EntityRef | ConnectorError:
        """The same, for one of many: its failure is its own."""
        try:
            return await self.create(ticket, fields, marker)
        except ConnectorError as error:
            return error

    async def description(self, now: Entity, expected: str | None) -> Node | None:
        """The message that is the entity's description, with the tag to write it by. Raises Changed where it differs
        from what `now` shows, if the caller expects a version."""
        id = now.extra["description"]
        if id is None:
            return None
        node = await self._api.node("msg", id, ("content", "inreplyto"), WITH_CONTENT)
        if expected is not None and not same(rich(node.values.get("content") or ""), now.fields[DESCRIPTION]):
            raise changed(now.ref)
        return node

    async def described(self, text: str, old: str | None) -> dict[str, list[str]]:
        """What to write into a ticket so that a new message becomes its description.

        That is for tickets that others made without a text, and for emptying: Roundup cannot empty a message, so an
        empty one takes its place. The tag makes it the description, whatever messages came before it.
        """
        if not (text.strip() or old):
            return {}
        new = await self._api.create("msg", await self.message(text, description_tag(None)))
        return {"messages": [f"+{new}", *([f"-{old}"] if old else [])]}

    async def edit(self, message: str, text: str, node: Node) -> None:
        """Give a message another text, against the node's tag."""
        await self._api.put("msg", message, edit_of(text, node.values.get("inreplyto")), node.etag)

    async def node(self, ref: EntityRef) -> Node:
        """The tag of the ticket, and of that moment the values that a detector might move."""
        fields = await self._reader.fields(ref.type)
        movable = [name for name, (type_, own) in fields.items() if type_ is FieldType.CHOICE and not own.multiple]
        return await self._api.node(ref.type, ref.id, ("id", *movable))

    async def put(self, ref: EntityRef, values: Mapping[str, Any], node: Node) -> None:
        """Write against the node's tag. A message takes along what Roundup's detectors would move because of it."""
        held = {name: value or "" for name, value in node.values.items() if name != "id"}
        if "messages" in values and held:
            try:
                await self._api.put(ref.type, ref.id, {**held, **values}, node.etag)
                return
            except Forbidden:
                pass  # who may not set the status can still speak
        await self._api.put(ref.type, ref.id, values, node.etag)

    async def add(self, ref: EntityRef, values: Mapping[str, Any]) -> None:
        """Write whatever others write meanwhile."""
        await self.again(ref, lambda node: self.put(ref, values, node))

    async def again(self, ref: EntityRef, write: Callable[[Node], Awaitable[None]]) -> None:
        for attempt in range(1, _TRIES + 1):
            try:
                await write(await self.node(ref))
                return
            except Changed:
                if attempt == _TRIES:
                    raise

    async def discard(self, message: str) -> None:
        """Retire a message that no ticket took in. Left over it would harm nobody."""
        with suppress(EntityError):
            await self._api.retire("msg", message, (await self._api.node("msg", message)).etag)

    async def values(self, entity_type: str, fields: Fields) -> dict[str, Any]:
        """The fields in Roundup's terms. Raises Rejected, naming every field that cannot be written."""
        known = await self._reader.fields(entity_type)
        written: dict[str, Any] = {}
        refused: dict[str, str] = {}
        for name, value in fields.items():
            try:
                written[name] = await self._value(known, name, value)
            except ValueError as error:
                refused[name] = str(error)
        if refused:
            words = "; ".join(f"{name}: {why}" for name, why in refused.items())
            raise Rejected(f"{entity_type}: {words}", fields=refused, system=self._api.http.config.identity())
        return written

    async def _value(self, known: Mapping[str, tuple[FieldType, Property]], name: str, value: Value) -> Any:
        if name == DESCRIPTION:
            if value is None or isinstance(value, str | RichText):
                return plain(value or "")
            raise ValueError("it takes a text")
        if name not in known or name in SYSTEM_FIELDS:
            near = get_close_matches(name, [DESCRIPTION, *(known.keys() - set(SYSTEM_FIELDS))], 3)
            raise ValueError("it cannot be written" + (f"; there is {', '.join(near)}" if near else ""))
        type_, own = known[name]
        for fresh in (False, True):
            choices = await self._reader.choices(own.target, fresh=fresh) if type_ is FieldType.CHOICE else ()
            with suppress(LookupError):
                return write_value(type_, own, value, choices or ())
        raise ValueError(_not_a_choice(value, choices or ()))


def _not_a_choice(value: Value, choices: Sequence[Choice]) -> str:
    names = [choice.name for choice in choices]
    unknown = [str(one) for one in members(value) if str(one) not in names]
    near = get_close_matches(unknown[0], names, 5, 0.4) if unknown else []
    return f"{', '.join(unknown)} is not among its values; there is {', '.join(near or names[:20]) or 'none'}"


def changed(ref: EntityRef) -> Changed:
    return Changed(f"{ref} was edited meanwhile; nothing was written", ref=ref)
