"""`/api/v1`: what it answers is the command line's JSON, and what it does is the engine's."""

from __future__ import annotations

import httpx

from connectors.entity import EntityRef
from flows import inboxes
from tests.console.web.served import NAME, Served, group_of
from tests.flows.world import World

API = "/api/v1"


async def conflict(world: World) -> tuple[EntityRef, EntityRef]:
    """A pair whose title both sides changed differently."""
    left, right = await world.pair()
    world.left.change(left, title="Left")
    world.right.change(right, title="Right")
    await world.refresh()
    return left, right


async def test_a_connector_tells_how_it_is_configured_and_how_it_is_doing(
    admin: httpx.AsyncClient, world: World
) -> None:
    await world.pair()
    (one,) = (await admin.get(f"{API}/connectors")).json()
    assert one == (await admin.get(f"{API}/connectors/{NAME}")).json()
    assert one["name"] == NAME
    assert one["state"] == "WAITING"
    assert one["left"] == {"system": "ours", "kind": "memory", "url": world.left.url}
    assert one["permitted_synchronization"] == "BOTH_DIRECTIONS"
    assert one["targets"][0]["links"] == 1


async def test_a_refresh_answers_its_report(admin: httpx.AsyncClient, world: World) -> None:
    world.left.make("Boiler leaks")
    answer = await admin.post(f"{API}/connectors/{NAME}/refresh", json={})
    report = answer.json()
    assert answer.status_code == 200
    assert (report["outcome"], report["created"]) == ("done", {"left": 0, "right": 1})
    assert (await admin.get(f"{API}/runs")).json() == [report]
    plan = (await admin.get(f"{API}/runs/{report['run']}")).json()["plan"]
    assert [row["action"] for row in plan] == ["create"]


async def test_a_refresh_that_is_not_waited_for_is_accepted(admin: httpx.AsyncClient, world: World) -> None:
    world.left.make("Boiler leaks")
    answer = await admin.post(f"{API}/connectors/{NAME}/refresh", json={"wait": False})
    assert answer.status_code == 202
    assert answer.json()["run"]


async def test_a_dry_run_answers_the_plan_and_writes_nothing(admin: httpx.AsyncClient, world: World) -> None:
    world.left.make("Boiler leaks")
    report = (await admin.post(f"{API}/connectors/{NAME}/refresh", json={"dry_run": True})).json()
    assert [row["action"] for row in report["plan"]] == ["create"]
    assert world.writes == 0


async def test_a_deactivated_connector_is_not_refreshed_until_it_is_activated(
    admin: httpx.AsyncClient, served: Served
) -> None:
    assert (await admin.post(f"{API}/connectors/{NAME}/deactivate")).json() == {
        "name": NAME, "active": False, "changed": True,
    }  # fmt: skip
    refused = await admin.post(f"{API}/connectors/{NAME}/refresh")
    assert refused.status_code == 422
    assert "not active" in refused.json()["what"]
    assert (await admin.get(f"{API}/status")).json()["connectors"][0]["state"] == "STOPPED"
    await admin.post(f"{API}/connectors/{NAME}/activate")
    assert (await admin.post(f"{API}/connectors/{NAME}/refresh")).status_code == 200
    assert [line["who"] for line in served.audited("activate")] == ["administrator"]


async def test_lists_are_the_command_lines(admin: httpx.AsyncClient, world: World) -> None:
    await conflict(world)
    ledger = world.runtime.ledger
    (found,) = world.conflicts()
    assert (await admin.get(f"{API}/links")).json() == [inboxes.link_json(link) for link in ledger.links(NAME)]
    assert (await admin.get(f"{API}/conflicts")).json() == [inboxes.conflict_json(found, ledger.link(found.link))]
    lines = (await admin.get(f"{API}/audit", params={"connector": NAME})).json()
    assert lines == [inboxes.audit_json(entry) for entry in ledger.audit(NAME, limit=100)]


async def test_lists_are_filtered_and_paged(admin: httpx.AsyncClient, world: World) -> None:
    for number in range(5):
        world.left.make(f"Ticket {number}")
    await world.refresh()
    seen: list[str] = []
    url: str | None = f"{API}/links?connector={NAME}&state=agreed&limit=2"
    pages = 0
    while url:
        answer = await admin.get(url)
        seen += [row["id"] for row in answer.json()]
        url = answer.links.get("next", {}).get("url")
        pages += 1
    assert (len(seen), len(set(seen)), pages) == (5, 5, 3)
    assert (await admin.get(f"{API}/links", params={"state": "halted"})).json() == []
    assert (await admin.get(f"{API}/links", params={"connector": "other"})).json() == []


async def test_a_conflict_is_settled_in_the_name_of_who_did_it(served: Served, world: World) -> None:
    left, right = await conflict(world)
    (found,) = world.conflicts()
    async with served.client(**{"Syncline-User": "ann"}) as ann:
        answer = await ann.post(f"{API}/conflicts/{found.id}/resolve", json={"take": "left", "reason": "they know"})
    assert answer.status_code == 200, answer.text
    assert world.right.value(right, "title") == world.left.value(left, "title") == "Left"
    (line,) = served.audited("resolve")
    assert (line["who"], line["reason"]) == ("administrator/ann", "they know")


async def test_each_field_of_a_conflict_may_go_another_way(admin: httpx.AsyncClient, world: World) -> None:
    left, right = await world.pair(points=1)
    world.left.change(left, title="Left", points=2)
    world.right.change(right, title="Right", points=3)
    await world.refresh()
    first = world.conflicts()[0]
    body = {"take": {"title": "left"}, "values": {"points": "5"}}
    answer = await admin.post(f"{API}/conflicts/{first.id}/resolve", json=body)
    assert answer.status_code == 200, answer.text
    for system, ref in ((world.left, left), (world.right, right)):
        assert (system.value(ref, "title"), system.value(ref, "points")) == ("Left", 5)


async def test_a_conflict_that_has_moved_on_is_refused_and_nothing_is_written(
    admin: httpx.AsyncClient, world: World
) -> None:
    _, right = await conflict(world)
    (found,) = world.conflicts()
    world.later()
    world.right.change(right, title="Newer")
    answer = await admin.post(f"{API}/conflicts/{found.id}/resolve", json={"take": "left"})
    assert answer.status_code == 409
    assert "edited since" in answer.json()["what"]
    assert world.right.value(right, "title") == "Newer"
    (shown,) = (await admin.get(f"{API}/conflicts")).json()
    assert shown["right"] == "Newer"


async def test_failures_are_retried_and_ignored_one_or_many(admin: httpx.AsyncClient, world: World) -> None:
    world.right.rejects = {"title": "no titles today"}
    for number in range(3):
        world.left.make(f"Ticket {number}")
    await world.refresh()
    first, second, third = (row["id"] for row in (await admin.get(f"{API}/failures")).json())
    body = {"ids": [int(first)], "reason": "a test"}
    assert (await admin.post(f"{API}/failures/ignore", json=body)).json() == {"ignored": 1}
    ignored = (await admin.get(f"{API}/failures", params={"state": "ignored"})).json()
    assert [row["id"] for row in ignored] == [first]
    world.right.rejects = {}
    assert (await admin.post(f"{API}/failures/{second}/retry")).json()["created"]["right"] == 1
    (report,) = (await admin.post(f"{API}/failures/retry", json={"all": True})).json()
    assert report["created"]["right"] == 1
    assert (await admin.post(f"{API}/failures/{first}/retry")).json()["created"]["right"] == 1
    assert (await admin.get(f"{API}/failures")).json() == []
    assert third


async def test_a_group_is_kept_as_a_file_and_in_force_at_once(
    admin: httpx.AsyncClient, world: World, served: Served
) -> None:
    group = group_of(world, refresh_interval=7)
    answer = await admin.put(f"{API}/groups/world", json=group)
    assert answer.status_code == 200, answer.text
    assert (await admin.get(f"{API}/connectors/{NAME}")).json()["refresh_interval_s"] == 420
    assert "refresh_interval: 7" in (await admin.get(f"{API}/groups/world")).text
    assert world.path.read_text() == (await admin.get(f"{API}/groups/world")).text
    assert served.audited("configure")


async def test_a_broken_group_is_refused_whole_with_every_finding(admin: httpx.AsyncClient, world: World) -> None:
    before = world.path.read_text()
    group = group_of(world, refresh_intervall=7)
    group["connectors"][0]["left"] = "nowhere"
    answer = await admin.put(f"{API}/groups/world", json=group)
    assert answer.status_code == 422
    assert {finding["code"] for finding in answer.json()["findings"]} >= {"unknown_key", "unknown_system"}
    assert world.path.read_text() == before


async def test_a_group_may_not_come_under_another_name(admin: httpx.AsyncClient) -> None:
    answer = await admin.put(f"{API}/groups/other", content="group: another\n")
    assert answer.status_code == 422
    assert [finding["code"] for finding in answer.json()["findings"]] == ["not_a_group"]


async def test_a_new_group_beside_a_single_file_survives_a_restart(admin: httpx.AsyncClient, world: World) -> None:
    text = "# by hand\ngroup: more\nsystems:\n  spare: {kind: memory, url: 'memory://spare'}\n"
    assert (await admin.put(f"{API}/groups/more", content=text)).status_code == 200
    assert (await admin.get(f"{API}/groups/more")).text == text
    await world.runtime.reload()
    assert [row["name"] for row in (await admin.get(f"{API}/groups")).json()] == ["more", "world"]


async def test_a_problem_says_what_where_and_what_to_do(admin: httpx.AsyncClient) -> None:
    answer = await admin.get(f"{API}/connectors/tickts")
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == answer.status_code == 404
    assert problem["what"] == "There is no integration connector 'tickts'"
    assert problem["where"] == f"{API}/connectors/tickts"
    assert problem["remedy"] == "Did you mean tickets?"
