"""Uploads and the workbook on disk: one history, the last version in force, and only its pairs are touched."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
import pytest

from connectors.errors import ConfigurationError, Unavailable
from flows import upload as uploads
from flows.upload import check_workbook, rollback, upload
from mappings.config import Side
from tests.flows.conftest import Make
from tests.flows.world import FIELDS, NAME, World
from tests.mappings.sheets import Rows, xlsx

HEADER = ["ours", "theirs", "Way back"]
ALL: Rows = [HEADER, ["new", "new"], ["open", "open"], ["closed", "closed"]]
TURNED: Rows = [HEADER, ["new", "closed"], ["open", "open"], ["closed", "new"]]
WITHOUT_CLOSED: Rows = [HEADER, ["new", "new"], ["open", "open"]]
BOOK = "values.xlsx"


def put(world: World, rows: Rows, *, sheet: str = "status") -> None:
    """Somebody saves the workbook beside the YAML."""
    (world.folder / BOOK).write_bytes(xlsx({sheet: rows}))


def world_of(make: Make, rows: Rows | None = ALL, **connector: Any) -> World:
    """Tickets whose status is mapped by a workbook; `rows`: what is on disk."""
    fields = [{**field, "values_from": {"sheet": "status"}} if field["left"] == "status" else field for field in FIELDS]
    world = make(row={"fields": fields}, workbook=BOOK, **connector)
    if rows is not None:
        put(world, rows)
    return world


async def load(world: World, rows: Rows, **given: Any) -> uploads.UploadResult:
    given = {"who": "ada", "confirm_warnings": True, **given}
    return await upload(world.runtime, NAME, xlsx({"status": rows}), "mine.xlsx", **given)


def history(world: World) -> list[tuple[int, str]]:
    return [(one.version, one.origin) for one in world.runtime.ledger.value_versions(NAME)]


def statuses(world: World, refs: list[Any]) -> list[Any]:
    """The status of the twins."""
    return [world.right.value(world.twin(ref), "status") for ref in refs]


# -- versions ------------------------------------------------------------------------------------------------------


async def test_the_workbook_on_disk_is_the_first_version(make: Make) -> None:
    world = world_of(make)
    report = await world.synced()
    assert report.values == "1"
    assert history(world) == [(1, "disk")]


async def test_a_refresh_without_any_workbook_says_what_is_missing(make: Make) -> None:
    world = world_of(make, None)
    report = await world.refresh()
    assert report.outcome == "failed"
    assert "values.xlsx, which is not there, and none was uploaded" in report.message


async def test_a_changed_workbook_on_disk_is_the_next_version(make: Make) -> None:
    world = world_of(make)
    await world.synced()
    put(world, TURNED)
    assert (await world.synced()).values == "2"
    assert history(world) == [(1, "disk"), (2, "disk")]


async def test_a_workbook_on_disk_that_is_only_saved_again_is_no_version(make: Make) -> None:
    world = world_of(make)
    await world.synced()
    content = (world.folder / BOOK).read_bytes()
    (world.folder / BOOK).write_bytes(content)
    await world.restart()
    assert (await world.synced()).values == "1"


async def test_an_upload_stays_in_force_while_the_file_on_disk_stays_as_it_was(make: Make) -> None:
    world = world_of(make)
    await world.synced()
    assert (await load(world, TURNED)).version == 2
    assert (await world.synced()).values == "2"
    await world.restart()
    assert (await world.synced()).values == "2"


async def test_an_upload_before_the_first_refresh_comes_after_the_file_on_disk(make: Make) -> None:
    world = world_of(make)
    assert (await load(world, TURNED)).version == 2
    assert (await world.synced()).values == "2"
    assert history(world) == [(1, "disk"), (2, "upload")]


async def test_a_refused_workbook_on_disk_changes_nothing_and_is_told(make: Make) -> None:
    world = world_of(make)
    await world.synced()
    put(world, ALL, sheet="Status")
    for _ in range(2):
        report = await world.synced()
        assert report.values == "1"
        assert "values.xlsx on disk was refused" in report.message
        assert "Did you mean Status?" in report.message
    assert len(world.runtime.ledger.audit(NAME, what="values_refused")) == 1


async def test_a_version_in_force_outlives_the_file_on_disk(make: Make) -> None:
    world = world_of(make)
    await world.synced()
    (world.folder / BOOK).unlink()
    await world.restart()
    assert (await world.synced()).values == "1"


async def test_a_dry_run_plans_with_the_new_file_and_makes_no_version(make: Make) -> None:
    world = world_of(make)
    world.left.make("Boiler leaks", status="new")
    await world.synced()
    put(world, TURNED)
    report = await world.refresh(dry_run=True)
    assert report.values == "values.xlsx on disk"
    assert history(world) == [(1, "disk")]


async def test_columns_named_after_the_upload_are_read_from_its_file(make: Make) -> None:
    world = world_of(make, [["a", "b", "c"], ["new", "new", "closed"], ["open", "open", "open"]])
    ref = world.left.make("Boiler leaks", status="new")
    await world.synced()
    fields = [
        {**field, "values_from": {"sheet": "status", "left": "a", "right": "c"}} if field["left"] == "status" else field
        for field in FIELDS
    ]
    await world.remap(fields=fields)
    world.later()
    assert (await world.synced()).values == "1"
    assert statuses(world, [ref]) == ["closed"]


async def test_columns_that_the_version_in_force_lacks_stop_the_refresh(make: Make) -> None:
    world = world_of(make)
    await world.synced()
    field = {
        "left": "status",
        "right": "status",
        "values_from": {"sheet": "status", "left": "ours", "right": "Theirs!"},
    }
    await world.remap(fields=[{"left": "title", "right": "title"}, field])
    report = await world.refresh()
    assert report.outcome == "failed"
    assert "Did you mean theirs?" in report.message


# -- what a table does to the pairs --------------------------------------------------------------------------------


async def test_a_value_without_a_row_is_held_and_blocks_nothing_else(make: Make) -> None:
    world = world_of(make, WITHOUT_CLOSED)
    ref = world.left.make("Boiler leaks", status="closed", priority="high")
    report = await world.synced()
    assert report.total.plain["held"] == 1
    (link,) = world.links()
    assert link.state == "held"
    assert world.right.value(world.twin(ref), "priority") == "high"
    assert world.right.value(world.twin(ref), "status") != "closed"


async def test_a_held_value_flows_by_itself_once_an_upload_maps_it(make: Make) -> None:
    world = world_of(make, WITHOUT_CLOSED)
    ref = world.left.make("Boiler leaks", status="closed")
    await world.synced()
    await load(world, ALL)
    report = await world.synced()
    assert statuses(world, [ref]) == ["closed"]
    assert report.total.plain["held"] == 0
    assert [str(link.state) for link in world.links()] == ["agreed"]


async def test_changed_rows_write_exactly_the_pairs_with_their_values_and_rolling_back_returns_them(make: Make) -> None:
    world = world_of(make)
    refs = [world.left.make(f"Ticket {i}", status=("new", "open", "closed")[i % 3]) for i in range(12)]
    await world.synced()
    world.later()
    await world.synced()
    world.later()
    assert statuses(world, refs) == ["new", "open", "closed"] * 4
    before = world.writes

    assert (await load(world, TURNED)).version == 2
    report = await world.synced()
    assert statuses(world, refs) == ["closed", "open", "new"] * 4
    assert world.writes - before == 8 == report.total.sided["updated"][Side.RIGHT]

    assert rollback(world.runtime, NAME, 1, who="ada").version == 3
    world.later()
    report = await world.synced()
    assert report.values == "3"
    assert statuses(world, refs) == ["new", "open", "closed"] * 4
    assert world.writes - before == 16
    assert [world.left.value(ref, "status") for ref in refs] == ["new", "open", "closed"] * 4


async def test_a_many_to_one_table_goes_back_as_marked(make: Make) -> None:
    rows = [HEADER, ["new", "new"], ["open", "new", "x"], ["closed", "closed"]]
    world = world_of(make, rows)
    ref = world.right.make("From there", status="new")
    await world.synced()
    assert world.left.value(world.twin(ref, Side.RIGHT), "status") == "open"


# -- the answer to an upload ---------------------------------------------------------------------------------------


async def test_a_check_stores_nothing_and_tells_coverage_and_differences(make: Make) -> None:
    world = world_of(make, WITHOUT_CLOSED)
    await world.synced()
    result = await check_workbook(world.runtime, NAME, xlsx({"status": ALL}), "mine.xlsx")
    assert (result.code, result.version, history(world)) == (0, None, [(1, "disk")])
    assert [one["mapped"] for one in result.coverage["before"]] == [2, 2]
    assert [one["mapped"] for one in result.coverage["after"]] == [3, 3]
    assert result.diff == [
        {"sheet": "status", "change": "added", "side": "right", "value": "closed", "before": None, "after": "closed"}
    ]


async def test_an_upload_with_errors_is_refused_as_a_whole(make: Make) -> None:
    world = world_of(make)
    await world.synced()
    result = await load(world, [HEADER, ["new", "new"], ["new", "open"]])
    assert (result.code, result.version, history(world)) == (1, None, [(1, "disk")])
    assert [(one.kind, one.cell) for one in result.findings if one.severity == "error"] == [("ambiguous", "A3")]


async def test_an_upload_with_warnings_wants_a_confirmation(make: Make) -> None:
    world = world_of(make)
    await world.synced()
    rows = [*ALL[:3], ["closed ", "closed"]]
    refused = await load(world, rows, confirm_warnings=False)
    assert (refused.code, refused.warnings, refused.version) == (3, 1, None)
    confirmed = await load(world, rows, confirm_warnings=True)
    assert (confirmed.code, confirmed.warnings, confirmed.version) == (0, 1, 2)


async def test_values_that_the_live_system_lacks_are_told_with_the_nearest(make: Make) -> None:
    world = world_of(make)
    result = await check_workbook(world.runtime, NAME, xlsx({"status": [*ALL, ["opne", "Closed"]]}), "mine.xlsx")
    assert [(one.kind, one.cell) for one in result.findings] == [("unknown_value", "A5"), ("case_differs", "B5")]
    assert result.findings[0].remedy == "Did you mean open?"


async def test_a_system_that_cannot_be_asked_is_a_warning(make: Make) -> None:
    world = world_of(make)
    await world.synced()
    world.right.fail(Unavailable("the tracker is down"), times=9)
    result = await check_workbook(world.runtime, NAME, xlsx({"status": ALL}), "mine.xlsx")
    assert [(one.severity, one.kind) for one in result.findings] == [("warning", "system_not_asked")]


async def test_users_that_are_not_there_are_told(make: Make) -> None:
    fields = [{"left": "title", "right": "title"}]
    fields += [{"left": "assignee", "right": "assignee", "values_from": {"sheet": "users"}}]  # type: ignore[dict-item]
    world = make(row={"fields": fields}, workbook=BOOK)
    rows = [["ours", "theirs"], ["alice@example.org", "nobody@example.org"]]
    result = await check_workbook(world.runtime, NAME, xlsx({"users": rows}), "mine.xlsx")
    assert [one.cell for one in result.findings if one.kind == "unknown_value"] == ["B2"]


async def test_who_uploaded_what_is_in_the_audit_log(make: Make) -> None:
    world = world_of(make)
    await world.synced()
    await load(world, TURNED)
    rollback(world.runtime, NAME, 1, who="bob")
    lines = world.runtime.ledger.audit(NAME, what="values")
    assert [(line.who, line.before, line.after, line.reason) for line in lines] == [
        ("syncline", None, 1, "disk: values.xlsx"),
        ("ada", 1, 2, "upload: mine.xlsx"),
        ("bob", 2, 3, "back to version 1"),
    ]


async def test_differences_between_two_versions(make: Make) -> None:
    world = world_of(make, WITHOUT_CLOSED)
    await world.synced()
    await load(world, TURNED)
    told = [(one["change"], one["value"], one["before"], one["after"]) for one in uploads.diff(world.runtime, NAME, 1)]
    assert told == [("added", "closed", None, "new"), ("changed", "new", "new", "closed")]


async def test_a_version_that_is_not_there_cannot_come_back(make: Make) -> None:
    world = world_of(make)
    with pytest.raises(ConfigurationError, match="no version 7"):
        rollback(world.runtime, NAME, 7, who="ada")


async def test_a_connector_without_workbook_has_nothing_to_upload_to(world: World) -> None:
    with pytest.raises(ConfigurationError, match="takes no values from a workbook"):
        await load(world, ALL)


# -- templates -----------------------------------------------------------------------------------------------------


def sheets(content: bytes) -> dict[str, list[tuple[Any, ...]]]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    return {sheet.title: [row[:3] for row in sheet.iter_rows(min_row=2, values_only=True)] for sheet in book}


async def test_a_template_has_a_sheet_for_every_look_up_or_user_field(make: Make) -> None:
    world = make(row={"fields": [*FIELDS, {"left": "assignee", "right": "assignee"}]})
    made = sheets(await uploads.template(world.runtime, NAME))
    assert list(made) == ["How to", "status", "priority", "labels", "assignee", "_lists"]
    assert made["status"] == [(word, word, None) for word in ("new", "open", "closed")]
    assert ("alice@example.org", "alice@example.org", None) in made["assignee"]


async def test_a_template_starts_with_what_is_in_force_or_stands_in_the_yaml(make: Make) -> None:
    inline = {"left": "priority", "right": "priority", "values": {"low": "high"}}
    fields = [{"left": "status", "right": "status", "values_from": {"sheet": "status"}}, inline]
    world = make(row={"fields": fields}, workbook=BOOK)
    put(world, TURNED)
    made = sheets(await uploads.template(world.runtime, NAME))
    assert made["status"] == [("new", "closed", None), ("open", "open", None), ("closed", "new", None)]
    assert made["priority"][0] == ("low", "high", None)


async def test_a_template_nobody_touched_changes_nothing(make: Make) -> None:
    world = world_of(make)
    await world.synced()
    result = await check_workbook(world.runtime, NAME, await uploads.template(world.runtime, NAME), "t.xlsx")
    assert (result.code, result.findings, result.diff) == (0, [], [])
