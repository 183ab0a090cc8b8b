"""Value mappings in Excel between a real Redmine and a real Roundup tracker (issue 4, "done when")."""

from __future__ import annotations

import io
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from demo.trackers import Tracker
from flows import upload as uploads
from flows.engine import refresh_connector
from flows.report import RefreshOptions, Report
from flows.runtime import Runtime
from mappings.config import Side
from tests.system import esni
from tests.systems.redmine import REDMINE, Server

pytestmark = [*REDMINE, pytest.mark.timeout(900)]
NAME = "redmine-roundup"
REDMINE_PRIORITIES = {"Low": 1, "Normal": 2, "High": 3, "Urgent": 4, "Immediate": 5}
ROUNDUP_PRIORITIES = {"critical": "1", "urgent": "2", "bug": "3", "feature": "4", "wish": "5"}
PAIRS = {"Low": "wish", "Normal": "feature", "High": "bug", "Urgent": "urgent", "Immediate": "critical"}


@dataclass
class World:
    """Both systems, the runtime that joins them, and a project with `issues` (Redmine's ids)."""

    redmine: Server
    tracker: Tracker
    runtime: Runtime
    project: str
    issues: list[str]

    async def refresh(self) -> Report:
        report = await refresh_connector(self.runtime, NAME, RefreshOptions())
        assert [target.error for target in report.targets] == [None]
        return report

    async def upload(self, content: bytes) -> int:
        result = await uploads.upload(self.runtime, NAME, content, "values.xlsx", who="ada", confirm_warnings=True)
        assert result.errors == 0, result.findings
        assert result.version is not None
        return result.version

    def twins(self) -> dict[str, str]:
        return {link.left.ref.id: link.right.ref.id for link in self.runtime.ledger.links(NAME)}

    def of_redmine(self, issue: str) -> dict[str, Any]:
        found: dict[str, Any] = self.redmine.call("GET", f"/issues/{issue}.json")["issue"]
        return found

    def of_roundup(self, id: str) -> dict[str, Any]:
        fields = "title,priority,assignedto,activity"
        found: dict[str, Any] = self.tracker.rest("GET", f"issue/{id}?@fields={fields}")["attributes"]
        return found

    def priorities(self) -> list[tuple[str, str]]:
        """(Redmine's, Roundup's) of each pair."""
        names = {id: name for name, id in ROUNDUP_PRIORITIES.items()}
        return [
            (self.of_redmine(issue)["priority"]["name"], names[self.of_roundup(twin)["priority"]["id"]])
            for issue, twin in sorted(self.twins().items(), key=lambda pair: int(pair[0]))
        ]

    def prioritise(self, side: Side, issue: str, priority: str) -> None:
        """Somebody changes a priority, on either side."""
        if side is Side.LEFT:
            body = {"issue": {"priority_id": REDMINE_PRIORITIES[priority]}}
            self.redmine.call("PUT", f"/issues/{issue}.json", body)
        else:
            self.tracker.change("issue", self.twins()[issue], priority=ROUNDUP_PRIORITIES[priority])


@pytest.fixture
async def world(
    redmine: Server, roundup_classic: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    project = redmine.project()
    issues = [
        str(redmine.issue(project, f"{project} {i}", tracker_id=1, priority_id=i % 5 + 1)["id"]) for i in range(10)
    ]
    path = esni.group(tmp_path, redmine, roundup_classic, project, workbook="values.xlsx", start_polling="all")
    group = json.loads(path.read_text())
    fields = [
        {"left": "subject", "right": "title"},
        {"left": "priority", "right": "priority", "values_from": {"sheet": "priority"}},
        {"left": "assigned_to", "right": "assignedto", "values_from": {"sheet": "users"}},
    ]
    # Only this project's issues flow to the tracker, which other tests use too.
    titled = {"if": {"title": {"contains": project}}}
    group["connectors"][0]["entities"][0] |= {"fields": fields, "comments": False, "criteria": {"right": titled}}
    path.write_text(json.dumps(group))
    monkeypatch.setenv("REDMINE_KEY", redmine.api_key)
    monkeypatch.setenv("ROUNDUP_PASSWORD", roundup_classic.password)
    async with Runtime.open(path) as runtime:
        yield World(redmine, roundup_classic, runtime, project, issues)


def filled(content: bytes, sheet: str, rows: list[list[str]]) -> bytes:
    """What a person does in a spreadsheet program: the rows below the header become these."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    page = book[sheet]
    page.delete_rows(2, page.max_row)
    for i, row in enumerate(rows, 2):
        for j, cell in enumerate(row, 1):
            page.cell(i, j, cell)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


async def test_three_rows_changed_in_a_template_change_exactly_their_pairs_and_come_back(world: World) -> None:
    member = world.redmine.user(member_of=world.project)
    template = await uploads.template(world.runtime, NAME)
    offered = openpyxl.load_workbook(io.BytesIO(template))
    assert {row[0].value for row in offered["priority"].iter_rows(min_row=2)} - {None} == set(REDMINE_PRIORITIES)
    assert member.mail in {row[0].value for row in offered["users"].iter_rows(min_row=2)}
    assert "ann@example.org" in {row[1].value for row in offered["users"].iter_rows(min_row=2)}

    await world.upload(filled(template, "priority", [list(pair) for pair in PAIRS.items()]))
    await world.refresh()
    assert world.priorities() == [(name, PAIRS[name]) for name in REDMINE_PRIORITIES] * 2
    await world.refresh()
    before = {id: world.of_roundup(id)["activity"] for id in world.twins().values()}

    turned = PAIRS | {"Low": "bug", "High": "critical", "Immediate": "wish"}
    current = await uploads.template(world.runtime, NAME)
    assert await world.upload(filled(current, "priority", [list(pair) for pair in turned.items()])) == 2
    report = await world.refresh()
    assert report.values == "2"
    assert world.priorities() == [(name, turned[name]) for name in REDMINE_PRIORITIES] * 2
    assert {str(side): n for side, n in report.total.sided["updated"].items()} == {"right": 6}
    moved = {id for id, activity in before.items() if world.of_roundup(id)["activity"] != activity}
    changed = {twin for issue, twin in world.twins().items() if world.issues.index(issue) % 5 in (0, 2, 4)}
    assert moved == changed

    uploads.rollback(world.runtime, NAME, 1, who="ada")
    await world.refresh()
    assert world.priorities() == [(name, PAIRS[name]) for name in REDMINE_PRIORITIES] * 2
    assert (await world.refresh()).total.writes == 0


async def test_many_to_one_tables_never_oscillate_or_lose_an_edit(world: World) -> None:
    """Twenty refreshes with random edits on both sides; when the edits stop, so do the writes."""
    becomes = {"Low": "wish", "Normal": "wish", "High": "urgent", "Urgent": "urgent", "Immediate": "urgent"}
    back = {"wish": "Normal", "urgent": "Urgent"}
    rows = [[left, right, "x" if back[right] == left else ""] for left, right in becomes.items()]
    left = [world.redmine.user(member_of=world.project) for _ in range(3)]
    number = world.tracker.add_user(f"team-{world.project}", "Team", f"team-{world.project}@example.com")
    users = [[user.mail, f"team-{world.project}@example.com", "x" if user is left[0] else ""] for user in left]
    content = filled(await uploads.template(world.runtime, NAME), "priority", rows)
    await world.upload(filled(content, "users", users))
    await world.refresh()
    expected = dict(zip(world.issues, list(REDMINE_PRIORITIES) * 2, strict=True))
    assigned: dict[str, str] = {}

    chance = random.Random(11)
    for _ in range(20):
        for issue in chance.sample(world.issues, 3):
            if chance.random() < 0.5:
                expected[issue] = chance.choice(list(becomes))
                world.prioritise(Side.LEFT, issue, expected[issue])
            else:
                priority = chance.choice(list(back))
                if becomes[expected[issue]] != priority:
                    expected[issue] = back[priority]
                world.prioritise(Side.RIGHT, issue, priority)
        issue = chance.choice(world.issues)
        assigned[issue] = chance.choice(left).id
        world.redmine.call("PUT", f"/issues/{issue}.json", {"issue": {"assigned_to_id": int(assigned[issue])}})
        report = await world.refresh()
        assert (report.total.plain["halted"], report.total.plain["held"]) == (0, 0)
    assert world.priorities() == [(expected[issue], becomes[expected[issue]]) for issue in world.issues]
    for issue, user in assigned.items():
        assert str(world.of_redmine(issue)["assigned_to"]["id"]) == user
        assert world.of_roundup(world.twins()[issue])["assignedto"]["id"] == number
    await world.refresh()
    for _ in range(3):
        assert (await world.refresh()).total.writes == 0
