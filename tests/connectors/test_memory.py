"""The system in memory can be scripted: its clock, its faults, its reactions, and who else works on it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from connectors.contract import (
    Archives,
    Deletes,
    FeedsComments,
    FindsMarkers,
    HasAttachments,
    HasComments,
    HasHistory,
    HasLinks,
    HasUsers,
    Listens,
    Query,
    WritesInBulk,
)
from connectors.entity import Attachment, Choice, Comment, Entity, EntityRef, Fields, Gone, RichText
from connectors.errors import Changed, ConfigurationError, Forbidden, NotFound, Rejected, Unavailable
from connectors.memory import (
    ALICE,
    BOB,
    LIMITS,
    MemoryConfig,
    MemoryConnector,
    MemorySystem,
    define,
    forget,
    system,
)
from connectors.schema import FieldType

URL = "memory://test"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield
    forget(URL)


def connector(**config: object) -> MemoryConnector:
    return MemoryConnector(MemoryConfig.model_validate({"url": URL, **config}))


async def listed(of: MemoryConnector, since: datetime | None = None) -> list[str]:
    return [e.ref.id async for page in of.changes(Query("", "ticket", since)) for e in page.entities]


async def test_connectors_with_the_same_url_see_the_same_system() -> None:
    made = await connector().create("", "ticket", {"title": "One"}, marker=None)
    assert (await connector().read([made.ref]))[made.ref] == made
    assert await MemoryConnector(MemoryConfig(url="memory://elsewhere")).read([made.ref]) == {made.ref: Gone(made.ref)}
    forget("memory://elsewhere")


async def test_people_edit_beside_the_connector() -> None:
    made = system(URL).add("", "ticket", {"title": "By Bob"}, by=BOB)
    edited = system(URL).edit(made.ref, {"title": "By Alice"}, by=ALICE)
    seen = (await connector().read([made.ref]))[made.ref]
    assert seen == edited
    assert (edited.created_by, edited.modified_by, edited.fields["title"]) == (BOB, ALICE, "By Alice")


async def test_the_clock_is_scripted_and_ticks_as_coarsely_as_limits_say() -> None:
    limits = replace(LIMITS, timestamp_resolution=timedelta(minutes=1))
    define(MemorySystem(URL, clock=lambda: datetime(2026, 11, 21, 8, 30, 45, tzinfo=UTC), limits=limits))
    made = await connector().create("", "ticket", {"title": "One"}, marker=None)
    assert made.modified == datetime(2026, 11, 21, 8, 30, tzinfo=UTC)


async def test_a_system_without_a_modified_time_lists_everything() -> None:
    timeless = connector(resolution=None)
    made = await timeless.create("", "ticket", {"title": "One"}, marker=None)
    assert made.modified is None
    assert await listed(timeless, datetime(2999, 1, 1, tzinfo=UTC)) == [made.ref.id]


async def test_what_search_lags_behind_does_not_come_yet() -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    scripted = define(MemorySystem(URL, limits=replace(LIMITS, search_lag=timedelta(seconds=5)), clock=lambda: now))
    scripted.add("", "ticket", {"title": "One"})
    assert await listed(connector()) == []
    scripted.clock = lambda: now + timedelta(seconds=5)
    assert len(await listed(connector())) == 1


async def test_a_fault_strikes_as_often_as_scripted_and_only_where() -> None:
    failing = connector()
    failing.system.fail(Unavailable("down"), on="create", times=2)
    await failing.check()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await failing.create("", "ticket", {"title": "One"}, marker=None)
    assert await listed(failing) == []
    await failing.create("", "ticket", {"title": "One"}, marker=None)
    assert len(await listed(failing)) == 1


async def test_a_fault_can_concern_one_entity_alone() -> None:
    failing = connector()
    one, two = [await failing.create("", "ticket", {"title": t}, marker=None) for t in ("One", "Two")]
    failing.system.fail(Rejected("no"), id=one.ref.id)
    await failing.update(two, {"title": "2"}, expected=None)
    with pytest.raises(Rejected):
        await failing.update(one, {"title": "1"}, expected=None)


async def test_an_answer_can_be_lost_after_the_system_has_acted() -> None:
    losing = connector()
    losing.system.fail(Unavailable("time-out"), on="create", acted=True)
    with pytest.raises(Unavailable):
        await losing.create("", "ticket", {"title": "One"}, marker="m-1")
    found = await losing.find("", "ticket", "m-1")
    assert found is not None
    assert await listed(losing) == [found.id]


@pytest.mark.parametrize(
    ("quirk", "held"),
    [({"ignores": {"title"}}, "One"), ({"cuts": {"title": 4}}, "Two ")],
)
async def test_a_system_may_ignore_or_cut_a_value_and_its_answer_shows_it(quirk: Fields, held: str) -> None:
    quirky = connector()
    made = await quirky.create("", "ticket", {"title": "One"}, marker=None)
    for name, value in quirk.items():
        setattr(quirky.system, name, value)
    assert (await quirky.update(made, {"title": "Two words"}, expected=None)).fields["title"] == held


async def test_a_refused_write_names_every_refused_field_and_writes_nothing() -> None:
    strict = connector()
    strict.system.rejects["priority"] = "is locked"
    made = await strict.create("", "ticket", {"title": "One"}, marker=None)
    wrong: Fields = {"title": "Two", "priority": Choice("low"), "status": Choice("opn"), "due": "soon", "colour": "red"}
    with pytest.raises(Rejected) as refused:
        await strict.update(made, wrong, expected=None)
    assert set(refused.value.fields) == {"priority", "status", "due", "colour"}
    assert '"open"' in refused.value.fields["status"]
    assert (await strict.read([made.ref]))[made.ref] == made


@pytest.mark.parametrize("told", [False, True])
async def test_a_reaction_moves_what_the_write_does_not_send_along(told: bool) -> None:
    def reopen(what: str, before: Fields, sent: Fields) -> Fields:
        closed = before["status"] == Choice("closed")
        return {"status": Choice("open")} if what == "comment" and closed and "status" not in sent else {}

    define(MemorySystem(URL, reactions=[reopen], sends_along=frozenset({"status"} if told else ())))
    reacting = connector()
    made = await reacting.create("", "ticket", {"title": "One", "status": Choice("closed")}, marker=None)
    _, after = await reacting.add_comment(made, Comment("", RichText("Still there?")))
    assert after.fields["status"] == Choice("closed" if told else "open")


async def test_without_conditional_writes_the_last_moment_is_lost() -> None:
    """The connector looks first; who edits between its look and its write is overwritten, as on such systems."""
    loose = connector(conditional_writes=False)
    made = await loose.create("", "ticket", {"title": "One"}, marker=None)
    writing = asyncio.create_task(loose.update(made, {"title": "Ours"}, expected=made.version))
    for _ in range(2):  # on its way to look, and on its way to write
        await asyncio.sleep(0)
    assert loose.requests == 2
    loose.system.edit(made.ref, {"title": "Theirs"})
    assert (await writing).fields["title"] == "Ours"
    with pytest.raises(Changed):
        await loose.update(made, {"title": "Ours again"}, expected=made.version)


async def test_what_our_account_may_not_see_is_forbidden_and_not_gone() -> None:
    blind = connector()
    made = await blind.create("", "ticket", {"title": "One"}, marker=None)
    blind.system.forbidden.add(made.ref.id)
    assert isinstance((await blind.read([made.ref]))[made.ref], Forbidden)
    assert await listed(blind) == []
    with pytest.raises(Forbidden):
        await blind.update(made, {"title": "Two"}, expected=None)


def test_every_optional_ability_is_there_until_it_is_taken_away() -> None:
    abilities = {
        "markers": FindsMarkers, "deletes": Deletes, "archives": Archives, "comments": HasComments,
        "attachments": HasAttachments, "links": HasLinks, "users": HasUsers, "history": HasHistory, "events": Listens,
        "bulk": WritesInBulk,
    }  # fmt: skip
    for name, protocol in abilities.items():
        assert isinstance(connector(), protocol)
        assert not isinstance(connector(without=[name]), protocol)


def test_comments_have_a_feed_of_their_own_only_where_they_do_not_show_otherwise() -> None:
    assert not isinstance(connector(), FeedsComments)
    define(MemorySystem(URL, limits=replace(LIMITS, comment_changes_visible=False)))
    assert isinstance(connector(), FeedsComments)


async def test_a_native_query_picks_entities() -> None:
    asked = connector()
    await asked.create("", "ticket", {"title": "One"}, marker=None)
    two = await asked.create("", "ticket", {"title": "Two"}, marker=None)
    pages = [page async for page in asked.changes(Query("", "ticket", native="title=Two"))]
    assert [e.ref for page in pages for e in page.entities] == [two.ref]
    with pytest.raises(ConfigurationError, match="names no field"):
        [page async for page in asked.changes(Query("", "ticket", native="colour=red"))]


async def test_configuration_defines_types_users_and_scopes() -> None:
    configured = connector(
        types={"bug": {"summary": {"required": True}, "state": {"type": "choice", "choices": ["open", "done"]}}},
        users=[{"username": "zoe", "email": "zoe@example.org"}],
        scopes=["FAL"],
    )
    schema = await configured.schema("FAL", "bug")
    assert schema.fields["state"].type is FieldType.CHOICE
    made = await configured.create("FAL", "bug", {"summary": "One"}, marker=None)
    assert made.fields["state"] == Choice("open")
    assert [user.username for user in await configured.find_user("ZOE@example.org")] == ["zoe"]
    with pytest.raises(ConfigurationError, match='"FAL"'):
        await configured.schema("FALL", "bug")


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError):
        connector(colour="red")


def test_keys_left_out_leave_what_a_test_has_scripted() -> None:
    define(MemorySystem(URL, limits=replace(LIMITS, max_page=7)))
    assert connector().limits.max_page == 7
    assert connector(max_page=3).limits.max_page == 3


async def test_removed_entities_and_comments_that_never_were_are_not_found() -> None:
    keeper = connector()
    made = await keeper.create("", "ticket", {"title": "One"}, marker="m-1")
    with pytest.raises(NotFound):
        await keeper.delete_comment(made, "c99")
    await keeper.delete(made)
    assert await keeper.find("", "ticket", "m-1") is None
    with pytest.raises(NotFound):
        await keeper.update(made, {"title": "Two"}, expected=None)


async def _bytes(content: bytes) -> object:
    yield content


async def test_a_file_keeps_everything_as_it_was(tmp_path: Path) -> None:
    config = MemoryConfig(url=f"memory://{tmp_path}/store.json")
    first = MemoryConnector(config)
    fields: Fields = {
        "title": "Grüße 🚀", "description": RichText("a\nb"), "assignee": ALICE, "points": Decimal("1.5"),
        "due": date(2026, 11, 21), "labels": (Choice("red"), Choice("blue")),
    }  # fmt: skip
    made = await first.create("", "ticket", fields, marker="m-1")
    other = await first.create("", "ticket", {"title": "Two"}, marker=None)
    _, made = await first.add_comment(made, Comment("", RichText("Hello"), BOB))
    kept, made = await first.add_attachment(made, Attachment("", "a.bin", 3), _bytes(b"\0\xff1"))  # type: ignore[arg-type]
    await first.add_link(made, "blocks", other.ref)
    before = await _everything(first, made.ref)
    forget(config.url)
    again = MemoryConnector(config)
    assert again.system is not first.system
    assert await _everything(again, made.ref) == before
    assert b"".join([chunk async for chunk in again.open_attachment(made, kept)]) == b"\0\xff1"
    assert await again.find("", "ticket", "m-1") == made.ref
    forget(config.url)


async def _everything(of: MemoryConnector, ref: EntityRef) -> tuple[object, ...]:
    entity = (await of.read([ref]))[ref]
    assert isinstance(entity, Entity)
    one = [entity]
    return (
        entity,
        await of.comments(one),
        await of.attachments(one),
        await of.links(one),
        await of.history(entity, None),
    )


WRITER = """
import asyncio, sys
from connectors.memory import MemoryConfig, MemoryConnector

async def write():
    connector = MemoryConnector(MemoryConfig(url=sys.argv[1]))
    for n in range(20):
        await connector.create("", "ticket", {"title": f"{sys.argv[2]} {n}"}, marker=None)

asyncio.run(write())
"""


async def test_processes_share_a_file_and_lose_nothing(tmp_path: Path) -> None:
    config = MemoryConfig(url=f"memory://{tmp_path}/store.json")
    reader = MemoryConnector(config)
    assert await listed(reader) == []
    root = Path(__file__).parents[2]
    writers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, config.url, name, cwd=root)
        for name in ("one", "two")
    ]
    assert [await asyncio.wait_for(writer.wait(), 60) for writer in writers] == [0, 0]
    assert len(set(await listed(reader))) == 40
    forget(config.url)
