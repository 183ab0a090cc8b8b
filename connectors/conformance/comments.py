"""Comments: in order, with author and time, each in its place, and without side effects on the entity."""

# mypy: disable-error-code="type-abstract"
# Asking for a protocol by its name is what `able` is for; mypy only knows that for isinstance.

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.conformance.reading import in_utc
from connectors.conformance.subject import Subject, token
from connectors.conformance.texts import LINES, TEXTS
from connectors.conformance.writing import assert_shown
from connectors.contract import FeedsComments, HasComments
from connectors.entity import Comment, Entity, RichText, normal_text, same
from connectors.errors import Rejected
from connectors.schema import FieldType


class CommentRules:
    """For connectors that are `HasComments`."""

    async def test_comments_come_in_order_with_author_and_time(self, subject: Subject) -> None:
        connector = subject.able(HasComments)
        entity = await subject.make()
        texts = [f"Comment {n} {token()}" for n in range(3)]
        for text in texts:
            written, entity = await connector.add_comment(entity, draft(text))
            assert written.id
        there = await comments_of(connector, entity)
        assert [comment.text.canonical for comment in there] == texts
        assert len({comment.id for comment in there}) == 3
        assert all(comment.author is not None for comment in there)
        assert all(comment.created is not None and in_utc(comment.created) for comment in there)

    async def test_the_answer_of_a_comment_is_what_is_there_afterwards(self, subject: Subject) -> None:
        connector = subject.able(HasComments)
        entity = await subject.make()
        written, after = await connector.add_comment(entity, draft(f"Answer {token()}"))
        assert (await comments_of(connector, after)) == (written,)
        assert_shown(after, await subject.now(entity.ref))

    async def test_an_edited_comment_stays_one_comment(self, subject: Subject) -> None:
        connector = subject.able(HasComments)
        entity = await subject.make()
        first, entity = await connector.add_comment(entity, draft(f"First {token()}"))
        last, entity = await connector.add_comment(entity, draft(f"Last {token()}"))
        text = f"Edited {token()}"
        edited, after = await edit_or_skip(connector, entity, Comment(first.id, RichText(text), first.author))
        there = await comments_of(connector, entity)
        assert [comment.text.canonical for comment in there] == [text, last.text.canonical]
        assert edited.text.canonical == text
        assert_shown(after, await subject.now(entity.ref))

    async def test_a_deleted_comment_is_gone_and_its_neighbours_stay(self, subject: Subject) -> None:
        connector = subject.able(HasComments)
        entity = await subject.make()
        first, entity = await connector.add_comment(entity, draft(f"First {token()}"))
        last, entity = await connector.add_comment(entity, draft(f"Last {token()}"))
        after = await connector.delete_comment(entity, first.id)
        assert [comment.id for comment in await comments_of(connector, after)] == [last.id]
        assert_shown(after, await subject.now(entity.ref))

    async def test_a_comment_shows_on_its_own_entity_alone(self, subject: Subject) -> None:
        connector = subject.able(HasComments)
        one, two = await subject.make(), await subject.make()
        text = f"Here {token()}"
        await connector.add_comment(one, draft(text))
        there = await connector.comments([one, two])
        assert set(there) == {one.ref, two.ref}
        assert [c.text.canonical for c in there[one.ref]] == [text]
        assert there[two.ref] == ()

    async def test_a_comment_leaves_every_field_as_it_was(self, subject: Subject) -> None:
        """Also on an entity that was created with the least: a comment never turns into a description."""
        connector = subject.able(HasComments)
        required = await subject.required()
        bare = await subject.connector.create(subject.scope, subject.entity_type, required, marker=None)
        for entity in (bare, await subject.make()):
            await connector.add_comment(entity, draft(f"Only a comment {token()}"))
            await assert_untouched(subject, entity)

    async def test_a_comment_moves_no_choice_of_its_entity_whatever_it_is(self, subject: Subject) -> None:
        """Trackers react: a message on a resolved entity reopens it, unless the same write sends the status."""
        connector = subject.able(HasComments)
        for field in await subject.writable(FieldType.CHOICE):
            if field.multiple or not field.choices:
                continue
            entity = await subject.make()
            for choice in field.choices:
                entity = await subject.connector.update(entity, {field.name: choice}, expected=None)
                _, after = await connector.add_comment(entity, draft(f"About {choice} {token()}"))
                assert_shown(after, await subject.now(entity.ref))
                await assert_untouched(subject, entity)
                entity = after

    @pytest.mark.parametrize("kind", [*TEXTS, *LINES])
    async def test_a_comment_arrives_in_any_script_with_any_line_ends(self, subject: Subject, kind: str) -> None:
        connector = subject.able(HasComments)
        text = {**TEXTS, **LINES}[kind]
        entity = await subject.make()
        written, entity = await connector.add_comment(entity, draft(text))
        (there,) = await comments_of(connector, entity)
        assert same(written.text, RichText(text))
        assert there.text.canonical == normal_text(text)

    async def test_a_comment_of_32_kilobytes_arrives_whole(self, subject: Subject) -> None:
        connector = subject.able(HasComments)
        text = "A line of a long comment.\n\n" * 1200
        _, entity = await connector.add_comment(await subject.make(), draft(text))
        (there,) = await comments_of(connector, entity)
        assert there.text.canonical == normal_text(text)

    async def test_a_comment_carries_author_and_time_where_limits_say_so(self, subject: Subject) -> None:
        connector = subject.able(HasComments)
        limits = subject.connector.limits
        then = datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC)
        author = subject.user if limits.comment_author else None
        if limits.comment_author and author is None:
            pytest.fail("limits.comment_author is True: give Subject a `user` to be the author")
        comment = Comment("", RichText(f"Of old {token()}"), author, then)
        _, entity = await connector.add_comment(await subject.make(), comment)
        (there,) = await comments_of(connector, entity)
        assert not limits.comment_author or there.author == author
        assert (there.created == then) == limits.comment_time, "limits.comment_time"

    async def test_a_comment_moves_its_entity_where_limits_say_so(self, subject: Subject) -> None:
        subject.timed()
        connector = subject.able(HasComments)
        entity = await subject.make()
        moved = []
        await subject.next_tick()
        written, after = await connector.add_comment(entity, draft(f"One {token()}"))
        moved.append(await moved_since(subject, entity))
        await subject.next_tick()
        before = await subject.now(entity.ref)
        try:
            _, after = await connector.edit_comment(after, Comment(written.id, RichText(f"Two {token()}")))
            moved.append(await moved_since(subject, before))
        except Rejected:
            pass  # what cannot be edited need not show
        await subject.next_tick()
        before = await subject.now(entity.ref)
        await connector.delete_comment(after, written.id)
        moved.append(await moved_since(subject, before))
        assert subject.connector.limits.comment_changes_visible == all(moved), "limits.comment_changes_visible"

    async def test_the_feed_of_comments_brings_entities_with_a_new_or_edited_comment(self, subject: Subject) -> None:
        connector, feed = subject.able(HasComments), subject.able(FeedsComments)
        entity = await subject.make()
        written, after = await connector.add_comment(entity, draft(f"Fed {token()}"))
        since = written.created
        await subject.settle()
        assert entity.ref in [e.ref async for page in feed.comment_changes(subject.query(since)) for e in page.entities]
        await subject.next_tick()
        edited, after = await edit_or_skip(connector, after, Comment(written.id, RichText(f"Edited {token()}")))
        query = subject.query(edited.edited or since)
        assert entity.ref in [e.ref async for page in feed.comment_changes(query) for e in page.entities]


def draft(text: str) -> Comment:
    return Comment("", RichText(text))


async def comments_of(connector: HasComments, entity: Entity) -> tuple[Comment, ...]:
    return (await connector.comments([entity]))[entity.ref]


async def edit_or_skip(connector: HasComments, entity: Entity, comment: Comment) -> tuple[Comment, Entity]:
    try:
        return await connector.edit_comment(entity, comment)
    except Rejected:
        pytest.skip("this system cannot edit comments, and says so")


async def assert_untouched(subject: Subject, before: Entity) -> None:
    """Every field that can be written is as it was."""
    schema = await subject.schema()
    now = await subject.now(before.ref)
    for name, value in before.fields.items():
        assert schema.fields[name].read_only or same(now.fields[name], value), f"{name} moved by itself"


async def moved_since(subject: Subject, before: Entity) -> bool:
    return (await subject.now(before.ref)).modified != before.modified
