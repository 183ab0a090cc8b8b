"""The kit can fail: each broken connector below breaks one promise, and the rule that guards it says so.

The same rule passes on the sound connector, so that what is caught is the break and nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from connectors._memory_store import Ask
from connectors.conformance import ConnectorConformance, Subject
from connectors.contract import Query
from connectors.entity import Comment, Entity, EntityRef, Fields, Gone, Page, RichText, UserRef
from connectors.errors import Changed, ConfigurationError, Forbidden
from connectors.memory import ALICE, LIMITS, MemoryConfig, MemoryConnector, MemorySystem, define
from tests.conformance.test_memory import Clock, reopens

URL = "memory://broken"
SECRET = "hunter2"


class PagesByOffset(MemoryConnector):
    async def changes(self, query: Query) -> AsyncIterator[Page]:
        size, start = self.limits.max_page, 0
        while True:
            listed, _ = self.system.page(query.scope, query.entity_type, query.since, Ask(1000))
            yield Page(tuple(listed[start : start + size]))
            start += size
            if start >= len(listed):
                return


class ExclusiveBoundary(MemoryConnector):
    async def changes(self, query: Query) -> AsyncIterator[Page]:
        async for page in super().changes(query):
            yield Page(tuple(e for e in page.entities if query.since is None or e.modified > query.since))


class RemembersWhatItHasShown(MemoryConnector):
    """By modified time: the second edit within one tick looks like the first."""

    async def changes(self, query: Query) -> AsyncIterator[Page]:
        shown = self.__dict__.setdefault("shown", {})
        async for page in super().changes(query):
            yield Page(tuple(shown.setdefault((e.ref, e.modified), e) for e in page.entities))


class NewestFirst(MemoryConnector):
    async def changes(self, query: Query) -> AsyncIterator[Page]:
        pages = [page async for page in super().changes(query)]
        for page in reversed(pages):
            yield Page(page.entities[::-1])


class IgnoresSince(MemoryConnector):
    async def changes(self, query: Query) -> AsyncIterator[Page]:
        async for page in super().changes(replace(query, since=None)):
            yield page


class SwallowsStaleWrites(MemoryConnector):
    async def update(self, entity: Entity, fields: Fields, *, expected: str | None) -> Entity:
        try:
            return await super().update(entity, fields, expected=expected)
        except Changed:
            return entity


class OverwritesStaleOnes(MemoryConnector):
    async def update(self, entity: Entity, fields: Fields, *, expected: str | None) -> Entity:  # noqa: ARG002
        return await super().update(entity, fields, expected=None)


class WritesEveryField(MemoryConnector):
    async def update(self, entity: Entity, fields: Fields, *, expected: str | None) -> Entity:
        return await super().update(entity, {**entity.fields, **fields}, expected=expected)


class AnswersWhatWasSent(MemoryConnector):
    """On a system that silently cuts long texts."""

    async def create(self, scope: str, entity_type: str, fields: Fields, *, marker: str | None) -> Entity:
        self.system.cuts["description"] = 10
        made = await super().create(scope, entity_type, fields, marker=marker)
        return replace(made, fields={**made.fields, **fields})


class CutsTexts(MemoryConnector):
    async def create(self, scope: str, entity_type: str, fields: Fields, *, marker: str | None) -> Entity:
        self.system.cuts["description"] = 8000
        return await super().create(scope, entity_type, fields, marker=marker)


class LosesAstralCharacters(MemoryConnector):
    async def create(self, scope: str, entity_type: str, fields: Fields, *, marker: str | None) -> Entity:
        title = "".join(c if ord(c) < 0x10000 else "?" for c in str(fields["title"]))
        return await super().create(scope, entity_type, {**fields, "title": title}, marker=marker)


class LeaksItsSecret(MemoryConnector):
    async def schema(self, scope: str, entity_type: str) -> Any:
        try:
            return await super().schema(scope, entity_type)
        except ConfigurationError as error:
            raise ConfigurationError(f"logged in with {SECRET}, and {error}") from error


class NaiveTimes(MemoryConnector):
    async def read(self, refs: Sequence[EntityRef]) -> dict[EntityRef, Entity | Gone | Forbidden]:
        def naive(entity: Entity) -> Entity:
            return replace(entity, modified=entity.modified and entity.modified.replace(tzinfo=None))

        found = await super().read(refs)
        return {ref: naive(e) if isinstance(e, Entity) else e for ref, e in found.items()}


class LeavesOutUnknownRefs(MemoryConnector):
    async def read(self, refs: Sequence[EntityRef]) -> dict[EntityRef, Entity | Gone | Forbidden]:
        found = await super().read(refs)
        return {ref: e for ref, e in found.items() if not isinstance(e, Gone)}


class ReadsOnePageOnly(MemoryConnector):
    async def read(self, refs: Sequence[EntityRef]) -> dict[EntityRef, Entity | Gone | Forbidden]:
        return {ref: Gone(ref) for ref in refs} | await super().read(refs[: self.limits.max_page])


class ShowsMoreThanItsSchema(MemoryConnector):
    async def read(self, refs: Sequence[EntityRef]) -> dict[EntityRef, Entity | Gone | Forbidden]:
        found = await super().read(refs)
        return {r: replace(e, fields={**e.fields, "x": 1}) if isinstance(e, Entity) else e for r, e in found.items()}


class PlainTextForRichText(MemoryConnector):
    async def read(self, refs: Sequence[EntityRef]) -> dict[EntityRef, Entity | Gone | Forbidden]:
        def plain(e: Entity) -> Entity:
            return replace(e, fields={**e.fields, "description": str(e.fields["description"])})

        found = await super().read(refs)
        return {ref: plain(e) if isinstance(e, Entity) else e for ref, e in found.items()}


class CommentsMoveTheStatus(MemoryConnector):
    async def add_comment(self, entity: Entity, comment: Comment) -> tuple[Comment, Entity]:
        self.system.reactions = [reopens]
        return await super().add_comment(entity, comment)


class AnswersTheEntityAsItWas(MemoryConnector):
    async def add_comment(self, entity: Entity, comment: Comment) -> tuple[Comment, Entity]:
        return (await super().add_comment(entity, comment))[0], entity


class NewestCommentFirst(MemoryConnector):
    async def comments(self, entities: Sequence[Entity]) -> dict[EntityRef, tuple[Comment, ...]]:
        return {ref: there[::-1] for ref, there in (await super().comments(entities)).items()}


class EditsByAddingAnother(MemoryConnector):
    async def edit_comment(self, entity: Entity, comment: Comment) -> tuple[Comment, Entity]:
        return await self.add_comment(entity, comment)


class CommentTurnsIntoDescription(MemoryConnector):
    async def add_comment(self, entity: Entity, comment: Comment) -> tuple[Comment, Entity]:
        if not entity.fields["description"]:
            self.system.edit(entity.ref, {"description": RichText(comment.text.canonical)})
        return await super().add_comment(entity, comment)


class ExactEmailsOnly(MemoryConnector):
    async def find_user(self, text: str) -> Sequence[UserRef]:
        return [user for user in self.system.users if text in (user.email, user.username, user.id)]


class GuessesUsers(MemoryConnector):
    async def find_user(self, text: str) -> Sequence[UserRef]:
        return [user for user in self.system.users if text.casefold() in f"{user.email} {user.id}"]


class FindsAnyMarker(MemoryConnector):
    async def find(self, scope: str, entity_type: str, marker: str) -> EntityRef | None:  # noqa: ARG002
        return self.system.page(scope, entity_type, None, Ask(1000))[0][-1].ref


class ClaimsFinerClock(MemoryConnector):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.system.limits = replace(self.limits, timestamp_resolution=timedelta(hours=1))


class HidesThatNoopsMove(MemoryConnector):
    async def update(self, entity: Entity, fields: Fields, *, expected: str | None) -> Entity:
        self.system.limits = replace(self.system.limits, bumps_on_noop=True)
        return await super().update(entity, fields, expected=expected)


class HidesThatCommentsAreSilent(MemoryConnector):
    async def add_comment(self, entity: Entity, comment: Comment) -> tuple[Comment, Entity]:
        self.system.limits = replace(self.system.limits, comment_changes_visible=False)
        return await super().add_comment(entity, comment)


CAUGHT: dict[type[MemoryConnector], Callable[..., Any]] = {
    PagesByOffset: ConnectorConformance.test_entities_edited_between_two_pages_are_not_lost,
    ExclusiveBoundary: ConnectorConformance.test_since_is_inclusive,
    RemembersWhatItHasShown: ConnectorConformance.test_two_edits_within_one_tick_both_arrive,
    NewestFirst: ConnectorConformance.test_pages_are_complete_ordered_and_no_larger_than_promised,
    IgnoresSince: ConnectorConformance.test_what_is_older_than_since_does_not_come,
    SwallowsStaleWrites: ConnectorConformance.test_a_stale_write_raises_changed_and_writes_nothing,
    OverwritesStaleOnes: ConnectorConformance.test_a_stale_write_raises_changed_and_writes_nothing,
    WritesEveryField: ConnectorConformance.test_an_update_leaves_what_others_wrote_into_other_fields,
    AnswersWhatWasSent: ConnectorConformance.test_the_answer_of_a_create_is_what_read_shows,
    CutsTexts: ConnectorConformance.test_a_text_of_32_kilobytes_arrives_whole,
    LosesAstralCharacters: partial(
        ConnectorConformance.test_plain_text_of_any_script_arrives_unchanged, kind="beyond the basic plane"
    ),
    LeaksItsSecret: ConnectorConformance.test_no_secret_shows_in_the_connector_or_its_errors,
    NaiveTimes: ConnectorConformance.test_times_of_an_entity_are_aware_and_in_utc,
    LeavesOutUnknownRefs: ConnectorConformance.test_an_unknown_id_is_gone,
    ReadsOnePageOnly: ConnectorConformance.test_every_ref_asked_for_is_answered_also_beyond_one_page,
    ShowsMoreThanItsSchema: ConnectorConformance.test_fields_that_come_are_exactly_the_fields_of_the_schema,
    PlainTextForRichText: ConnectorConformance.test_every_value_is_canonical_and_fits_its_field,
    CommentsMoveTheStatus: ConnectorConformance.test_a_comment_moves_no_choice_of_its_entity_whatever_it_is,
    AnswersTheEntityAsItWas: ConnectorConformance.test_the_answer_of_a_comment_is_what_is_there_afterwards,
    NewestCommentFirst: ConnectorConformance.test_comments_come_in_order_with_author_and_time,
    EditsByAddingAnother: ConnectorConformance.test_an_edited_comment_stays_one_comment,
    CommentTurnsIntoDescription: ConnectorConformance.test_a_comment_leaves_every_field_as_it_was,
    ExactEmailsOnly: ConnectorConformance.test_a_user_is_found_by_email_whatever_its_case,
    GuessesUsers: ConnectorConformance.test_a_user_is_found_by_name_and_id_and_nobody_by_half_of_them,
    FindsAnyMarker: ConnectorConformance.test_an_entity_is_found_by_its_marker,
    ClaimsFinerClock: ConnectorConformance.test_every_edit_moves_the_version_and_the_time,
    HidesThatNoopsMove: ConnectorConformance.test_a_write_that_changes_nothing_moves_the_time_where_limits_say_so,
    HidesThatCommentsAreSilent: ConnectorConformance.test_a_comment_moves_its_entity_where_limits_say_so,
}


@pytest.mark.parametrize("broken", CAUGHT, ids=lambda kind: kind.__name__)
async def test_the_kit_catches(broken: type[MemoryConnector]) -> None:
    rule = CAUGHT[broken]
    await rule(ConnectorConformance(), subject_of(MemoryConnector))
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await rule(ConnectorConformance(), subject_of(broken))


def subject_of(kind: type[MemoryConnector]) -> Subject:
    """A subject on a fresh system. Who edits behind the connector's back is always sound."""
    clock, config = Clock(), MemoryConfig(url=URL)
    define(MemorySystem(URL, clock=clock, limits=replace(LIMITS, timestamp_resolution=timedelta(seconds=1))))
    connector = kind(config)
    return Subject(
        connector, "ticket", elsewhere=MemoryConnector(config), user=ALICE, tick=clock.tick, secrets=(SECRET,)
    )
