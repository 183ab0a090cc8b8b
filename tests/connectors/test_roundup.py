"""What is Roundup's own: creates in two writes, schemas of any shape, queries, addresses, refusals."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._roundup_schema import Property
from connectors._roundup_values import moment, normalised, plain, rich, stamp
from connectors.contract import Query
from connectors.entity import Choice, Comment, Entity, EntityRef, Gone, Ref, RichText, UserRef, same
from connectors.errors import AuthenticationError, ConfigurationError, Forbidden, NotFound, Rejected
from connectors.roundup import RoundupConnector
from connectors.schema import FieldType
from demo.trackers import Tracker
from tests.systems.roundup import ANN_PASSWORD, Connect, MakeTracker, make, now

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def desk(roundup_classic: Tracker, connect_roundup: Connect) -> RoundupConnector:
    return connect_roundup(roundup_classic)


@pytest.fixture
def workshop(roundup_devel: Tracker, connect_roundup: Connect) -> RoundupConnector:
    return connect_roundup(roundup_devel)


# Creating


async def test_a_marker_of_any_form_finds_the_ticket(desk: RoundupConnector) -> None:
    marker = "a/b c:ü@<x>"
    made = await desk.create("", "issue", {"title": "Marked"}, marker=marker)
    assert await desk.find("", "issue", marker) == made.ref
    await desk.delete(made)
    assert await desk.find("", "issue", marker) is None


async def test_a_refused_create_leaves_no_message_behind(roundup_classic: Tracker, desk: RoundupConnector) -> None:
    before = roundup_classic.rest("GET", "msg")["@total_size"]
    with pytest.raises(Rejected) as refused:
        await make(desk, assignedto=UserRef("99999"))
    assert list(refused.value.fields) == ["assignedto"]
    assert roundup_classic.rest("GET", "msg")["@total_size"] == before


async def test_many_creates_are_read_back_together(desk: RoundupConnector) -> None:
    await make(desk)
    before = desk.requests
    rows = [({"title": f"One of many {n}", "description": RichText(f"Text {n}")}, None) for n in range(20)]
    made = await desk.create_many("", "issue", rows)
    assert desk.requests - before == 2 * 20 + 2
    assert [one.fields["title"] for one in made if isinstance(one, Entity)] == [row["title"] for row, _ in rows]


async def test_an_unknown_choice_is_refused_with_the_near_ones(desk: RoundupConnector) -> None:
    with pytest.raises(Rejected) as refused:
        await make(desk, status=Choice("resolvd"), priority=Choice("nonsense"))
    assert "there is resolved" in refused.value.fields["status"]
    assert set(refused.value.fields) == {"status", "priority"}


async def test_a_choice_that_was_just_added_is_known(roundup_classic: Tracker, desk: RoundupConnector) -> None:
    await desk.schema("", "issue")
    roundup_classic.add("keyword", name="fresh, and with a comma")
    made = await make(desk, keyword=(Choice("fresh, and with a comma"),))
    assert made.fields["keyword"] == (Choice("fresh, and with a comma"),)


# Reading


async def test_nothing_new_costs_one_request(roundup_classic: Tracker, connect_roundup: Connect) -> None:
    for feed in ("changes", "comment_changes"):
        fresh = connect_roundup(roundup_classic)
        later = datetime(2090, 1, 1, tzinfo=UTC)
        pages = [page async for page in getattr(fresh, feed)(Query("", "issue", later))]
        assert [page.entities for page in pages] == [()]
        assert pages[0].server_time is not None
        assert fresh.requests == 1


async def test_a_retired_ticket_is_gone_and_cannot_be_written(desk: RoundupConnector) -> None:
    made = await make(desk)
    await desk.delete(made)
    assert (await desk.read([made.ref]))[made.ref] == Gone(made.ref)
    with pytest.raises(NotFound):
        await desk.update(made, {"title": "Back"}, expected=None)
    with pytest.raises(NotFound):
        await desk.add_comment(made, Comment("", RichText("Hello?")))


async def test_what_the_account_may_not_see_is_forbidden(make_tracker: MakeTracker, connect_roundup: Connect) -> None:
    tracker = make_tracker("classic")
    issue = tracker.add("issue", title="Secret")
    schema = tracker.folder / "schema.py"
    granted = "for cl in 'issue', 'file', 'msg', 'keyword':"
    assert granted in schema.read_text()
    schema.write_text(schema.read_text().replace(granted, "for cl in 'file', 'msg', 'keyword':"))
    tracker.restart()
    tracker.add_user("ann", "Ann", "ann@example.org", ANN_PASSWORD)
    ann = connect_roundup(tracker, "ann", ANN_PASSWORD)
    ref = EntityRef("", "issue", issue)
    assert isinstance((await ann.read([ref]))[ref], Forbidden)


async def test_a_native_query_chooses_and_cannot_meddle(roundup_classic: Tracker, desk: RoundupConnector) -> None:
    keyword = roundup_classic.add("keyword", name="native-query")
    chosen = await make(desk, keyword=(Choice("native-query"),), status=Choice("testing"))
    await make(desk, keyword=(Choice("native-query"),), status=Choice("resolved"))

    async def found(native: str) -> list[EntityRef]:
        pages = desk.changes(Query("", "issue", native=native))
        return [entity.ref async for page in pages for entity in page.entities]

    assert await found(f"status=testing&keyword={keyword}") == [chosen.ref]
    for wrong in ("@fields=title", "activity=.;", "colour=red", "status=nonsense"):
        with pytest.raises(ConfigurationError):
            await found(wrong)


async def test_tracker_schemas_of_any_shape_are_understood(workshop: RoundupConnector) -> None:
    assert await workshop.entity_types("") == ("bug", "milestone", "task")
    fields = (await workshop.schema("", "task")).fields
    shapes = {name: (field.type, field.multiple) for name, field in fields.items() if not field.read_only}
    assert shapes == {
        "assignee": (FieldType.USER, True),
        "components": (FieldType.CHOICE, True),
        "dependencies": (FieldType.LINK, True),
        "description": (FieldType.RICH_TEXT, False),
        "nosy": (FieldType.USER, True),
        "priority": (FieldType.CHOICE, False),
        "resolution": (FieldType.CHOICE, False),
        "solves": (FieldType.LINK, False),
        "status": (FieldType.CHOICE, False),
        "superseder": (FieldType.LINK, True),
        "title": (FieldType.TEXT, False),
        "type": (FieldType.CHOICE, False),
    }
    assert [choice.name for choice in fields["priority"].choices or ()] == [
        "immediate",
        "urgent",
        "high",
        "normal",
        "low",
    ]


async def test_links_lead_to_tickets_of_other_classes(workshop: RoundupConnector) -> None:
    bug, task = await make(workshop, "bug"), await make(workshop, "task")
    link = await workshop.add_link(task, "solves", bug.ref)
    assert (await workshop.links([task, bug])) == {task.ref: (link,), bug.ref: ()}
    assert (await now(workshop, "task", task.ref.id)).fields["solves"] == Ref("bug", bug.ref.id)
    await workshop.delete_link(task, link)
    assert (await workshop.links([task]))[task.ref] == ()
    with pytest.raises(Rejected):
        await workshop.add_link(bug, "solves", task.ref)


@pytest.mark.parametrize("text", ["ANN@example.org", "ann@HOME.example.org", "ann"])
async def test_users_are_found_by_any_of_their_addresses(desk: RoundupConnector, text: str) -> None:
    assert [user.name for user in await desk.find_user(text)] == ["Ann Ä."]


async def test_a_retired_user_is_not_found_but_still_named(roundup_classic: Tracker, desk: RoundupConnector) -> None:
    id = roundup_classic.add_user("leaver", "Lea Ver", "lea@example.org")
    issue = roundup_classic.add("issue", title="Hers", assignedto=id)
    roundup_classic.rest("DELETE", f"user/{id}")
    assert await desk.find_user("lea@example.org") == []
    assert (await now(desk, "issue", issue)).fields["assignedto"] == UserRef(id)
    assert str((await now(desk, "issue", issue)).fields["assignedto"]) == "leaver"


# Connecting


async def test_wrong_addresses_and_accounts_say_what_to_do(roundup_classic: Tracker, connect_roundup: Connect) -> None:
    wrong = {
        AuthenticationError: connect_roundup(roundup_classic, password="wrong"),
        ConfigurationError: connect_roundup(roundup_classic, url=f"{roundup_classic.url}other-tracker"),
    }
    for kind, connector in wrong.items():
        with pytest.raises(kind) as failed:
            await connector.check()
        assert failed.value.remedy


@pytest.mark.parametrize(("option", "remedy"), [("enable_rest", "enable_rest"), ("enable_xmlrpc", "enable_xmlrpc")])
async def test_what_is_switched_off_is_named(
    make_tracker: MakeTracker, option: str, remedy: str, connect_roundup: Connect
) -> None:
    tracker = make_tracker("classic")
    config = tracker.folder / "config.ini"
    text = config.read_text()
    config.write_text(
        text.replace(f"\n{option} = yes", f"\n{option} = no").replace(f"#{option} = yes", f"{option} = no")
    )
    tracker.restart()
    connector = connect_roundup(tracker)
    with pytest.raises(ConfigurationError, match=remedy):
        await connector.check()


async def test_the_account_s_time_zone_does_not_matter(
    roundup_classic: Tracker, desk: RoundupConnector, connect_roundup: Connect
) -> None:
    """Roundup reads times in the account's own zone, unless they are written so that it does not."""
    roundup_classic.add_user("tokyo", "To Kyo", "tokyo@example.org", "tokyos-secret", "Admin", timezone="Asia/Tokyo")
    tokyo = connect_roundup(roundup_classic, "tokyo", "tokyos-secret")
    made = await make(tokyo)
    comment, _ = await tokyo.add_comment(made, Comment("", RichText("Then"), created=LONG_AGO))
    assert comment.created == LONG_AGO
    pages = tokyo.changes(Query("", "issue", made.modified))
    assert made.ref in [entity.ref async for page in pages for entity in page.entities]
    assert (await desk.comments([made]))[made.ref][0].created == LONG_AGO


async def test_a_tracker_reached_by_another_name_than_its_own_can_be_written(
    roundup_classic: Tracker, connect_roundup: Connect
) -> None:
    """Roundup refuses writes whose Origin is not the address it was configured with."""
    connector = connect_roundup(roundup_classic, url=roundup_classic.url.replace("127.0.0.1", "localhost"))
    made = await make(connector)
    assert made.url == f"{roundup_classic.url}issue{made.ref.id}"


async def test_a_tracker_that_changed_shows_its_new_fields(make_tracker: MakeTracker, connect_roundup: Connect) -> None:
    tracker = make_tracker("classic")
    connector = connect_roundup(tracker)
    await connector.schema("", "issue")
    schema = tracker.folder / "schema.py"
    more = "due=Date(), effort=Interval(), estimate=Number(), count=Integer(), urgent=Boolean(),"
    schema.write_text(schema.read_text().replace("assignedto=Link", f"{more} assignedto=Link"))
    tracker.restart()
    fields = (await connector.schema("", "issue")).fields
    values = {
        "due": datetime(2026, 12, 24, 18, 30, tzinfo=UTC),
        "effort": "+ 2d 1:30",
        "estimate": Decimal("2.5"),
        "count": 0,
        "urgent": False,
    }
    assert {fields[name].type for name in values} == {
        FieldType.DATETIME,
        FieldType.TEXT,
        FieldType.NUMBER,
        FieldType.BOOLEAN,
    }
    made = await make(connector, **values)
    assert {name: made.fields[name] for name in values} == values
    emptied = await connector.update(made, dict.fromkeys(values), expected=made.version)
    assert {name: emptied.fields[name] for name in values} == dict.fromkeys(values)


def test_a_tracker_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """Also when that process is killed and can clean up nothing."""
    start = (
        "import pathlib, sys, time; from demo.trackers import start_tracker\n"
        "print(start_tracker(pathlib.Path(sys.argv[1]), 'minimal', admin_password='x').url, flush=True)\n"
        "time.sleep(300)"
    )
    starter = subprocess.Popen([sys.executable, "-c", start, str(tmp_path / "t")], stdout=subprocess.PIPE)
    with starter:
        assert starter.stdout is not None
        url = urlsplit(starter.stdout.readline().decode().strip())
        assert answers(url.hostname, url.port)
        starter.kill()
    patience = time.monotonic() + 30
    while answers(url.hostname, url.port):
        assert time.monotonic() < patience, "it outlived its starter"
        time.sleep(0.05)


def answers(host: str | None, port: int | None) -> bool:
    try:
        with socket.create_connection((host or "", port or 0), 5):
            return True
    except OSError:
        return False


# Laws


@given(st.datetimes(timezones=st.just(UTC)).filter(lambda when: when.year > 999))
def test_a_moment_survives_to_the_second(when: datetime) -> None:
    sent = stamp(when)
    shown = f"{sent[:4]}-{sent[4:6]}-{sent[6:8]}.{sent[8:10]}:{sent[10:12]}:{sent[12:]}"
    assert moment(shown) == when.replace(microsecond=0) == normalised(when)


@given(st.text())
def test_what_is_written_is_what_will_be_read(text: str) -> None:
    assert rich(plain(RichText(text)).strip()) == normalised(RichText(text))
    assert same(rich(plain(text)), RichText(text))


@pytest.mark.parametrize(
    ("text", "kind", "target"),
    [
        ("<roundup.hyperdb.String>", "String", ""),
        ('<roundup.hyperdb.Multilink to "keyword">', "Multilink", "keyword"),
        ("<somebody.elses.Type>", "unknown", ""),
    ],
)
def test_roundup_s_words_for_types_are_understood(text: str, kind: str, target: str) -> None:
    assert Property.parse(text) == Property(kind, target)
