"""The 250 GitHub issues of `../shared/data`, loaded into a private Redmine project: real input for system tests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo.trackers import Tracker
from tests.systems.redmine import Server

DATA = Path(__file__).parents[3] / "shared" / "data" / "github-issues-esni.json"
CLOSED, NEW = 5, 1


@dataclass(frozen=True)
class Loaded:
    """What was loaded: Redmine's issue id -> the GitHub issue; and the logins that exist on both sides."""

    project: str
    issues: dict[str, dict[str, Any]]
    shared_logins: frozenset[str]


def github_issues() -> list[dict[str, Any]]:
    if not DATA.exists():
        pytest.skip("the shared data lies beside the checkout only where Syncline is developed")
    issues: list[dict[str, Any]] = json.loads(DATA.read_text())["issues"]
    return issues


def load(redmine: Server, tracker: Tracker, *, most: int = 250) -> Loaded:
    """Issues over REST, in the name of their authors; comments with author and time of old through the database."""
    issues = github_issues()[:most]
    project = redmine.project()
    people = sorted({i["author"] for i in issues} | {c["author"] for i in issues for c in i["comments"]})
    assignees = {a for i in issues for a in i["assignees"]}
    accounts = {login: _account(redmine, project, login) for login in people}
    accounts |= {login: _account(redmine, project, login) for login in assignees - set(people)}
    # Half of the people, and everybody who is assigned, have an account on the other side too.
    both = frozenset(people[::2]) | assignees
    for login in sorted(both):
        tracker.add_user(f"ru-{login.lower()}", login, f"{login.lower()}@example.com", "a-password")
    loaded = {}
    for issue in issues:
        more = {"description": issue["body"], "priority_id": 2, "tracker_id": 1}
        if issue["assignees"]:
            more["assigned_to_id"] = accounts[issue["assignees"][0]]
        created = redmine.issue(project, issue["title"], **more)
        loaded[str(created["id"])] = issue
    for id, issue in loaded.items():
        redmine.sql(
            "update issues set status_id = ?, author_id = ? where id = ?",
            CLOSED if issue["state"] == "CLOSED" else NEW, accounts[issue["author"]], int(id),
        )  # fmt: skip
        for comment in issue["comments"]:
            redmine.sql(
                "insert into journals (journalized_id, journalized_type, user_id, notes, created_on, private_notes)"
                " values (?, 'Issue', ?, ?, ?, 0)",
                int(id), accounts[comment["author"]], comment["body"], comment["createdAt"][:19].replace("T", " "),
            )  # fmt: skip
    return Loaded(project, loaded, both)


def _account(redmine: Server, project: str, login: str) -> int:
    known = redmine.sql("select id from users where lower(login) = ?", login.lower())
    if known:
        number = int(known[0][0])
    else:
        user = {"login": login, "firstname": login, "lastname": "-", "mail": f"{login.lower()}@example.com",
                "password": f"{login}-password-1"}  # fmt: skip
        number = redmine.call("POST", "/users.json", {"user": user})["user"]["id"]
    redmine.join(project, number)
    return number


def group(folder: Path, redmine: Server, tracker: Tracker, project: str, **connector: Any) -> Path:
    """A configuration that keeps the project and the tracker in agreement, both ways."""
    rows: list[dict[str, Any]] = [
        {"left": "subject", "right": "title"},
        {"left": "description", "right": "description"},
        {
            "left": "status",
            "right": "status",
            "values": {"New": "unread", "In Progress": "in-progress", "Resolved": "testing", "Feedback": "need-eg",
                       "Closed": "resolved", "Rejected": "done-cbb"},
            "back": {"chatting": "In Progress", "deferred": "Feedback"},
        },
        {
            "left": "priority",
            "right": "priority",
            "values": {"Low": "wish", "Normal": "feature", "High": "bug", "Urgent": "urgent", "Immediate": "critical"},
        },
        {"left": "assigned_to", "right": "assignedto"},
    ]  # fmt: skip
    content = {
        "group": "github",
        "systems": {
            "redmine": {"kind": "redmine", "url": redmine.url, "credentials": {"api_key": {"env": "REDMINE_KEY"}}},
            "roundup": {
                "kind": "roundup",
                "url": tracker.url,
                "credentials": {"username": tracker.admin, "password": {"env": "ROUNDUP_PASSWORD"}},
            },
        },
        "connectors": [
            {
                "name": "redmine-roundup",
                "left": "redmine",
                "right": "roundup",
                "start_polling": "all",
                "targets": [{"name": "esni", "left": project}],
                "entities": [{"left": "Bug", "right": "issue", "comments": True, "fields": rows}],
                **connector,
            }
        ],
    }
    path = folder / "group.yaml"
    path.write_text(json.dumps(content))  # JSON is YAML
    return path
