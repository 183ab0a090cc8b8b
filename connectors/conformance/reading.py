"""What comes out of a system: its schema, and entities in canonical form."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from connectors.conformance.subject import Subject
from connectors.contract import SystemInfo
from connectors.entity import Choice, Entity, Gone, Ref, RichText, Url, UserRef, Value, decode, empty, encode, members
from connectors.errors import ConfigurationError
from connectors.schema import FieldSchema, FieldType

CANONICAL: dict[FieldType, tuple[type, ...]] = {
    FieldType.TEXT: (str,),
    FieldType.RICH_TEXT: (RichText,),
    FieldType.NUMBER: (int, Decimal),
    FieldType.BOOLEAN: (bool,),
    FieldType.DATE: (date,),
    FieldType.DATETIME: (datetime,),
    FieldType.CHOICE: (Choice,),
    FieldType.USER: (UserRef,),
    FieldType.LINK: (Ref,),
    FieldType.URL: (Url,),
    FieldType.FILE: (Url, Ref, str),
}


class ReadingRules:
    """`check`, `schema` and `read`."""

    async def test_check_tells_what_it_reached(self, subject: Subject) -> None:
        info = await subject.connector.check()
        assert isinstance(info, SystemInfo)
        assert info.product
        subject.assert_no_secret(info)

    async def test_schema_names_the_type_and_each_field_by_its_own_name(self, subject: Subject) -> None:
        schema = await subject.schema()
        assert schema.type == subject.entity_type
        assert schema.fields
        assert all(name == field.name for name, field in schema.fields.items())

    async def test_an_unknown_entity_type_is_refused_with_the_near_names(self, subject: Subject) -> None:
        with pytest.raises(ConfigurationError) as refused:
            await subject.connector.schema(subject.scope, f"{subject.entity_type}x")
        assert subject.entity_type in str(refused.value)

    async def test_an_unknown_scope_is_refused_with_the_near_names(self, subject: Subject) -> None:
        if not subject.scope:
            pytest.skip("this system has no scopes")
        with pytest.raises(ConfigurationError) as refused:
            await subject.connector.schema(f"{subject.scope}x", subject.entity_type)
        assert subject.scope in str(refused.value).replace(f"{subject.scope}x", "")

    async def test_fields_that_come_are_exactly_the_fields_of_the_schema(self, subject: Subject) -> None:
        schema = await subject.schema()
        created = await subject.make()
        listed = next(e for e in await subject.changed(created.modified) if e.ref == created.ref)
        for entity in (created, await subject.now(created.ref), listed):
            assert set(entity.fields) == set(schema.fields)

    async def test_every_value_is_canonical_and_fits_its_field(self, subject: Subject) -> None:
        schema = await subject.schema()
        created = await subject.make()
        for entity in (created, await subject.now(created.ref)):
            for name, value in entity.fields.items():
                assert_fits(schema.fields[name], value)

    async def test_every_value_survives_being_stored_as_json(self, subject: Subject) -> None:
        entity = await subject.now((await subject.make()).ref)
        for name, value in entity.fields.items():
            assert decode(encode(value)) == value, name

    async def test_times_of_an_entity_are_aware_and_in_utc(self, subject: Subject) -> None:
        created = await subject.make()
        for entity in (created, await subject.now(created.ref)):
            for moment in (entity.modified, entity.created):
                assert moment is None or in_utc(moment)
            assert entity.modified is not None or subject.connector.limits.timestamp_resolution is None

    async def test_reading_twice_shows_the_same_version(self, subject: Subject) -> None:
        ref = (await subject.make()).ref
        first, second = await subject.now(ref), await subject.now(ref)
        assert first.version
        assert (first.version, first.fields) == (second.version, second.fields)

    async def test_an_unknown_id_is_gone(self, subject: Subject) -> None:
        unknown = subject.unknown((await subject.make()).ref)
        assert await subject.connector.read([unknown]) == {unknown: Gone(unknown)}

    async def test_every_ref_asked_for_is_answered_also_beyond_one_page(self, subject: Subject) -> None:
        subject.pages_of(2)
        made = [(await subject.make()).ref for _ in range(5)]
        asked = [*made, subject.unknown(made[0]), made[0]]
        answer = await subject.connector.read(asked)
        assert set(answer) == set(asked)
        assert all(isinstance(answer[ref], Entity) for ref in made)
        assert await subject.connector.read([]) == {}

    async def test_an_entity_is_known_by_type_and_id_alone(self, subject: Subject) -> None:
        """The scope is a label: it may change while the entity stays the same."""
        entity = await subject.make()
        moved = replace(entity.ref, scope="")
        assert moved == entity.ref
        assert isinstance((await subject.connector.read([moved]))[moved], Entity)


def in_utc(moment: datetime) -> bool:
    return moment.utcoffset() == timedelta(0)


def assert_fits(field: FieldSchema, value: Value) -> None:
    """The value has the type that its field promises: several values in a tuple, times aware and in UTC."""
    assert isinstance(value, tuple) == field.multiple or empty(value), f"{field.name}: {value!r}"
    for member in members(value):
        assert type(member) in CANONICAL[field.type], f"{field.name} is {field.type}, but {member!r} came"
        if isinstance(member, datetime):
            assert in_utc(member), f"{field.name}: {member!r} is not in UTC"
        if isinstance(member, RichText):
            assert "\r" not in member.canonical, f"{field.name}: canonical text has CR"
            assert member.canonical == member.canonical.strip(), f"{field.name}: canonical text has outer blanks"
