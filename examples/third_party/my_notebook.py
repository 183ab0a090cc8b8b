"""A connector of your own in one file: notes in a JSON file on disk, as a system.

Put it beside your YAML and name the class: `{kind: my_notebook.Notebook, url: /path/to/notes.json}`. Nobody writes down
when a note was edited, so the connector says so (`timestamp_resolution=None`) and shows all notes each time it is asked
for changes; what did change, the engine finds out by itself.
"""
# ruff: noqa: ARG002 (the contract has parameters that a notebook does not need)

import hashlib
import json
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from connectors.contract import Limits, Query, SystemConfig, SystemInfo
from connectors.entity import (
    Choice,
    Entity,
    EntityRef,
    Fields,
    Gone,
    Page,
    RichText,
    Value,
    empty,
    members,
    normal_text,
)
from connectors.errors import Changed, ConfigurationError, Forbidden, NotFound, Rejected
from connectors.schema import EntitySchema, FieldSchema, FieldType

STATES = tuple(Choice(name) for name in ("idea", "doing", "done"))
NOTE = EntitySchema.of(
    "note",
    FieldSchema("title", FieldType.TEXT, "Title", required=True),
    FieldSchema("text", FieldType.RICH_TEXT, "Text"),
    FieldSchema("state", FieldType.CHOICE, "State", choices=STATES),
    FieldSchema("tags", FieldType.CHOICE, "Tags", multiple=True),
)


class Notebook:
    kind = "my_notebook.Notebook"
    Config = SystemConfig  # `url` is the path of the file
    limits = Limits(timestamp_resolution=None, conditional_writes=False, text_format="markdown")

    def __init__(self, config: SystemConfig, http: Any = None) -> None:
        self.path = Path(config.url)

    async def check(self) -> SystemInfo:
        return SystemInfo(f"Notebook with {len(self._load())} notes")

    async def schema(self, scope: str, entity_type: str) -> EntitySchema:
        if scope or entity_type != NOTE.type:
            raise ConfigurationError(f'A notebook has no "{scope or entity_type}"; all it has is "{NOTE.type}"')
        return NOTE

    async def changes(self, query: Query) -> AsyncIterator[Page]:
        await self.schema(query.scope, query.entity_type)
        notes = [self._entity(query.scope, note) for note in self._load()]
        for start in range(0, len(notes), self.limits.max_page):
            yield Page(tuple(notes[start : start + self.limits.max_page]))

    async def read(self, refs: Sequence[EntityRef]) -> dict[EntityRef, Entity | Gone | Forbidden]:
        notes = {note["id"]: note for note in self._load()}
        return {ref: self._entity(ref.scope, notes[ref.id]) if ref.id in notes else Gone(ref) for ref in refs}

    async def create(self, scope: str, entity_type: str, fields: Fields, *, marker: str | None) -> Entity:
        await self.schema(scope, entity_type)
        note = {"id": os.urandom(8).hex(), "text": "", "state": "idea", "tags": []}
        note |= self._plain({"title": "", **fields})
        self._save([*self._load(), note])
        return self._entity(scope, note)

    async def update(self, entity: Entity, fields: Fields, *, expected: str | None) -> Entity:
        notes, ref = self._load(), entity.ref
        note = next((note for note in notes if note["id"] == ref.id), None)
        if note is None:
            raise NotFound(f"{ref} is no longer in {self.path.name}", ref=ref)
        if expected is not None and self._entity(ref.scope, note).version != expected:
            raise Changed(f"{ref} was edited meanwhile", ref=ref)
        note |= self._plain(fields)
        self._save(notes)
        return self._entity(ref.scope, note)

    def _entity(self, scope: str, note: dict[str, Any]) -> Entity:
        fields: dict[str, Value] = {
            "title": note["title"],
            "text": RichText(note["text"]),
            "state": Choice(note["state"]),
            "tags": tuple(Choice(tag) for tag in note["tags"]),
        }
        version = hashlib.sha256(json.dumps(note, sort_keys=True).encode()).hexdigest()[:16]
        return Entity(EntityRef(scope, NOTE.type, note["id"]), fields, version, key=note["title"])

    def _plain(self, fields: Fields) -> dict[str, Any]:
        """The fields as the file holds them. Refuses what a note cannot hold."""
        refused = {name: "is no field of a note" for name in fields if name not in NOTE.fields}
        if fields.get("state", STATES[0]) not in STATES:
            refused["state"] = f"is none of {', '.join(map(str, STATES))}"
        if empty(fields.get("title", "as it is")):
            refused["title"] = "must not be empty"
        if refused:
            raise Rejected(f"A note cannot hold {refused}", fields=refused)
        plain: dict[str, Any] = {name: normal_text(str(value or "")) for name, value in fields.items()}
        return plain | {name: [str(tag) for tag in members(fields[name])] for name in plain if name == "tags"}

    def _load(self) -> list[dict[str, Any]]:
        try:
            notes: list[dict[str, Any]] = json.loads(self.path.read_text("utf-8"))
            return notes
        except FileNotFoundError:
            return []
        except ValueError:
            raise ConfigurationError(f"{self.path} is not a JSON file", remedy="Mend or remove it.") from None

    def _save(self, notes: list[dict[str, Any]]) -> None:
        """The whole file or nothing: a crash never leaves half of it."""
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(notes, ensure_ascii=False, indent=2), "utf-8")
        os.replace(draft, self.path)
