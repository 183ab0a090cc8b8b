"""What is particular to Redmine, on a real one. What every connector promises is in tests/conformance."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from connectors.contract import Query
from connectors.entity import Attachment, Choice, Comment, Entity, EntityRef, Gone, Ref, RichText, Url, UserRef
from connectors.errors import AuthenticationError, Changed, ConfigurationError, Forbidden, Rejected, Unavailable
from connectors.redmine import RedmineConfig, RedmineConnector
from connectors.rest import Http
from connectors.schema import FieldType
from tests.systems.redmine import REDMINE, Account, Server

pytestmark = REDMINE

Connect = Callable[..., RedmineConnector]


@pytest.fixture
async def connect(redmine: Server) -> AsyncIterator[Connect]:
    """Makes connectors of the administrator, or of another account."""
    made: list[RedmineConnector] = []

    def connect(account: Account | None = None, **more: object) -> RedmineConnector:
        credentials = {"api_key": account.api_key if account else redmine.api_key}
        config = RedmineConfig.model_validate({"url": redmine.url, "credentials": credentials, **more})
        made.append(RedmineConnector(config, Http(config, pauses=())))
        return made[-1]

    yield connect
    for connector in made:
        await connector.close()


@pytest.fixture
def connector(connect: Connect) -> RedmineConnector:
    return connect()


@pytest.fixture
def member(redmine: Server, redmine_project: str) -> Account:
    return redmine.user(member_of=redmine_project)


@contextmanager
def setting(redmine: Server, name: str, value: str) -> Iterator[None]:
    """Another value of a setting, for a while. Redmine looks whether its settings are younger than its cache."""
    (old,) = redmine.sql("SELECT value FROM settings WHERE name = ?", name)
    later = (datetime.now(UTC) + timedelta(minutes=1)).strftime("%Y-%m-%d %H:%M:%S")
    redmine.sql("UPDATE settings SET value = ?, updated_on = ? WHERE name = ?", value, later, name)
    yield
    redmine.sql("UPDATE settings SET value = ?, updated_on = ? WHERE name = ?", old[0], later, name)


async def found(connector: RedmineConnector, query: Query) -> list[Entity]:
    return [entity async for page in connector.changes(query) for entity in page.entities]


async def entity(connector: RedmineConnector, project: str, **fields: object) -> Entity:
    values = {"subject": "A fault", **fields}
    return await connector.create(project, "Bug", values, marker=None)  # type: ignore[arg-type]


class TestCheck:
    async def test_it_says_who_we_are_and_what_we_may(self, connect: Connect, member: Account) -> None:
        admin, user = await connect().check(), await connect(member).check()
        assert (admin.product, admin.user and admin.user.username) == ("Redmine", "admin")
        assert admin.permissions == ("administrator",)
        assert user.user == UserRef(member.id)
        assert any("Not an administrator" in warning for warning in user.warnings)

    async def test_user_name_and_password_will_do(self, connect: Connect, member: Account) -> None:
        basic = {"username": member.login, "password": member.password}
        assert (await connect(credentials=basic).check()).user == UserRef(member.id)

    async def test_a_wrong_key_is_told_from_a_wrong_address(self, connect: Connect, redmine: Server) -> None:
        with pytest.raises(AuthenticationError, match="credentials"):
            await connect(credentials={"api_key": "wrong"}).check()
        with pytest.raises(ConfigurationError, match=r"no Redmine at this address.*url"):
            await connect(url=redmine.url + "/tracker").check()
        with pytest.raises(Unavailable, match="refused the connection"):
            await connect(url="http://127.0.0.1:9").check()

    async def test_a_rest_api_that_is_switched_off_is_named_with_the_place_of_the_switch(
        self, connector: RedmineConnector, redmine: Server
    ) -> None:
        with setting(redmine, "rest_api_enabled", "0"), pytest.raises(ConfigurationError, match="Enable REST"):
            await connector.check()
        assert await connector.check()


class TestSchema:
    async def test_fields_have_the_names_of_the_api_and_custom_ones_those_that_people_see(
        self, connector: RedmineConnector, redmine_project: str
    ) -> None:
        fields = (await connector.schema(redmine_project, "Bug")).fields
        assert {"subject", "description", "status", "assigned_to", "fixed_version", "Severity"} <= fields.keys()
        assert fields["subject"].required
        assert fields["subject"].max_length == 255
        assert fields["author"].read_only
        assert [choice.name for choice in fields["Severity"].choices or ()] == ["Minor", "Major", "Critical"]
        types = {name: fields[name].type for name in ("Found on", "Effort", "Billable", "Reviewer", "Homepage")}
        assert list(types.values()) == [
            FieldType.DATE,
            FieldType.NUMBER,
            FieldType.BOOLEAN,
            FieldType.USER,
            FieldType.URL,
        ]
        assert fields["Platforms"].multiple

    async def test_who_is_no_administrator_still_sees_the_custom_fields_that_entities_show(
        self, connect: Connect, redmine: Server, redmine_project: str, member: Account
    ) -> None:
        redmine.issue(redmine_project, custom_fields=[{"id": 1, "value": "R-1"}])
        connector = connect(member)
        assert (await connector.schema(redmine_project, "Bug")).fields["Remote Id"].type is FieldType.TEXT
        (shown,) = await found(connector, Query(redmine_project, "Bug"))
        assert shown.fields["Remote Id"] == "R-1"

    async def test_unknown_names_are_answered_with_the_nearest_ones(
        self, connector: RedmineConnector, redmine_project: str
    ) -> None:
        with pytest.raises(ConfigurationError, match="Near: Bug"):
            await connector.schema(redmine_project, "Bugs")
        with pytest.raises(ConfigurationError, match=f"Near: .*{redmine_project}"):
            await connector.schema(redmine_project[:-1], "Bug")
        with pytest.raises(ConfigurationError, match="no project"):
            await found(connector, Query("no-such-project", "Bug"))
        with pytest.raises(ConfigurationError, match="needs a project"):
            await found(connector, Query("", "Bug"))

    async def test_projects_and_trackers_are_listed(self, connector: RedmineConnector, redmine_project: str) -> None:
        assert redmine_project in await connector.scopes()
        assert await connector.entity_types(redmine_project) == ("Bug", "Feature", "Support")


class TestChanges:
    async def test_a_short_answer_costs_one_request(self, connect: Connect, redmine_project: str) -> None:
        connector = connect()
        assert await found(connector, Query(redmine_project, "Bug", datetime.now(UTC))) == []
        assert connector.requests == 1

    async def test_only_this_tracker_of_this_very_project_comes(
        self, connector: RedmineConnector, redmine: Server, redmine_project: str
    ) -> None:
        parent = redmine.call("GET", f"/projects/{redmine_project}.json")["project"]["id"]
        redmine.issue(redmine.project(parent_id=parent))
        redmine.issue(redmine_project, tracker_id=2)
        ours = redmine.issue(redmine_project, status_id=5)
        for size in (100, 2):
            connector.limits = type(connector.limits)(max_page=size)
            assert [e.ref.id for e in await found(connector, Query(redmine_project, "Bug"))] == [str(ours["id"])]

    async def test_a_native_condition_narrows_the_list(
        self, connector: RedmineConnector, redmine: Server, redmine_project: str
    ) -> None:
        redmine.issue(redmine_project, priority_id=1)
        high = redmine.issue(redmine_project, priority_id=3)
        assert [e.ref.id for e in await found(connector, Query(redmine_project, "Bug", native="priority_id=3"))] == [
            str(high["id"])
        ]

    @pytest.mark.parametrize("native", ["updated_on=2026-01-01", "limit=1", "f[]=status_id", "query_id=3"])
    async def test_a_native_condition_that_would_break_paging_is_refused(
        self, connector: RedmineConnector, redmine_project: str, native: str
    ) -> None:
        with pytest.raises(ConfigurationError, match="native condition"):
            await found(connector, Query(redmine_project, "Bug", native=native))

    async def test_a_native_condition_that_redmine_refuses_is_told_in_its_words(
        self, connector: RedmineConnector, redmine_project: str
    ) -> None:
        with pytest.raises(Rejected, match="Start date is invalid"):
            await found(connector, Query(redmine_project, "Bug", native="start_date=nonsense"))

    async def test_a_key_that_was_withdrawn_is_not_taken_for_the_view_of_a_stranger(
        self, connect: Connect, redmine: Server, redmine_project: str
    ) -> None:
        """Redmine shows a public project to anybody: without what is private."""
        redmine.issue(redmine_project)
        with pytest.raises(AuthenticationError):
            await found(connect(credentials={"api_key": "withdrawn"}), Query(redmine_project, "Bug"))


class TestRead:
    async def test_hidden_is_not_gone(self, connect: Connect, redmine: Server, redmine_project: str) -> None:
        hidden = redmine.issue(redmine.project(is_public=False))
        deleted = redmine.issue(redmine_project)
        there = redmine.issue(redmine_project)
        redmine.call("DELETE", f"/issues/{deleted['id']}.json")
        refs = [EntityRef(redmine_project, "Bug", str(one["id"])) for one in (hidden, deleted, there)]
        answer = await connect(redmine.user(member_of=redmine_project)).read(refs)
        assert [type(answer[ref]) for ref in refs] == [Forbidden, Gone, Entity]

    async def test_an_entity_that_moved_is_found_where_it_is_now(
        self, connector: RedmineConnector, redmine: Server, redmine_project: str
    ) -> None:
        made = await entity(connector, redmine_project)
        other = redmine.project()
        number = redmine.call("GET", f"/projects/{other}.json")["project"]["id"]
        redmine.call("PUT", f"/issues/{made.ref.id}.json", {"issue": {"project_id": number, "tracker_id": 2}})
        now = (await connector.read([made.ref]))[made.ref]
        assert isinstance(now, Entity)
        assert (now.ref.scope, now.ref.type, now.ref.id) == (other, "Feature", made.ref.id)

    async def test_two_edits_within_one_second_are_two_versions(
        self, connector: RedmineConnector, redmine_project: str
    ) -> None:
        made = await entity(connector, redmine_project)
        versions = {made.version}
        for number in range(5):
            made = await connector.update(made, {"subject": f"Edit {number}"}, expected=made.version)
            versions.add(made.version)
        assert len(versions) == 6

    async def test_the_history_names_fields_values_and_people(
        self, connect: Connect, redmine_project: str, member: Account
    ) -> None:
        ours, theirs = connect(), connect(member)
        made = await entity(ours, redmine_project)
        fields = {"status": Choice("Closed"), "assigned_to": UserRef(member.id)}
        await theirs.update(made, fields, expected=None)
        await ours.update(made, {"Severity": Choice("Major")}, expected=None)
        edits = {edit.field: edit for edit in await ours.history(made, made.modified)}
        assert (edits["status"].before, edits["status"].after) == (Choice("New"), Choice("Closed"))
        assert edits["assigned_to"].after == UserRef(member.id)
        assert edits["status"].by == UserRef(member.id)
        assert (edits["Severity"].after, edits["Severity"].by) == (Choice("Major"), UserRef("1"))


class TestWrite:
    async def test_every_type_of_field_arrives(
        self, connector: RedmineConnector, redmine_project: str, member: Account
    ) -> None:
        parent = await entity(connector, redmine_project)
        fields = {
            "description": RichText("One\nTwo"),
            "priority": Choice("High"),
            "assigned_to": UserRef(member.id),
            "parent": Ref("Bug", parent.ref.id),
            "due_date": date(2099, 12, 31),
            "done_ratio": 30,
            "estimated_hours": Decimal("2.5"),
            "is_private": True,
            "Platforms": (Choice("Linux"), Choice("macOS")),
            "Found on": date(2026, 1, 2),
            "Effort": Decimal("0.25"),
            "Customers": 3,
            "Billable": False,
            "Reviewer": UserRef(member.id),
            "Homepage": Url("https://example.org/"),
        }
        made = await entity(connector, redmine_project, **fields)
        assert {name: made.fields[name] for name in fields} == fields
        assert (await connector.read([made.ref]))[made.ref] == made
        cleared = {
            name: () if name == "Platforms" else None for name in fields if name not in ("priority", "is_private")
        }
        bare = await connector.update(made, cleared, expected=None)
        assert {name: bare.fields[name] for name in cleared} == {**cleared, "done_ratio": 0}

    async def test_a_status_that_the_workflow_does_not_permit_shows_as_ignored(
        self, connect: Connect, redmine: Server, redmine_project: str
    ) -> None:
        """A reporter may not close: Redmine answers success and leaves the status as it is."""
        reporter = connect(redmine.user(member_of=redmine_project, role="Reporter"))
        made = await entity(reporter, redmine_project)
        after = await reporter.update(made, {"status": Choice("Rejected")}, expected=made.version)
        assert after.fields["status"] == Choice("New")

    @pytest.mark.parametrize(
        ("fields", "name", "why"),
        [
            ({"subject": "x" * 256}, "subject", "too long"),
            ({"subject": ""}, "subject", "blank"),
            ({"due_date": date(1999, 1, 1), "start_date": date(2000, 1, 1)}, "due_date", "greater than start date"),
            ({"assigned_to": UserRef("999999")}, "assigned_to", "invalid"),
            ({"done_ratio": 101}, "done_ratio", "not included"),
            ({"status": Choice("Open")}, "status", "no value 'Open'"),
            ({"Severity": Choice("Mayor")}, "Severity", "near: Major"),
            ({"author": UserRef("1")}, "author", "read only"),
            ({"sujbect": "x"}, "sujbect", "near: subject"),
            ({"Platforms": "Linux", "subject": ("a", "b")}, "subject", "one value, not 2"),
        ],
    )
    async def test_a_refusal_names_its_field(
        self, connector: RedmineConnector, redmine_project: str, fields: dict[str, object], name: str, why: str
    ) -> None:
        with pytest.raises(Rejected) as refused:
            await entity(connector, redmine_project, **fields)
        assert set(refused.value.fields) == {name}
        assert why in refused.value.fields[name]

    async def test_an_update_on_a_stale_version_writes_nothing(
        self, connector: RedmineConnector, redmine_project: str
    ) -> None:
        made = await entity(connector, redmine_project)
        await connector.update(made, {"subject": "Theirs"}, expected=made.version)
        with pytest.raises(Changed):
            await connector.update(made, {"subject": "Ours"}, expected=made.version)
        now = (await connector.read([made.ref]))[made.ref]
        assert isinstance(now, Entity)
        assert now.fields["subject"] == "Theirs"

    async def test_an_issue_with_subtasks_is_not_deleted_with_them(
        self, connector: RedmineConnector, redmine_project: str
    ) -> None:
        parent = await entity(connector, redmine_project)
        child = await entity(connector, redmine_project, parent=Ref("Bug", parent.ref.id))
        with pytest.raises(Rejected, match="subtasks"):
            await connector.delete(parent)
        await connector.delete(child)
        await connector.delete(parent)
        assert await connector.read([parent.ref]) == {parent.ref: Gone(parent.ref)}


class TestUsers:
    async def test_a_user_is_found_by_mail_login_or_id_and_never_by_less(
        self, connect: Connect, redmine: Server, redmine_project: str, member: Account
    ) -> None:
        admin, fellow = connect(), connect(redmine.user(member_of=redmine_project))
        for connector, texts in ((admin, [member.mail.upper(), member.login, member.id]), (fellow, [member.login])):
            for text in texts:
                (user,) = await connector.find_user(text)
                assert (user.id, user.username) == (member.id, member.login)
                assert user.email == (member.mail if connector is admin else None), "told to administrators only"
            for text in (member.login[:-1], member.login.title() + " Example", "nobody@example.com", " "):
                assert await connector.find_user(text) == []

    async def test_a_locked_user_is_not_found_but_stays_named(
        self, connector: RedmineConnector, redmine: Server, redmine_project: str, member: Account
    ) -> None:
        made = await entity(connector, redmine_project, assigned_to=UserRef(member.id))
        redmine.call("PUT", f"/users/{member.id}.json", {"user": {"status": 3}})
        assert await connector.find_user(member.mail) == []
        assigned = made.fields["assigned_to"]
        assert isinstance(assigned, UserRef)
        assert assigned.username == member.login


class TestCommentsLinksAttachments:
    async def test_private_comments_stay_private(self, connector: RedmineConnector, redmine_project: str) -> None:
        made = await entity(connector, redmine_project)
        for kind in ("public", "private"):
            await connector.add_comment(made, Comment("", RichText(f"A {kind} word"), kind=kind))
        there = (await connector.comments([made]))[made.ref]
        assert [comment.kind for comment in there] == ["public", "private"]

    async def test_a_note_on_an_edit_is_a_comment_and_an_edit_alone_is_none(
        self, connector: RedmineConnector, redmine: Server, redmine_project: str
    ) -> None:
        made = await entity(connector, redmine_project)
        for change in ({"subject": "Edited"}, {"subject": "Once more", "notes": "And why"}):
            redmine.call("PUT", f"/issues/{made.ref.id}.json", {"issue": change})
        there = (await connector.comments([made]))[made.ref]
        assert [comment.text.canonical for comment in there] == ["And why"]

    async def test_a_link_reads_the_same_from_both_ends(
        self, connector: RedmineConnector, redmine_project: str
    ) -> None:
        one, two = [await entity(connector, redmine_project) for _ in range(2)]
        link = await connector.add_link(one, "blocks", two.ref)
        assert (link.source, link.target) == (one.ref, two.ref)
        assert await connector.links([one, two]) == {one.ref: (link,), two.ref: (link,)}
        with pytest.raises(Rejected, match="already"):
            await connector.add_link(one, "blocks", two.ref)
        with pytest.raises(Rejected, match="no link type"):
            await connector.add_link(one, "likes", two.ref)
        await connector.delete_link(two, link)
        assert await connector.links([one, two]) == {one.ref: (), two.ref: ()}

    async def test_a_file_is_streamed_both_ways(self, connector: RedmineConnector, redmine_project: str) -> None:
        made = await entity(connector, redmine_project)
        chunks = [bytes([number]) * 50_000 for number in range(20)]

        async def content() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk

        draft = Attachment("", "Bild ä & mehr.bin", 1_000_000, "application/octet-stream")
        kept, _ = await connector.add_attachment(made, draft, content())
        assert (kept.name, kept.size) == (draft.name, draft.size)
        assert await connector.attachments([made]) == {made.ref: (kept,)}
        assert b"".join([chunk async for chunk in connector.open_attachment(made, kept)]) == b"".join(chunks)
        await connector.delete_attachment(made, kept.id)
        assert await connector.attachments([made]) == {made.ref: ()}
