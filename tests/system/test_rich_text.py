"""300 real Markdown bodies in a real Roundup, kept in agreement with a real Redmine that holds Textile (issue 4)."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.contract import HasComments, WritesInBulk
from connectors.entity import Comment, Entity, RichText, normal_text
from connectors.richtext import from_canonical, losses
from demo.trackers import Tracker, start_tracker
from flows.comment_text import HEADER, strip
from flows.engine import refresh_connector
from flows.report import RefreshOptions, Report
from flows.runtime import Runtime
from ledger.model import Link
from mappings.config import Side
from tests.system import esni
from tests.systems.redmine import REDMINE, Server

pytestmark = [*REDMINE, pytest.mark.timeout(600)]
NAME = "redmine-roundup"


@dataclass
class World:
    redmine: Server
    tracker: Tracker
    config: Path

    def textile(self, link: Link) -> str:
        """The description as Redmine itself has it."""
        issue = self.redmine.call("GET", f"/issues/{link.left.ref.id}.json")["issue"]
        return str(issue["description"]).replace("\r\n", "\n")

    def traces(self) -> tuple[Any, ...]:
        """Whatever any write would move, on either side."""
        redmine = self.redmine.sql("select count(*), max(i.updated_on), (select count(*) from journals) from issues i")
        return redmine, *(self.tracker.rest("GET", f"{kind}?@fields=activity") for kind in ("issue", "msg"))


@pytest.fixture(scope="module")
def bodies() -> list[str]:
    """All bodies of issues, and comments until there are 300."""
    issues = esni.github_issues()
    texts = [issue["body"] for issue in issues] + [comment["body"] for issue in issues for comment in issue["comments"]]
    return [normal_text(text) for text in texts if text.strip()][:300]


@pytest.fixture(scope="module")
def world(redmine: Server, tmp_path_factory: pytest.TempPathFactory, prepared_trackers: Any) -> Iterator[World]:
    folder, password = tmp_path_factory.mktemp("rich-text"), "the-admins-secret"
    with start_tracker(
        folder / "tracker", "classic", admin_password=password, prepared=prepared_trackers("classic")
    ) as tracker:
        path = esni.group(folder, redmine, tracker, redmine.project())
        group = json.loads(path.read_text())
        group["systems"]["redmine"]["text_format"] = "textile"
        path.write_text(json.dumps(group))
        yield World(redmine, tracker, path)


@pytest.fixture
async def runtime(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    monkeypatch.setenv("REDMINE_KEY", world.redmine.api_key)
    monkeypatch.setenv("ROUNDUP_PASSWORD", world.tracker.password)
    async with Runtime.open(world.config) as opened:
        yield opened


async def refresh(runtime: Runtime) -> Report:
    report = await refresh_connector(runtime, NAME, RefreshOptions())
    assert [target.error for target in report.targets] == [None]
    assert report.total.plain["failed"] == report.total.plain["halted"] == 0
    return report


async def read(runtime: Runtime, links: list[Link], side: Side) -> dict[str, Entity]:
    """The entities of one side, by the id of their link's left end."""
    refs = {link.end(side).ref: link.left.ref.id for link in links}
    found = await runtime.end(runtime.entry(NAME), side).connector.read(list(refs))
    return {refs[ref]: entity for ref, entity in found.items() if isinstance(entity, Entity)}


async def one(runtime: Runtime, link: Link, side: Side) -> Entity:
    return (await read(runtime, [link], side))[link.left.ref.id]


async def edit(runtime: Runtime, link: Link, side: Side, text: str) -> None:
    entity = await one(runtime, link, side)
    connector = runtime.end(runtime.entry(NAME), side).connector
    await connector.update(entity, {"description": RichText(text)}, expected=None)


async def test_300_bodies_arrive_as_textile_and_nothing_is_written_again(
    world: World, runtime: Runtime, bodies: list[str]
) -> None:
    connector = runtime.end(runtime.entry(NAME), Side.RIGHT).connector
    assert isinstance(connector, WritesInBulk)
    rows = [({"title": f"Body {n}", "description": RichText(body)}, None) for n, body in enumerate(bodies)]
    for start in range(0, len(rows), 50):
        made = await connector.create_many("", "issue", rows[start : start + 50])
        assert all(isinstance(entity, Entity) for entity in made)

    report = await refresh(runtime)
    assert report.total.sided["created"] == {Side.LEFT: 300}
    links = runtime.ledger.links(NAME)
    left, right = await read(runtime, links, Side.LEFT), await read(runtime, links, Side.RIGHT)
    texts = {id: str(entity.fields["description"]) for id, entity in right.items()}
    assert sorted(texts.values()) == sorted(bodies)
    assert {id: str(entity.fields["description"]) for id, entity in left.items()} == texts

    for link in links:
        markdown, textile = texts[link.left.ref.id], world.textile(link)
        if "```" in markdown and "code block" not in losses(markdown, "markdown", "textile"):
            assert "<pre" in textile
            assert "```" not in textile

    before = world.traces()
    assert (await refresh(runtime)).total.writes == 0
    assert world.traces() == before


async def test_an_edit_in_either_dialect_arrives_in_the_other_and_leaves_the_rest_alone(
    world: World, runtime: Runtime
) -> None:
    links = runtime.ledger.links(NAME)
    texts = {id: str(e.fields["description"]) for id, e in (await read(runtime, links, Side.RIGHT)).items()}
    first, second = [link for link in links if "`" in texts[link.left.ref.id]][:2]
    markdown, textile = "\n\n**bold** and `code`", "\n\n*bold* and @code@"

    edited = {"issue": {"description": world.textile(first) + textile}}
    world.redmine.call("PUT", f"/issues/{first.left.ref.id}.json", edited)
    await edit(runtime, second, Side.RIGHT, texts[second.left.ref.id] + markdown)
    report = await refresh(runtime)

    assert report.total.sided["updated"] == {Side.LEFT: 1, Side.RIGHT: 1}
    arrived = (await one(runtime, first, Side.RIGHT)).fields["description"]
    assert str(arrived) == texts[first.left.ref.id] + markdown
    assert world.textile(second).endswith(textile)
    assert str((await one(runtime, second, Side.LEFT)).fields["description"]) == texts[second.left.ref.id] + markdown

    before = world.traces()
    assert (await refresh(runtime)).total.writes == 0
    assert world.traces() == before


async def test_comments_change_their_dialect_and_keep_their_header(world: World, runtime: Runtime) -> None:
    link = runtime.ledger.links(NAME)[0]
    path = f"/issues/{link.left.ref.id}.json"
    world.redmine.call("PUT", path, {"issue": {"notes": "*Yes*, see @x@"}})
    there = runtime.end(runtime.entry(NAME), Side.RIGHT).connector
    assert isinstance(there, HasComments)
    twin = await one(runtime, link, Side.RIGHT)
    await there.add_comment(twin, Comment("", RichText("**No**, see `y`")))
    report = await refresh(runtime)
    assert report.total.sided["comments"] == {Side.LEFT: 1, Side.RIGHT: 1}

    journals = world.redmine.call("GET", f"{path}?include=journals")["issue"]["journals"]
    header, _, text = journals[-1]["notes"].replace("\r\n", "\n").partition("\n\n")
    assert re.fullmatch(r"\*admin\* wrote on [-0-9]{10} [:0-9]{8} UTC:", header)
    assert text == "*No*, see @y@"

    here = runtime.end(runtime.entry(NAME), Side.LEFT).connector
    assert isinstance(here, HasComments)
    entity = await one(runtime, link, Side.LEFT)
    theirs = (await here.comments([entity]))[entity.ref][-1].text.canonical
    assert HEADER.match(theirs)
    assert strip(theirs) == "**No**, see `y`"
    assert any(strip(c.text.canonical) == "**Yes**, see `x`" for c in (await there.comments([twin]))[twin.ref])

    before = world.traces()
    assert (await refresh(runtime)).total.writes == 0
    assert world.traces() == before


SHOWN = [
    ("**bold** _it_ `code`", "<strong>bold</strong> <em>it</em> <code>code</code>"),
    ("# Heading\ntext", r"<h1 >Heading.*</h1>\s*<p>text</p>"),
    ("- a\n    - b\n- c", r"<ul>\s*<li> *a\s*<ul>\s*<li> *b</li>\s*</ul>\s*</li>\s*<li>c</li>\s*</ul>"),
    ("~~~~\n*x*\n~~~~", r"<pre>\s*\*x\*\s*</pre>"),
    ("(see [a](https://a.b/c).)", r'<p>\(see <a href="https://a.b/c" class="external">a</a>\.\)</p>'),
    ("| a | b |\n|:--|---|\n| c | d |", r"<th>\s*a\s*</th>.*<td>\s*c\s*</td>"),
    ("> quoted", r"<blockquote>\s*<p>quoted</p>\s*</blockquote>"),
    ("use -a or -b-, h1. x", "<p>use -a or -b-, h1. x</p>"),
]


@pytest.mark.parametrize(("markdown", "html"), SHOWN)
def test_redmine_shows_what_was_meant(redmine: Server, markdown: str, html: str) -> None:
    issue = redmine.issue(_project(redmine), description=from_canonical(RichText(markdown), "textile"))
    headers = {"X-Redmine-API-Key": redmine.api_key}
    page = httpx.get(f"{redmine.url}/issues/{issue['id']}", headers=headers, timeout=60, trust_env=False).text
    shown = re.search(r'<div class="wiki">(.*?)</div>', page, re.DOTALL)
    assert shown
    assert re.search(html, shown[1], re.DOTALL), shown[1]


@functools.cache
def _project(redmine: Server) -> str:
    return redmine.project()
