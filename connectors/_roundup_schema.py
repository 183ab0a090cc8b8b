"""Which classes a Roundup tracker has, and what their properties mean here.

Rule of this file: nothing is known about a tracker beforehand. Roundup's REST API does not tell types; its XML-RPC
sister (same address, same account, on by default) lists every class with them in one answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.entity import Choice
from connectors.schema import EntitySchema, FieldSchema, FieldType

DESCRIPTION = "description"
SYSTEM_FIELDS = ("id", "creation", "creator", "activity", "actor")
"""What Roundup keeps itself; nobody can write it."""

_KIND = re.compile(r'<roundup\.hyperdb\.(\w+)(?: to "(\w+)")?>')
_PLAIN_TYPES = {
    "String": FieldType.TEXT,
    "Interval": FieldType.TEXT,
    "Boolean": FieldType.BOOLEAN,
    "Number": FieldType.NUMBER,
    "Integer": FieldType.NUMBER,
    "Date": FieldType.DATETIME,
}


@dataclass(frozen=True, slots=True)
class Property:
    """One property: `kind` as Roundup calls it (String, Link, Multilink …), `target` the class it points at."""

    kind: str
    target: str = ""

    @property
    def multiple(self) -> bool:
        return self.kind == "Multilink"

    @classmethod
    def parse(cls, text: str) -> Property:
        """From Roundup's own words, e.g. `<roundup.hyperdb.Link to "status">`."""
        found = _KIND.fullmatch(text)
        return cls(found[1], found[2] or "") if found else cls("unknown")


_SYSTEM_PROPERTIES = {
    "id": Property("String"),
    "creation": Property("Date"),
    "creator": Property("Link", "user"),
    "activity": Property("Date"),
    "actor": Property("Link", "user"),
}


@dataclass(frozen=True, slots=True)
class TrackerSchema:
    """All classes of a tracker: class -> property name -> Property."""

    classes: Mapping[str, Mapping[str, Property]] = field(default_factory=dict)

    def tickets(self) -> tuple[str, ...]:
        """The classes whose members carry a title and messages: what people work on."""
        return tuple(sorted(name for name, own in self.classes.items() if "title" in own and self._talks(own)))

    def fields(self, ticket: str) -> dict[str, tuple[FieldType, Property]]:
        """The properties of a ticket class that are fields: no messages, files or secrets."""
        every = {**self.classes[ticket], **_SYSTEM_PROPERTIES}
        typed = ((name, self._type(own), own) for name, own in every.items())
        return {name: (type_, own) for name, type_, own in typed if type_ is not None}

    def links(self) -> tuple[str, ...]:
        """The names of all properties by which one ticket points at another."""
        found = (name for ticket in self.tickets() for name, (type_, _) in self.fields(ticket).items() if _is(type_))
        return tuple(sorted(set(found)))

    def lookups(self, ticket: str) -> tuple[str, ...]:
        """The classes that a ticket's choices come from."""
        fields = self.fields(ticket).values()
        return tuple(sorted({own.target for type_, own in fields if type_ is FieldType.CHOICE}))

    def entity_schema(self, ticket: str, choices: Mapping[str, tuple[Choice, ...] | None]) -> EntitySchema:
        """The ticket class in canonical terms. `choices`: look-up class -> its values."""
        named = [
            FieldSchema(
                name,
                type_,
                multiple=own.multiple,
                on_create=name not in SYSTEM_FIELDS,
                on_update=name not in SYSTEM_FIELDS,
                choices=choices.get(own.target) if type_ is FieldType.CHOICE else None,
            )
            for name, (type_, own) in self.fields(ticket).items()
        ]
        return EntitySchema.of(ticket, *named, FieldSchema(DESCRIPTION, FieldType.RICH_TEXT))

    def _type(self, own: Property) -> FieldType | None:
        if not own.target:
            return _PLAIN_TYPES.get(own.kind)
        if own.target == "user":
            return FieldType.USER
        if own.target in self.tickets():
            return FieldType.LINK
        return None if "content" in self.classes.get(own.target, {}) else FieldType.CHOICE

    @staticmethod
    def _talks(own: Mapping[str, Property]) -> bool:
        return own.get("messages") == Property("Multilink", "msg")


def _is(type_: FieldType) -> bool:
    return type_ is FieldType.LINK
