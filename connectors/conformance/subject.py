"""What the kit needs to know of a connector under test, and what it derives from that and from the schema."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar, cast

import httpx
import pytest
from pydantic import BaseModel, SecretStr

from connectors.contract import Connector, Normalises, Query
from connectors.entity import Entity, EntityRef, Fields, RichText, Scalar, Url, UserRef, Value, same
from connectors.errors import ConnectorError
from connectors.schema import EntitySchema, FieldSchema, FieldType

Ability = TypeVar("Ability")


def network() -> httpx.AsyncBaseTransport:
    """The way over the network, whatever a shell happened to export."""
    return httpx.AsyncHTTPTransport(trust_env=False)


def by_method(request: httpx.Request) -> bool:
    """Whether a request only reads, as HTTP says it."""
    return request.method in ("GET", "HEAD", "OPTIONS")


@dataclass
class Subject:
    """A connector under test.

    connector     built as the daemon would build it, on a system that tests may write to
    entity_type   and `scope`: where the kit creates its entities
    fields        values for a create that the kit cannot invent (users, open-ended choices …)
    other_fields  other values for the same fields, to edit them to
    leave_out     names of writable fields that the kit shall leave alone
    elsewhere     a second client of the same system, to edit behind the connector's back; else the connector itself
    user          a user that can be looked up, and be the author of a comment
    over          builds the same connector over a given HTTP transport; None for who speaks no HTTP
    transport     makes the transport that really reaches the system (a double's, or the network's)
    reads         tells requests that only read, for systems that search or log in by POST
    tick          lets the system's clock move by one tick; else the kit waits for `limits.timestamp_resolution`
    unknown_id    an id that has the right form and belongs to no entity
    secrets       what must never show, besides every SecretStr of `connector.config`
    """

    connector: Connector
    entity_type: str
    scope: str = ""
    fields: Fields = field(default_factory=dict)
    other_fields: Fields = field(default_factory=dict)
    leave_out: frozenset[str] = frozenset()
    elsewhere: Connector | None = None
    user: UserRef | None = None
    over: Callable[[httpx.AsyncBaseTransport], Connector] | None = None
    transport: Callable[[], httpx.AsyncBaseTransport] = network
    reads: Callable[[httpx.Request], bool] = by_method
    tick: Callable[[], Awaitable[None]] | None = None
    unknown_id: str | None = None
    secrets: tuple[str, ...] = ()

    # What the schema tells

    async def schema(self) -> EntitySchema:
        return await self.connector.schema(self.scope, self.entity_type)

    async def writable(self, *types: FieldType) -> list[FieldSchema]:
        """Fields of these types (all types if none is named) that the kit may write on create and on update."""
        fields = (await self.schema()).fields.values()
        free = (f for f in fields if f.on_create and f.on_update and f.name not in self.leave_out)
        return [f for f in free if not types or f.type in types]

    async def text_field(self) -> FieldSchema:
        """The field that carries the kit's texts: the first one with plain text, else with rich text."""
        found = await self.writable(FieldType.TEXT) or await self.writable(FieldType.RICH_TEXT)
        return next(iter(found), None) or pytest.skip("no text field can be written on create and on update")

    async def sample(self) -> dict[str, Value]:
        """A value for every field that can be written on create, where the kit or the subject has one."""
        return await self._values(0, {**self.fields})

    async def other(self) -> dict[str, Value]:
        """Another value for each of these fields that can be written on update too."""
        updatable = {f.name for f in await self.writable()}
        values = await self._values(1, {**self.other_fields})
        return {name: value for name, value in values.items() if name in updatable}

    async def required(self) -> dict[str, Value]:
        """The sample, less all that a create does not need."""
        schema = await self.schema()
        return {n: v for n, v in (await self.sample()).items() if schema.fields[n].required or n in self.fields}

    async def _values(self, turn: int, given: dict[str, Value]) -> dict[str, Value]:
        schema = await self.schema()
        invented = {f.name: invent(f, turn) for f in schema.fields.values() if f.on_create}
        kept = {n: v for n, v in invented.items() if v is not None and n not in self.leave_out}
        return {**kept, **given}

    # What the system does

    async def make(self, **fields: Value) -> Entity:
        """Create an entity: the sample, and these fields."""
        return await self.connector.create(self.scope, self.entity_type, {**await self.sample(), **fields}, marker=None)

    async def now(self, ref: EntityRef) -> Entity:
        """The entity as `read` shows it."""
        found = (await self.connector.read([ref]))[ref]
        assert isinstance(found, Entity), f"{ref} should be there, but read answers {found!r}"
        return found

    async def edit_elsewhere(self, entity: Entity, fields: Fields) -> Entity:
        """Somebody else edits the entity behind the connector's back."""
        client = self.elsewhere or self.connector
        return await client.update(await self.now(entity.ref), fields, expected=None)

    async def changed(self, since: datetime | None) -> list[Entity]:
        """All that `changes` brings, in its order."""
        await self.settle()
        return [entity async for page in self.connector.changes(self.query(since)) for entity in page.entities]

    def query(self, since: datetime | None) -> Query:
        return Query(self.scope, self.entity_type, since)

    async def next_tick(self) -> None:
        """Wait until the system's clock shows another time."""
        resolution = self.connector.limits.timestamp_resolution
        if self.tick is not None:
            await self.tick()
        elif resolution is not None:
            await asyncio.sleep(resolution.total_seconds() * 1.05 + 0.005)

    async def settle(self) -> None:
        """Wait as long as a fresh write may be missing from `changes`."""
        await asyncio.sleep(self.connector.limits.search_lag.total_seconds())

    # What the kit asks

    def able(self, ability: type[Ability]) -> Ability:
        """The connector as one that has this optional ability; skips the test where it has not."""
        if not isinstance(self.connector, ability):
            pytest.skip(f"this connector is not {ability.__name__}")
        return cast(Ability, self.connector)

    def timed(self) -> timedelta:
        """The step of the system's clock; skips the test where the system has no modified time."""
        resolution = self.connector.limits.timestamp_resolution
        return resolution if resolution is not None else pytest.skip("this system has no modified time")

    def pages_of(self, size: int) -> None:
        """From here on the connector asks for pages of this size: pages hold at most `limits.max_page` entities."""
        self.connector.limits = replace(self.connector.limits, max_page=size)

    def predicted(self, name: str, value: Value) -> Value:
        """The value as it should be read after it was written."""
        if isinstance(self.connector, Normalises):
            return self.connector.normalise(self.entity_type, name, value)
        return value

    def assert_holds(self, entity: Entity, sent: Fields) -> None:
        """The entity has every value that was sent, equal in canonical form."""
        for name, value in sent.items():
            there = entity.fields[name]
            assert same(there, self.predicted(name, value)), f"{name}: sent {value!r}, it holds {there!r}"

    def unknown(self, like: EntityRef) -> EntityRef:
        """A ref that no entity has."""
        made_up = "999999999" if like.id.isdecimal() else f"{like.id[:-1]}{'0' if like.id[-1] != '0' else '1'}"
        return EntityRef(like.scope, like.type, self.unknown_id or made_up)

    def assert_no_secret(self, *texts: object) -> None:
        """None of the secrets shows in any of these (errors: with all that led to them)."""
        config = getattr(self.connector, "config", None)
        secrets = [*self.secrets, *(_secrets(config) if isinstance(config, BaseModel) else ())]
        for text in (part for thing in texts for part in _shown(thing)):
            assert not any(secret in text for secret in secrets), "a secret shows"


def token() -> str:
    """A word that no other test has used."""
    return uuid.uuid4().hex[:10]


def as_text(field: FieldSchema, text: str) -> Value:
    """The text as a value of this field, plain or rich."""
    return RichText(text) if field.type is FieldType.RICH_TEXT else text


def invent(schema: FieldSchema, turn: int) -> Value:
    """A value that the field surely takes, another one for each `turn` (0 or 1); None where the kit knows none."""
    one: Scalar = None
    match schema.type:
        case FieldType.TEXT:
            one = f"{'First' if turn == 0 else 'Second'} text {token()}"[: schema.max_length]
        case FieldType.RICH_TEXT:
            one = RichText(f"{'First' if turn == 0 else 'Second'} text {token()}"[: schema.max_length])
        case FieldType.NUMBER:
            one = 10 * (turn + 1)
        case FieldType.BOOLEAN:
            one = turn == 0
        case FieldType.DATE:
            one = date(2026, 11, 20 + turn)
        case FieldType.DATETIME:
            one = datetime(2026, 11, 20 + turn, 8, 30, tzinfo=UTC)
        case FieldType.URL:
            one = Url(f"https://example.org/{turn}")
        case FieldType.CHOICE if schema.choices:
            one = schema.choices[turn % len(schema.choices)]
    return one if one is None or not schema.multiple else (one,)


def _secrets(model: BaseModel) -> Iterator[str]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, BaseModel):
            yield from _secrets(value)


def _shown(thing: object) -> Iterator[str]:
    """Every text by which a thing may come to light."""
    yield str(thing)
    yield repr(thing)
    if isinstance(thing, ConnectorError):
        yield repr(vars(thing))
    if isinstance(thing, BaseException):
        cause = thing.__cause__ or (None if thing.__suppress_context__ else thing.__context__)
        if cause is not None:
            yield from _shown(cause)
    elif isinstance(thing, Mapping):
        for part in thing.values():
            yield from _shown(part)
