"""A whole system in memory: what a real tracker does, with a clock and faults that tests script.

Rule of this file: a system behaves as its `limits` say, and only the methods of `MemorySystem` change what it holds.
People's edits go through the same methods as the connector's: `system.edit(ref, {"title": "…"}, by=ALICE)`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors import _memory_file, _memory_values
from connectors._memory_values import TICKET, near
from connectors.contract import Limits
from connectors.entity import (
    Attachment,
    Comment,
    Edit,
    Entity,
    EntityRef,
    Fields,
    Gone,
    Link,
    RichText,
    UserRef,
    Value,
    normal_text,
    same,
)
from connectors.errors import Changed, ConfigurationError, Forbidden, NotFound, Rejected
from connectors.schema import EntitySchema

ACCOUNT = UserRef("1", "syncline", "syncline@example.org", "Syncline")
ALICE = UserRef("2", "alice", "alice@example.org", "Alice Ames")
BOB = UserRef("3", "bob", "bob@example.org", "Bob Brown")

LIMITS = Limits(
    timestamp_resolution=timedelta(microseconds=1),
    conditional_writes=True,
    text_format="markdown",
    ids_per_type=False,
    comment_author=True,
    comment_time=True,
)

Reaction = Callable[[str, Fields, Fields], Fields]
"""What a system moves by itself: (what: create | update | comment, fields held before, fields sent) -> fields moved."""

Place = tuple[datetime, int]
"""An entity's place in the order of changes: its time, and the number of the write that moved it there."""


@dataclass
class Row:
    """One entity as the store holds it. `seq` grows with every write anywhere: the order of changes."""

    ref: EntityRef
    fields: dict[str, Value]
    created: datetime
    modified: datetime
    created_by: UserRef
    modified_by: UserRef
    seq: int
    marker: str | None = None
    gone: bool = False
    comments: tuple[Comment, ...] = ()
    commented: datetime | None = None
    links: tuple[Link, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    contents: dict[str, bytes] = field(default_factory=dict)
    history: tuple[Edit, ...] = ()


@dataclass
class Fault:
    """The next `times` requests of kind `on` ("" = any) about entity `id` ("" = any) fail with `error`.

    `acted`: the system does what it was asked and only its answer is lost.
    """

    error: BaseException
    on: str = ""
    id: str = ""
    times: int = 1
    acted: bool = False


@dataclass(frozen=True)
class Ask:
    """What one page of changes is asked for: where it begins, how large it is, which feed, which entities."""

    size: int
    after: Place | None = None
    comments: bool = False
    where: Callable[[Fields], bool] | None = None


@dataclass
class MemorySystem:
    """One system. Everything a test may want to script is an attribute; the defaults are a well-behaved tracker.

    scopes        scope -> title; None = every scope is known
    reactions     what the system moves by itself when something is written
    sends_along   fields that the connector sends with their present value, so that a reaction leaves them alone
    ignores       fields whose new values are silently dropped
    cuts          field -> characters; what is longer is silently cut
    rejects       field -> the words with which a write of it is refused
    forbidden     ids that our account may not see
    weak_versions the version is the modified time: two edits within one tick share it
    latency       seconds that every request takes
    file          where the data is kept as JSON after each write, so that several processes share it
    """

    url: str = "memory://"
    schemas: dict[str, EntitySchema] = field(default_factory=lambda: {TICKET.type: TICKET})
    scopes: Mapping[str, str] | None = None
    users: tuple[UserRef, ...] = (ACCOUNT, ALICE, BOB)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    limits: Limits = LIMITS
    reactions: list[Reaction] = field(default_factory=list)
    sends_along: frozenset[str] = frozenset()
    ignores: set[str] = field(default_factory=set)
    cuts: dict[str, int] = field(default_factory=dict)
    rejects: dict[str, str] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    weak_versions: bool = False
    latency: float = 0.0
    file: Path | None = None
    faults: list[Fault] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)
    seq: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _depth: int = 0
    _seen: _memory_file.Stamp = None

    # Scripting

    def fail(self, error: BaseException, *, on: str = "", id: str = "", times: int = 1, acted: bool = False) -> None:
        """Let the next requests fail (see `Fault`)."""
        self.faults.append(Fault(error, on, id, times, acted))

    @contextmanager
    def request(self, name: str, id: str = "") -> Iterator[None]:
        """One request of a connector: where faults strike. People's edits make no requests."""
        fault = next((f for f in self.faults if f.on in ("", name) and f.id in ("", id)), None)
        if fault is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.faults.remove(fault)
            if not fault.acted:
                raise fault.error
        yield
        if fault is not None:
            raise fault.error

    # Reading

    def schema(self, scope: str, entity_type: str) -> EntitySchema:
        """Raises ConfigurationError, naming near names."""
        if entity_type not in self.types(scope):
            known = near(entity_type, self.schemas)
            raise ConfigurationError(f'{self.url} has no entity type "{entity_type}"; it has {known}')
        return self.schemas[entity_type]

    def types(self, scope: str) -> tuple[str, ...]:
        """The entity types of a scope. Raises ConfigurationError, naming near scopes."""
        if self.scopes is not None and scope not in self.scopes:
            raise ConfigurationError(f'{self.url} has no scope "{scope}"; it has {near(scope, self.scopes)}')
        return tuple(self.schemas)

    def get(self, ref: EntityRef) -> Entity | Gone | Forbidden:
        with self._guard():
            if ref.id in self.forbidden:
                return Forbidden(f"{ref} may not be seen", ref=ref)
            row = self.rows.get(ref.id)
            return Gone(ref) if row is None or row.gone or row.ref.type != ref.type else self._entity(row)

    def page(self, scope: str, entity_type: str, since: datetime | None, ask: Ask) -> tuple[list[Entity], Place | None]:
        """One page of what was modified since then, oldest first, and the place where the next one begins, if any."""
        with self._guard():
            self.schema(scope, entity_type)
            newest = self.clock() - self.limits.search_lag
            timeless = self.limits.timestamp_resolution is None
            found: list[tuple[Place, Row]] = []
            for row in self.rows.values():
                at = (row.commented or row.created) if ask.comments else row.modified
                here = (row.ref.scope, row.ref.type) == (scope, entity_type)
                if row.gone or row.ref.id in self.forbidden or not here or at > newest:
                    continue
                if ask.where is not None and not ask.where(row.fields):
                    continue
                place = (at, row.seq)
                if (timeless or since is None or at >= since) and (ask.after is None or place > ask.after):
                    found.append((place, row))
            found.sort(key=lambda pair: pair[0])
            more = len(found) > ask.size
            return [self._entity(row) for _, row in found[: ask.size]], found[ask.size - 1][0] if more else None

    def find(self, scope: str, entity_type: str, marker: str) -> EntityRef | None:
        with self._guard():
            found = (
                r for r in self.rows.values() if (r.ref.scope, r.ref.type, r.marker) == (scope, entity_type, marker)
            )
            return next((row.ref for row in found if not row.gone), None)

    def row(self, ref: EntityRef) -> Row:
        """What the store holds of a living entity. Raises NotFound or Forbidden."""
        with self._guard():
            found = self.get(ref)
            if isinstance(found, Forbidden):
                raise found
            if isinstance(found, Gone):
                raise NotFound(f"{ref} does not exist in {self.url}", ref=ref)
            return self.rows[ref.id]

    # Writing

    def add(
        self, scope: str, entity_type: str, fields: Fields, *, by: UserRef = ACCOUNT, marker: str | None = None
    ) -> Entity:
        """Create one entity. Raises Rejected with the refused fields."""
        with self._guard(writing=True):
            schema = self.schema(scope, entity_type)
            missing = {f.name: None for f in schema.fields.values() if f.required}
            blank: dict[str, Value] = {f.name: _memory_values.held(f, None) for f in schema.fields.values()}
            for name, listed in schema.fields.items():
                if listed.choices and not listed.multiple:
                    blank[name] = listed.choices[0]
            accepted = self._accepted(schema, {**missing, **fields}, None, "create")
            now = self._now()
            self.seq += 1
            ref = EntityRef(scope, entity_type, str(self.seq))
            row = Row(ref, {**blank, **accepted}, now, now, by, by, self.seq, marker)
            row.fields.update(self._reaction("create", blank, fields))
            self.rows[ref.id] = row
            return self._entity(row)

    def edit(self, ref: EntityRef, fields: Fields, *, by: UserRef = ALICE, expected: str | None = None) -> Entity:
        """Write these fields. Raises Changed where the version is no longer the expected one, Rejected, NotFound."""
        with self._guard(writing=True):
            row = self.row(ref)
            if expected is not None and self._entity(row).version != expected:
                raise Changed(f"{ref} was edited meanwhile", ref=ref)
            accepted = self._accepted(self.schemas[ref.type], fields, ref, "update")
            self._write(row, {**accepted, **self._reaction("update", row.fields, fields)}, by)
            return self._entity(row)

    def remove(self, ref: EntityRef) -> None:
        with self._guard(writing=True):
            self.row(ref).gone = True

    def comment(
        self,
        ref: EntityRef,
        text: str,
        *,
        by: UserRef = ALICE,
        draft: Comment | None = None,
        along: Fields | None = None,
    ) -> tuple[Comment, Entity]:
        """Add a comment; `along` are fields sent with it. What of the draft's author and time holds, `limits` say."""
        with self._guard(writing=True):
            row = self.row(ref)
            self.seq += 1
            draft = draft or Comment("", RichText(text))
            author = draft.author if self.limits.comment_author and draft.author else by
            created = draft.created if self.limits.comment_time and draft.created else self._now()
            kept = replace(draft, id=f"c{self.seq}", text=RichText(normal_text(text)), author=author, created=created)
            row.comments += (kept,)
            sent = along or {}
            self._write(row, {**sent, **self._reaction("comment", row.fields, sent)}, by, commented=True)
            return kept, self._entity(row)

    def recomment(self, ref: EntityRef, id: str, text: str | None, *, by: UserRef = ALICE) -> Entity:
        """Replace the text of a comment; None deletes it. Raises NotFound where there is no such comment."""
        with self._guard(writing=True):
            row = self.row(ref)
            old = next((c for c in row.comments if c.id == id), None)
            if old is None:
                raise NotFound(f"{ref} has no comment {id}", ref=ref)
            new = () if text is None else (replace(old, text=RichText(normal_text(text)), edited=self._now()),)
            at = row.comments.index(old)
            row.comments = row.comments[:at] + new + row.comments[at + 1 :]
            self._write(row, {}, by, commented=True)
            return self._entity(row)

    def put(self, ref: EntityRef, *, by: UserRef, moves: bool = True, **attributes: object) -> Entity:
        """Replace attributes of the row (links, attachments); `moves`: its modified time moves with it."""
        with self._guard(writing=True):
            row = self.row(ref)
            for name, value in attributes.items():
                setattr(row, name, value)
            if moves:
                self._move(row, by)
            return self._entity(row)

    # Inside

    def _accepted(self, schema: EntitySchema, fields: Fields, ref: EntityRef | None, what: str) -> dict[str, Value]:
        """What the system holds of what it is sent."""
        refused: dict[str, str] = {}
        accepted: dict[str, Value] = {}
        for name, value in fields.items():
            known = schema.fields.get(name)
            if known is None:
                refused[name] = f"is unknown; known are {near(name, schema.fields)}"
            elif name in self.rejects:
                refused[name] = self.rejects[name]
            elif not (known.on_create if what == "create" else known.on_update):
                refused[name] = "is read only"
            elif words := _memory_values.problem(known, value, self.users):
                refused[name] = words
            elif name not in self.ignores:
                accepted[name] = _cut(_memory_values.held(known, value), self.cuts.get(name))
        if refused:
            words = "; ".join(f"{name} {why}" for name, why in refused.items())
            raise Rejected(f"{self.url} refuses {ref or schema.type}: {words}", fields=refused, ref=ref)
        return accepted

    def _reaction(self, what: str, before: Fields, sent: Fields) -> dict[str, Value]:
        moved: dict[str, Value] = {}
        for reaction in self.reactions:
            moved.update(reaction(what, before, sent))
        return moved

    def _write(self, row: Row, fields: Fields, by: UserRef, *, commented: bool = False) -> None:
        now = self._now()
        changed = {name: value for name, value in fields.items() if not same(row.fields[name], value)}
        row.history += tuple(Edit(name, now, by, row.fields[name], value) for name, value in changed.items())
        row.fields = {**row.fields, **changed}
        visible = self.limits.comment_changes_visible if commented else self.limits.bumps_on_noop
        if commented:
            row.commented = now
        if changed or visible:
            self._move(row, by)

    def _move(self, row: Row, by: UserRef) -> None:
        self.seq += 1
        row.seq, row.modified, row.modified_by = self.seq, self._now(), by

    def _now(self) -> datetime:
        """The clock, down to its last full tick."""
        now = self.clock().astimezone(UTC)
        tick = self.limits.timestamp_resolution or timedelta(microseconds=1)
        return now - (now - datetime(1970, 1, 1, tzinfo=UTC)) % tick

    def _entity(self, row: Row) -> Entity:
        timed = self.limits.timestamp_resolution is not None
        return Entity(
            ref=row.ref,
            fields=dict(row.fields),
            version=row.modified.isoformat() if self.weak_versions else str(row.seq),
            modified=row.modified if timed else None,
            created=row.created if timed else None,
            modified_by=row.modified_by,
            created_by=row.created_by,
            key=f"#{row.ref.id}",
            url=f"{self.url}/{row.ref.type}/{row.ref.id}",
        )

    @contextmanager
    def _guard(self, writing: bool = False) -> Iterator[None]:
        """One thread, and with a file one process, at a time; a write that ends well is on disk when this ends."""
        with self._lock:
            if self.file is None or self._depth:
                yield
                return
            with _memory_file.locked(self.file):
                self._depth += 1
                try:
                    self._seen, loaded = _memory_file.load(self.file, self._seen)
                    if loaded is not None:
                        self.seq, self.rows = loaded
                    yield
                    if writing:
                        self._seen = _memory_file.save(self.file, self.seq, self.rows)
                finally:
                    self._depth -= 1


def _cut(value: Value, length: int | None) -> Value:
    if length is None:
        return value
    if isinstance(value, RichText):
        return RichText(value.canonical[:length])
    return value[:length] if isinstance(value, str) else value
