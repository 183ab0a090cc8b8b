"""`create` and `update`: what was sent is what is held, and the answer never flatters."""

from __future__ import annotations

import pytest

from connectors.conformance.subject import Subject, as_text, invent, token
from connectors.entity import Choice, Entity, same
from connectors.errors import Changed, ConfigurationError, NotFound, Rejected
from connectors.schema import FieldSchema, FieldType


class WritingRules:
    """Writes, their answers and their refusals."""

    async def test_what_is_created_is_read_back_equal(self, subject: Subject) -> None:
        sample = await subject.sample()
        marker = f"syncline-{token()}"
        created = await subject.connector.create(subject.scope, subject.entity_type, sample, marker=marker)
        assert (created.ref.scope, created.ref.type) == (subject.scope, subject.entity_type)
        subject.assert_holds(created, sample)
        subject.assert_holds(await subject.now(created.ref), sample)

    async def test_the_least_a_create_needs_is_enough(self, subject: Subject) -> None:
        required = await subject.required()
        created = await subject.connector.create(subject.scope, subject.entity_type, required, marker=None)
        subject.assert_holds(await subject.now(created.ref), required)

    async def test_the_answer_of_a_create_is_what_read_shows(self, subject: Subject) -> None:
        created = await subject.make()
        assert_shown(created, await subject.now(created.ref))

    async def test_every_field_can_be_edited_and_reads_back_equal(self, subject: Subject) -> None:
        made, other = await subject.make(), await subject.other()
        updated = await subject.connector.update(made, other, expected=made.version)
        subject.assert_holds(updated, other)
        subject.assert_holds(await subject.now(made.ref), other)
        assert_shown(updated, await subject.now(made.ref))

    async def test_fields_that_are_not_required_can_be_emptied(self, subject: Subject) -> None:
        fields = await subject.writable(FieldType.RICH_TEXT, FieldType.NUMBER, FieldType.DATE, FieldType.USER)
        optional = {f.name: None for f in fields if not f.required}
        if not optional:
            pytest.skip("every writable field is required")
        made = await subject.make()
        for name, nothing in optional.items():
            before = await subject.now(made.ref)
            try:
                updated = await subject.connector.update(before, {name: nothing}, expected=None)
            except Rejected:
                continue  # said so: that is all we ask
            assert_shown(updated, await subject.now(made.ref))

    async def test_an_update_writes_the_named_fields_and_no_others(self, subject: Subject) -> None:
        field = await subject.text_field()
        made = await subject.make()
        text = as_text(field, f"Ours {token()}")
        updated = await subject.connector.update(made, {field.name: text}, expected=None)
        assert updated.fields[field.name] == text
        for name in await subject.sample():
            assert name == field.name or same(updated.fields[name], made.fields[name]), f"{name} moved"

    async def test_an_update_leaves_what_others_wrote_into_other_fields(self, subject: Subject) -> None:
        field = await subject.text_field()
        kinds = (FieldType.RICH_TEXT, FieldType.TEXT, FieldType.NUMBER, FieldType.DATE, FieldType.BOOLEAN)
        theirs = next((f for f in await subject.writable(*kinds) if f.name != field.name), None)
        if theirs is None:
            pytest.skip("there is one writable field only")
        made = await subject.make()
        value = invent(theirs, 1)
        await subject.edit_elsewhere(made, {theirs.name: value})
        ours = as_text(field, f"Ours {token()}")
        await subject.connector.update(made, {field.name: ours}, expected=None)
        now = await subject.now(made.ref)
        subject.assert_holds(now, {field.name: ours, theirs.name: value})

    async def test_a_stale_write_raises_changed_and_writes_nothing(self, subject: Subject) -> None:
        field = await subject.text_field()
        stale = await subject.make()
        await subject.next_tick()
        ours, theirs = (as_text(field, f"{whose} {token()}") for whose in ("Ours", "Theirs"))
        await subject.edit_elsewhere(stale, {field.name: theirs})
        with pytest.raises(Changed):
            await subject.connector.update(stale, {field.name: ours}, expected=stale.version)
        assert (await subject.now(stale.ref)).fields[field.name] == theirs

    async def test_every_edit_moves_the_version_and_the_time(self, subject: Subject) -> None:
        field = await subject.text_field()
        entity = await subject.make()
        for n in range(3):
            await subject.next_tick()
            text = as_text(field, f"Edit {n} {token()}")
            edited = await subject.connector.update(entity, {field.name: text}, expected=entity.version)
            assert edited.version != entity.version
            if edited.modified is not None and entity.modified is not None:
                assert edited.modified > entity.modified
            entity = edited

    async def test_an_update_of_an_entity_that_is_not_there_is_refused(self, subject: Subject) -> None:
        field = await subject.text_field()
        made = await subject.make()
        nobody = Entity(subject.unknown(made.ref), made.fields, made.version, extra=made.extra)
        with pytest.raises(NotFound):
            await subject.connector.update(nobody, {field.name: as_text(field, "Nobody")}, expected=None)

    async def test_a_create_in_an_unknown_type_is_refused(self, subject: Subject) -> None:
        sample = await subject.sample()
        with pytest.raises(ConfigurationError):
            await subject.connector.create(subject.scope, f"{subject.entity_type}x", sample, marker=None)

    async def test_a_value_is_written_or_refused_or_seen_to_be_ignored(self, subject: Subject) -> None:
        """A choice that does not exist, a field that cannot be written: success may not be claimed."""
        schema = await subject.schema()
        made = await subject.make()
        for field in schema.fields.values():
            value = _unwelcome(field)
            if value is None or field.name in subject.leave_out:
                continue
            before = await subject.now(made.ref)
            try:
                updated = await subject.connector.update(before, {field.name: value}, expected=None)
            except Rejected:
                assert_shown(before, await subject.now(made.ref))
            else:
                assert_shown(updated, await subject.now(made.ref))

    async def test_a_create_without_a_required_field_is_refused(self, subject: Subject) -> None:
        schema = await subject.schema()
        sample = await subject.sample()
        required = [f.name for f in schema.fields.values() if f.required and f.on_create and f.name in sample]
        if not required:
            pytest.skip("no field is required")
        for name in required:
            fields = {other: value for other, value in sample.items() if other != name}
            try:
                created = await subject.connector.create(subject.scope, subject.entity_type, fields, marker=None)
            except Rejected:
                continue
            # Some systems fill in a default. Then it shows.
            assert not same(created.fields[name], None), f"{name} is required, but a create without it went through"


def assert_shown(answer: Entity, read: Entity) -> None:
    """What a write answered is what the system holds: also where it ignored, cut or moved something."""
    for name, value in read.fields.items():
        assert same(answer.fields[name], value), f"{name}: answered {answer.fields[name]!r}, read {value!r}"
    assert answer.version == read.version
    assert answer.modified == read.modified


def _unwelcome(field: FieldSchema) -> Choice | str | int | tuple[Choice, ...] | None:
    """A value that a system has reason to refuse; None where there is no sure one."""
    if field.type is FieldType.CHOICE and field.choices:
        unknown = Choice(f"no-such-{token()}")
        return (unknown,) if field.multiple else unknown
    if field.type is FieldType.TEXT and field.max_length and not field.read_only:
        return "x" * (field.max_length + 1)
    if field.read_only and field.type in (FieldType.TEXT, FieldType.NUMBER) and not field.multiple:
        return f"changed {token()}" if field.type is FieldType.TEXT else 7
    return None
