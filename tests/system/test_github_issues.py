"""250 real issues, in a real Redmine, kept in agreement with a real Roundup tracker (issue 3, "done when")."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import HasComments
from connectors.entity import Entity, EntityRef, RichText
from demo.trackers import Tracker, start_tracker
from flows.comment_text import HEADER, strip
from flows.engine import refresh_connector
from flows.report import Counters, RefreshOptions, Report
from flows.runtime import Runtime
from ledger.model import Link
from mappings.config import Side
from tests.system import esni
from tests.systems.redmine import REDMINE, Server

pytestmark = [*REDMINE, pytest.mark.timeout(900)]
NAME = "redmine-roundup"


@dataclass
class World:
    """Both systems with the issues loaded into Redmine, and the configuration that joins them."""

    redmine: Server
    tracker: Tracker
    loaded: esni.Loaded
    config: Path

    async def refresh(self, runtime: Runtime, **options: Any) -> Report:
        """One refresh; where a loaded tracker breaks a connection off, what it left is done by the next."""
        done = Counters()
        for _ in range(4):
            report = await refresh_connector(runtime, NAME, RefreshOptions(**options))
            done.add(report.total)
            if not any(target.unreachable for target in report.targets):
                break
        assert [target.error for target in report.targets] == [None]
        report.targets[0].counters = done
        return report

    def traces(self) -> tuple[Any, ...]:
        """Whatever any write would move, on either side, as the systems themselves tell it."""
        redmine = self.redmine.sql("select count(*), max(i.updated_on), (select count(*) from journals) from issues i")
        activity = {
            kind: self.tracker.rest("GET", f"{kind}?@fields=activity")["collection"] for kind in ("issue", "msg")
        }
        return redmine, activity


@pytest.fixture(scope="module")
def world(redmine: Server, tmp_path_factory: pytest.TempPathFactory, prepared_trackers: Any) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("github")
    with start_tracker(
        folder / "tracker", "classic", admin_password="the-admins-secret", prepared=prepared_trackers("classic")
    ) as tracker:
        loaded = esni.load(redmine, tracker)
        yield World(redmine, tracker, loaded, esni.group(folder, redmine, tracker, loaded.project))


@pytest.fixture
async def runtime(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    monkeypatch.setenv("REDMINE_KEY", world.redmine.api_key)
    monkeypatch.setenv("ROUNDUP_PASSWORD", world.tracker.password)
    async with Runtime.open(world.config) as opened:
        yield opened


async def read(runtime: Runtime, link: Link, side: Side) -> Entity:
    ref = link.end(side).ref
    entity = (await runtime.end(runtime.entry(NAME), side).connector.read([ref]))[ref]
    assert isinstance(entity, Entity)
    return entity


async def edit(runtime: Runtime, link: Link, side: Side, **fields: Any) -> None:
    entity = await read(runtime, link, side)
    await runtime.end(runtime.entry(NAME), side).connector.update(entity, fields, expected=None)


async def test_the_issues_arrive_whole_edits_survive_and_then_it_is_quiet(world: World, runtime: Runtime) -> None:
    await first_everything_arrives_and_nothing_is_written_again(world, runtime)
    await then_edits_on_both_sides_survive(world, runtime)
    await and_a_comment_leaves_a_resolved_issue_resolved(world, runtime)


async def first_everything_arrives_and_nothing_is_written_again(world: World, runtime: Runtime) -> None:
    report = await world.refresh(runtime)
    total = report.total
    assert total.sided["created"] == {Side.RIGHT: 250}
    assert total.plain["failed"] == total.plain["halted"] == 0
    comments = [c for issue in world.loaded.issues.values() for c in issue["comments"] if c["body"].strip()]
    assert total.sided["comments"] == {Side.RIGHT: len(comments)}
    links = runtime.ledger.links(NAME)
    assert {link.left.ref.id for link in links} == set(world.loaded.issues)
    await _assert_same_content(world, runtime, links)

    before = world.traces()
    again = await world.refresh(runtime)
    assert again.total.writes == 0
    assert world.traces() == before


async def _assert_same_content(world: World, runtime: Runtime, links: list[Link]) -> None:
    """Title, body, status, assignee, and the comments in order with author and time."""
    connector = runtime.end(runtime.entry(NAME), Side.RIGHT).connector
    assert isinstance(connector, HasComments)
    refs: list[EntityRef] = [link.right.ref for link in links]
    twins = {ref: entity for ref, entity in (await connector.read(refs)).items() if isinstance(entity, Entity)}
    talks = await connector.comments(list(twins.values()))
    for link in links:
        issue, twin = world.loaded.issues[link.left.ref.id], twins[link.right.ref]
        assert twin.fields["title"] == issue["title"].strip()
        assert str(twin.fields["description"]) == _text(issue["body"])
        assert str(twin.fields["status"]) == ("resolved" if issue["state"] == "CLOSED" else "unread")
        assignee = twin.fields["assignedto"]
        assert (assignee.username if assignee else None) == (  # type: ignore[union-attr]
            f"ru-{issue['assignees'][0]}" if issue["assignees"] else None
        )
        told = [_told(comment.text.canonical, comment.author, comment.created) for comment in talks[twin.ref]]
        meant = [
            (c["author"].lower(), datetime.fromisoformat(c["createdAt"]), _text(c["body"]))
            for c in issue["comments"]
            if c["body"].strip()
        ]
        assert told == meant


def _told(text: str, author: Any, created: datetime | None) -> tuple[str, datetime | None, str]:
    """Who wrote a comment, when, and what: natively, or by the header line that carries it."""
    header = HEADER.match(text)
    if header is None:
        return author.username.removeprefix("ru-"), created, text
    at = datetime.strptime(header["at"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return header["who"].removesuffix(" -").lower(), at, strip(text)


def _text(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


async def then_edits_on_both_sides_survive(world: World, runtime: Runtime) -> None:
    one, other, third, same = runtime.ledger.links(NAME)[:4]
    await edit(runtime, one, Side.LEFT, subject="Edited in Redmine")
    await edit(runtime, other, Side.RIGHT, title="Edited in Roundup")
    await edit(runtime, third, Side.LEFT, subject="Title from Redmine")
    await edit(runtime, third, Side.RIGHT, description=RichText("Body from Roundup"))
    await edit(runtime, same, Side.LEFT, subject="The same words")
    await edit(runtime, same, Side.RIGHT, title="The same words")

    report = await world.refresh(runtime)
    assert report.total.plain["halted"] == 0
    assert (await read(runtime, one, Side.RIGHT)).fields["title"] == "Edited in Redmine"
    assert (await read(runtime, other, Side.LEFT)).fields["subject"] == "Edited in Roundup"
    assert (await read(runtime, third, Side.RIGHT)).fields["title"] == "Title from Redmine"
    assert str((await read(runtime, third, Side.LEFT)).fields["description"]) == "Body from Roundup"
    assert report.total.sided["updated"] == {Side.LEFT: 2, Side.RIGHT: 2}

    before = world.traces()
    again = await world.refresh(runtime)
    assert again.total.writes == 0
    assert world.traces() == before


async def and_a_comment_leaves_a_resolved_issue_resolved(world: World, runtime: Runtime) -> None:
    link = next(li for li in runtime.ledger.links(NAME) if world.loaded.issues[li.left.ref.id]["state"] == "CLOSED")
    world.redmine.call("PUT", f"/issues/{link.left.ref.id}.json", {"issue": {"notes": "One more word"}})
    report = await world.refresh(runtime)
    assert report.total.sided["comments"] == {Side.RIGHT: 1}
    assert str((await read(runtime, link, Side.RIGHT)).fields["status"]) == "resolved"
    assert str((await read(runtime, link, Side.LEFT)).fields["status"]) == "Closed"
