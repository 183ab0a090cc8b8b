"""The pages, as a person uses them: log in, look, settle, retry, ignore; nothing that a system holds acts as markup."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import httpx
import pytest

from console.auth import Role
from console.pages.web import address, ago, duration, field, local, shown
from tests.console.web.served import NAME, Served
from tests.console.web.test_access import csrf, log_in
from tests.flows.world import World


class Browser:
    """A person with a browser, logged in."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def open(self, path: str) -> str:
        """The page, as text."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return unescape(answer.text)

    async def send(self, path: str, **fields: Any) -> str:
        """Send a form; the page that follows."""
        data = {"csrf": await csrf(self.client), **fields}
        answer = await self.client.post(path, data=data, follow_redirects=True)
        assert answer.status_code == 200, answer.text
        return unescape(answer.text)


@pytest.fixture
async def ann(served: Served) -> AsyncIterator[Browser]:
    async with served.client(None) as client:
        await log_in(client, Role.OPERATOR, "ann")
        yield Browser(client)


async def conflicts(world: World) -> None:
    """Two pairs whose titles both sides changed differently."""
    for title in ("First", "Second"):
        left, right = await world.pair(title)
        world.left.change(left, title=f"{title} left")
        world.right.change(right, title=f"{title} right")
    await world.refresh()


async def test_the_front_page_is_the_status(ann: Browser, world: World) -> None:
    await conflicts(world)
    page = await ann.open("/")
    assert f'href="/connectors/{NAME}"' in page
    assert "<b>2</b> halted by a conflict" in page
    assert "WAITING" in page


async def test_a_broken_edit_is_told_and_the_last_good_configuration_goes_on(ann: Browser, world: World) -> None:
    await world.pair()
    world.path.write_text(world.path.read_text().replace('"left"', '"lefft"', 1))
    assert await world.runtime.look_again()
    page = await ann.open("/")
    assert "not in force" in page
    assert "lefft" in page
    assert (await world.refresh()).outcome == "done"
    world.write()
    assert await world.runtime.look_again()
    assert not await world.runtime.look_again()
    assert "not in force" not in await ann.open("/")


async def test_a_refresh_by_hand_is_asked_for_and_a_dry_run_shows_its_plan(ann: Browser, world: World) -> None:
    world.left.make("Boiler leaks")
    page = await ann.send(f"/connectors/{NAME}/refresh", dry_run="1")
    assert "Nothing was written" in page
    assert "Boiler leaks" in page
    assert world.writes == 0
    page = await ann.send(f"/connectors/{NAME}/refresh", full="1")
    assert "A refresh of tickets was asked for" in page
    assert world.right.living


async def test_a_report_tells_what_was_done(ann: Browser, world: World) -> None:
    world.left.make("Boiler leaks")
    report = await world.refresh()
    page = await ann.open(f"/runs/{report.run}")
    assert "Boiler leaks" in page
    assert report.run in await ann.open("/runs")


async def test_one_conflict_is_settled_field_by_field(ann: Browser, world: World, served: Served) -> None:
    left, right = await world.pair(points=1)
    world.left.change(left, title="Left", points=2)
    world.right.change(right, title="Right", points=3)
    await world.refresh()
    first = world.conflicts()[0]
    page = await ann.open("/conflicts")
    assert "Left" in page
    assert "agreed before: Boiler leaks" in re.sub(r"<[^>]+>", "", page)
    page = await ann.send(
        "/conflicts/resolve",
        id=first.id, field=["title", "points"], reason="they know",
        **{"take:title": "right", "take:points": "own", "own:points": "8"},
    )  # fmt: skip
    assert f"Conflict {first.id} is settled." in page
    for system, ref in ((world.left, left), (world.right, right)):
        assert (system.value(ref, "title"), system.value(ref, "points")) == ("Right", 8)
    assert {line["who"] for line in served.audited("resolve")} == {"operator/ann"}


async def test_many_conflicts_are_settled_at_once(ann: Browser, world: World) -> None:
    await conflicts(world)
    ids = [found.id for found in world.conflicts()]
    page = await ann.send("/conflicts/resolve", take_all="left", id=ids)
    assert "2 conflicts are settled." in page
    titles = sorted(world.right.value(ref, "title") for ref in world.right.living)
    assert titles == ["First left", "Second left"]


async def test_a_decision_on_stale_ground_is_refused_and_says_so(ann: Browser, world: World) -> None:
    await conflicts(world)
    found = world.conflicts()[0]
    world.later()
    world.right.change(world.links()[0].right.ref, title="Newer")
    page = await ann.send("/conflicts/resolve", take_all="left", id=[found.id])
    assert "was edited since" in page
    assert world.right.value(world.links()[0].right.ref, "title") == "Newer"


async def test_failures_are_retried_and_ignored(ann: Browser, world: World) -> None:
    world.right.rejects = {"title": "no titles today"}
    world.left.make("One")
    world.left.make("Two")
    await world.refresh()
    first, second = (failure.id for failure in world.failures())
    assert "no titles today" in await ann.open("/failures")
    assert "1 ignored." in await ann.send("/failures/decide", do="ignore", id=[first], reason="a test")
    world.right.rejects = {}
    assert "1 tried again: done." in await ann.send("/failures/decide", do="retry", id=[second])
    assert "No failure was chosen" in await ann.send("/failures/decide", do="retry")
    assert "left:" in await ann.open("/failures?state=ignored")


async def test_the_audit_log_is_filtered(ann: Browser, world: World) -> None:
    await conflicts(world)
    assert "First left" in await ann.open("/audit?what=conflict")
    assert "First left" not in await ann.open("/audit?what=log_in")


async def test_nothing_that_a_system_holds_acts_as_markup(served: Served, world: World) -> None:
    evil = "<script>alert(1)</script>"
    left, right = await world.pair(evil)
    world.left.change(left, title=f"{evil} left")
    world.right.change(right, title=f"{evil} right")
    await world.refresh()
    async with served.client(None) as client:
        await log_in(client, Role.OPERATOR, evil)
        run = served.service.runs()[0]["run"]
        for path in ("/", "/conflicts", "/audit", f"/runs/{run}", f"/connectors/{NAME}"):
            page = (await client.get(path)).text
            assert "<script>alert" not in page, path
        assert "&lt;script&gt;alert(1)&lt;/script&gt; left" in (await client.get("/conflicts")).text


async def test_a_monitor_sees_no_buttons_but_the_way_out(served: Served, world: World) -> None:
    await conflicts(world)
    async with served.client(None) as client:
        await log_in(client, Role.MONITOR)
        for path in ("/", "/conflicts", "/failures", f"/connectors/{NAME}"):
            page = (await client.get(path)).text
            buttons = re.findall(r"<button[^>]*>([^<]+)</button>", page)
            assert set(buttons) <= {"Log out", "Show"}, path


async def test_what_is_wrong_is_told_on_a_page(ann: Browser) -> None:
    answer = await ann.client.get("/connectors/tickts")
    assert answer.status_code == 404
    assert "Did you mean tickets?" in answer.text


async def test_pages_need_no_script_of_their_own_inside(ann: Browser) -> None:
    for path in ("/", "/conflicts", "/failures", "/runs", "/audit", f"/connectors/{NAME}", "/log-in"):
        page = await ann.open(path)
        assert not re.search(r"<script(?! src=)|\son\w+=|style=|javascript:", page), path


def test_an_address_becomes_a_link_only_if_it_is_one() -> None:
    assert address("https://example.org/1") == "https://example.org/1"
    assert address("javascript:alert(1)") is address("data:text/html,x") is address(None) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (119, "119 s"), (300, "5 min"), (10800, "3 h"), (180000, "2 d"), (None, "–")]
)
def test_durations_are_told_in_the_largest_unit_that_fits(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_words_of_the_pages() -> None:
    assert ago(None) == "never"
    assert shown(["a", None, 1]) == "a, , 1"
    assert field("title=title") == "title"
    assert field("summary=title") == "summary ↔ title"
    assert local("/runs?connector=x") == "/runs?connector=x"
