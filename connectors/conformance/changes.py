"""`changes`: everything since a moment, complete although people go on working."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.conformance.reading import in_utc
from connectors.conformance.subject import Subject, as_text, token
from connectors.entity import Entity, EntityRef
from connectors.errors import ConfigurationError


class ChangesRules:
    """`changes`, its boundary and its pages."""

    async def test_changes_bring_what_was_created_and_what_was_edited(self, subject: Subject) -> None:
        made = await subject.make()
        assert made.ref in refs(await subject.changed(made.modified))
        text = f"Edited {token()}"
        field = await subject.text_field()
        edited = await subject.edit_elsewhere(made, {field.name: as_text(field, text)})
        found = [e for e in await subject.changed(edited.modified) if e.ref == made.ref]
        assert str(found[-1].fields[field.name]) == text

    async def test_changes_show_an_entity_as_read_does(self, subject: Subject) -> None:
        made = await subject.make()
        listed = next(e for e in await subject.changed(made.modified) if e.ref == made.ref)
        read = await subject.now(made.ref)
        assert (listed.fields, listed.version, listed.modified) == (read.fields, read.version, read.modified)

    async def test_since_is_inclusive(self, subject: Subject) -> None:
        made = [await subject.make() for _ in range(3)]
        for entity in made:
            assert entity.ref in refs(await subject.changed(entity.modified))

    async def test_since_may_be_finer_than_the_clock(self, subject: Subject) -> None:
        subject.timed()
        made = await subject.make()
        assert made.modified is not None
        assert made.ref in refs(await subject.changed(made.modified - timedelta(microseconds=1)))

    async def test_what_is_older_than_since_does_not_come(self, subject: Subject) -> None:
        subject.timed()
        old = await subject.make()
        await subject.next_tick()
        new = await subject.make()
        found = refs(await subject.changed(new.modified))
        assert new.ref in found
        assert old.ref not in found

    async def test_without_a_modified_time_everything_comes_whatever_since_says(self, subject: Subject) -> None:
        if subject.connector.limits.timestamp_resolution is not None:
            pytest.skip("this system has a modified time")
        made = await subject.make()
        assert made.ref in refs(await subject.changed(datetime(2999, 1, 1, tzinfo=UTC)))

    async def test_two_edits_within_one_tick_both_arrive(self, subject: Subject) -> None:
        field = await subject.text_field()
        made = await subject.make()
        for _ in range(3):
            one = await subject.edit_elsewhere(made, {field.name: as_text(field, f"One {token()}")})
            seen = latest(await subject.changed(one.modified), one)
            two = await subject.edit_elsewhere(made, {field.name: as_text(field, f"Two {token()}")})
            then = latest(await subject.changed(one.modified), one)
            assert then.fields[field.name] == two.fields[field.name]
            assert (seen.version, seen.fields) != (then.version, then.fields)

    async def test_pages_are_complete_ordered_and_no_larger_than_promised(self, subject: Subject) -> None:
        subject.pages_of(3)
        made = [await subject.make() for _ in range(4)]
        await subject.next_tick()
        made += [await subject.make() for _ in range(4)]
        await subject.settle()
        pages = [page async for page in subject.connector.changes(subject.query(made[0].modified))]
        assert all(len(page.entities) <= 3 for page in pages)
        assert all(page.server_time is None or in_utc(page.server_time) for page in pages)
        came = [e for page in pages for e in page.entities]
        assert set(refs(made)) <= set(refs(came))
        assert len(came) == len(set(refs(came))), "an entity that nobody edited came twice"
        times = [e.modified for e in came if e.modified is not None]
        assert times == sorted(times), "oldest change first"

    async def test_entities_edited_between_two_pages_are_not_lost(self, subject: Subject) -> None:
        """Whoever pages by offset loses the one that slides into the page already turned."""
        subject.pages_of(3)
        field = await subject.text_field()
        made = [await subject.make() for _ in range(8)]
        await subject.next_tick()
        await subject.settle()
        came: list[Entity] = []
        edits = 0
        async for page in subject.connector.changes(subject.query(made[0].modified)):
            came += page.entities
            seen = [e for e in made if e.ref in refs(came)]
            waiting = [e for e in made if e.ref not in refs(came)]
            if edits < 4:
                for entity in (*seen[:1], *waiting[-1:]):
                    edits += 1
                    await subject.edit_elsewhere(entity, {field.name: as_text(field, f"Edited {token()}")})
        assert set(refs(made)) <= set(refs(came))

    async def test_changes_of_an_unknown_type_are_refused(self, subject: Subject) -> None:
        query = subject.query(None)
        unknown = type(query)(query.scope, f"{query.entity_type}x")
        with pytest.raises(ConfigurationError):
            [page async for page in subject.connector.changes(unknown)]


def refs(entities: list[Entity]) -> list[EntityRef]:
    return [entity.ref for entity in entities]


def latest(entities: list[Entity], like: Entity) -> Entity:
    """The last that came of this entity."""
    return [entity for entity in entities if entity.ref == like.ref][-1]
