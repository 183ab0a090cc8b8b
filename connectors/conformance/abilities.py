"""The small optional abilities, each asked for by its protocol."""

# mypy: disable-error-code="type-abstract"
# Asking for a protocol by its name is what `able` is for; mypy only knows that for isinstance.

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from connectors.conformance.reading import in_utc
from connectors.conformance.subject import Subject, as_text, token
from connectors.contract import (
    Closes,
    CountsRequests,
    Deletes,
    FindsMarkers,
    HasAttachments,
    HasHistory,
    HasLinks,
    HasUsers,
    Listens,
    ListsScopes,
    Normalises,
    WritesInBulk,
)
from connectors.entity import Attachment, Entity, EntityRef, Gone, Link, same
from connectors.errors import Rejected


class AbilityRules:
    """Markers, deletes, users, links, attachments, history, scopes, events, bulk."""

    async def test_an_entity_is_found_by_its_marker(self, subject: Subject) -> None:
        finder = subject.able(FindsMarkers)
        marker = f"syncline-{token()}"
        sample = await subject.sample()
        created = await subject.connector.create(subject.scope, subject.entity_type, sample, marker=marker)
        assert await finder.find(subject.scope, subject.entity_type, marker) == created.ref
        assert await finder.find(subject.scope, subject.entity_type, f"syncline-{token()}") is None
        assert all(marker not in str(value) for value in created.fields.values())

    async def test_a_deleted_entity_is_gone(self, subject: Subject) -> None:
        deleter = subject.able(Deletes)
        kept, deleted = await subject.make(), await subject.make()
        await deleter.delete(deleted)
        answer = await subject.connector.read([kept.ref, deleted.ref])
        assert answer[deleted.ref] == Gone(deleted.ref)
        assert isinstance(answer[kept.ref], Entity)

    async def test_a_user_is_found_by_email_whatever_its_case(self, subject: Subject) -> None:
        finder = subject.able(HasUsers)
        user = subject.user or pytest.fail("this connector is HasUsers: give Subject a `user` that can be found")
        if not user.email:
            pytest.skip("this system hides e-mail addresses")
        for spelling in (user.email, user.email.upper()):
            assert list(await finder.find_user(spelling)) == [user]

    async def test_a_user_is_found_by_name_and_id_and_nobody_by_half_of_them(self, subject: Subject) -> None:
        finder = subject.able(HasUsers)
        user = subject.user or pytest.fail("this connector is HasUsers: give Subject a `user` that can be found")
        for text in filter(None, (user.username, user.id)):
            assert user in await finder.find_user(text)
        half = (user.email or user.username or user.id)[:-1]
        assert user not in await finder.find_user(half)
        assert list(await finder.find_user(f"{token()}@example.org")) == []

    async def test_a_link_shows_and_goes_again(self, subject: Subject) -> None:
        linker = subject.able(HasLinks)
        one, two = await subject.make(), await subject.make()
        link = await link_between(linker, one, two)
        there = await linker.links([one, two])
        assert set(there) == {one.ref, two.ref}
        assert _ends(link) in map(_ends, there[one.ref])
        await linker.delete_link(await subject.now(one.ref), link)
        assert _ends(link) not in map(_ends, (await linker.links([one]))[one.ref])

    async def test_an_attachment_arrives_byte_for_byte(self, subject: Subject) -> None:
        keeper = subject.able(HasAttachments)
        content = bytes(range(256)) * 800
        digest = hashlib.sha256(content).hexdigest()
        entity = await subject.make()
        wanted = Attachment("", "grüße 🚀.bin", len(content), "application/octet-stream")
        written, entity = await keeper.add_attachment(entity, wanted, _in_chunks(content))
        (there,) = (await keeper.attachments([entity]))[entity.ref]
        assert (there.id, there.name, there.size) == (written.id, wanted.name, len(content))
        assert there.sha256 in (None, digest)
        assert b"".join([chunk async for chunk in keeper.open_attachment(entity, there)]) == content
        entity = await keeper.delete_attachment(entity, there.id)
        assert (await keeper.attachments([entity]))[entity.ref] == ()

    async def test_history_tells_what_was_edited_and_when(self, subject: Subject) -> None:
        teller = subject.able(HasHistory)
        field = await subject.text_field()
        made = await subject.make()
        text = as_text(field, f"Edited {token()}")
        edited = await subject.connector.update(made, {field.name: text}, expected=None)
        edits = [edit for edit in await teller.history(edited, made.modified) if edit.field == field.name]
        assert same(edits[-1].after, text)
        assert same(edits[-1].before, made.fields[field.name])
        assert all(in_utc(edit.at) for edit in edits)

    async def test_the_scope_and_the_type_under_test_are_listed(self, subject: Subject) -> None:
        lister = subject.able(ListsScopes)
        assert subject.scope in await lister.scopes()
        assert subject.entity_type in await lister.entity_types(subject.scope)

    async def test_normalising_twice_changes_nothing_more(self, subject: Subject) -> None:
        normaliser = subject.able(Normalises)
        for name, value in (await subject.sample()).items():
            once = normaliser.normalise(subject.entity_type, name, value)
            assert normaliser.normalise(subject.entity_type, name, once) == once

    async def test_an_edit_is_heard_of(self, subject: Subject) -> None:
        listener = subject.able(Listens)
        made = await subject.make()
        heard: list[EntityRef] = []

        async def listen() -> None:
            async for ref in listener.events():
                heard.append(ref)
                if ref == made.ref:
                    return

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0)
        field = await subject.text_field()
        await subject.edit_elsewhere(made, {field.name: as_text(field, f"Heard {token()}")})
        await asyncio.wait_for(listening, 30)
        assert made.ref in heard

    async def test_one_bad_row_of_a_bulk_fails_alone(self, subject: Subject) -> None:
        writer = subject.able(WritesInBulk)
        good = await subject.sample()
        rows = [(good, None), ({**good, f"no-such-{token()}": "x"}, None), (good, None)]
        first, bad, last = await writer.create_many(subject.scope, subject.entity_type, rows)
        assert isinstance(first, Entity)
        assert isinstance(bad, Exception)
        assert isinstance(last, Entity)

    async def test_requests_are_counted(self, subject: Subject) -> None:
        counter = subject.able(CountsRequests)
        before = counter.requests
        await subject.make()
        assert counter.requests > before

    async def test_closing_twice_does_no_harm(self, subject: Subject) -> None:
        closer = subject.able(Closes)
        await closer.close()
        await closer.close()


async def link_between(linker: HasLinks, one: Entity, two: Entity) -> Link:
    """Link the two by the first type that this system allows between them."""
    for link_type in await linker.link_types():
        try:
            link = await linker.add_link(one, link_type, two.ref)
        except Rejected:
            continue  # a type for entities of other types
        assert (link.type, link.source, link.target) == (link_type, one.ref, two.ref)
        return link
    pytest.skip("this system has no type of link between two entities of this type")


def _ends(link: Link) -> tuple[str, EntityRef, EntityRef]:
    return link.type, link.source, link.target


async def _in_chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 10_000):
        yield content[start : start + 10_000]
