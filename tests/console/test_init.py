"""`syncline init`: what two live systems have becomes a mapping that `check` has nothing to say against."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.entity import Choice
from connectors.memory import ALICE, define, forget
from connectors.schema import EntitySchema, FieldSchema, FieldType
from demo.trackers import Tracker
from tests.console.desk import Desk, clean
from tests.systems.roundup import PASSWORD, MakeTracker, with_ann

FILE = "both.yaml"


@pytest.fixture
def bare(desk: Desk) -> Iterator[Desk]:
    """Two systems, and no configuration yet."""
    (desk.folder / "group.yaml").unlink()
    systems = [define(desk.left), define(desk.right)]
    yield desk
    for one in systems:
        forget(one.url)


def flags(desk: Desk, *more: str) -> list[str]:
    sides = {"left": desk.left, "right": desk.right}
    told = [word for side, one in sides.items() for word in (f"--{side}-kind", "memory", f"--{side}-url", one.url)]
    return ["init", *told, "--name", "both", *more]


def choice(name: str, *values: str, **more: Any) -> FieldSchema:
    return FieldSchema(name, FieldType.CHOICE, choices=tuple(map(Choice, values)), **more)


def test_equal_fields_are_paired_and_the_mapping_is_sound_and_works(bare: Desk) -> None:
    told = bare.answer(*flags(bare))
    assert told["written"] == FILE
    (pair,) = told["entities"]
    assert (pair["left"], pair["right"], pair["not_yet"]) == ("ticket", "ticket", [])
    assert {field["left"] for field in pair["fields"]} >= {"title", "description", "status", "assignee", "due"}
    assert bare.answer("check", "--online") == []
    bare.answer("refresh", "both", "--local")  # from now on
    bare.make("Boiler leaks", assignee=ALICE)
    assert bare.answer("refresh", "both", "--local")["created"] == {"left": 0, "right": 1}


def test_what_check_would_speak_against_is_a_comment_that_says_why(bare: Desk) -> None:
    title = FieldSchema("title", FieldType.TEXT)
    bare.left.schemas["ticket"] = EntitySchema.of(
        "ticket",
        title,
        choice("state", "New", "Open"),
        choice("kind", "Bug", "No\nbreak: #1"),
        FieldSchema("size", FieldType.NUMBER),
        FieldSchema("seen", FieldType.DATE, on_create=False, on_update=False),
        choice("Due_Where", "Here, there", "yes"),
    )
    bare.right.schemas["ticket"] = EntitySchema.of(
        "ticket",
        title,
        choice("State", "new", "open"),
        choice("kind", "Bug", "Wish"),
        FieldSchema("size", FieldType.TEXT),
        FieldSchema("seen", FieldType.DATE),
        choice("where", label="Due where"),
        FieldSchema("secret", FieldType.URL),
    )
    (pair,) = bare.answer(*flags(bare))["entities"]
    assert pair["fields"] == [
        {"left": "title", "right": "title", "values": {}},
        {"left": "state", "right": "State", "values": {"New": "new", "Open": "open"}},
    ]
    reasons = {field["left"]: field["reason"] for field in pair["not_yet"]}
    assert reasons.keys() == {"kind", "size", "seen", "Due_Where"}
    assert "'Wish'" in reasons["kind"]
    assert pair["right_only"] == ["secret"]
    text = (bare.folder / FILE).read_text()
    assert '#   on the left without an equal: "No\\nbreak: #1"' in text
    assert "#   secret, url" in text
    assert bare.answer("check", "--online") == []


def test_types_and_projects_without_an_equal_must_be_named(bare: Desk) -> None:
    bare.left.schemas["Task"] = bare.left.schemas["ticket"]
    del bare.left.schemas["ticket"]
    bare.right.schemas["bug"] = bare.right.schemas["ticket"]
    bare.right.scopes = {"app": "The app", "ops": "Operations"}
    done = bare.run(*flags(bare))
    assert done.code == 2
    assert "--project LEFT=RIGHT" in done.err
    assert "'app', 'ops'" in done.err
    done = bare.run(*flags(bare, "--project", "app"))
    assert done.code == 2
    assert "--types LEFT=RIGHT" in done.err
    assert not (bare.folder / FILE).exists()
    told = bare.answer(*flags(bare, "--project", "app", "--types", "Task=ticket"))
    assert told["targets"] == [{"left": "", "right": "app"}]
    assert told["alone"]["right"] == {"projects": ["ops"], "entity types": ["bug"]}
    assert bare.answer("check", "--online") == []


def test_no_file_is_replaced_unless_somebody_says_so(bare: Desk) -> None:
    file = bare.folder / FILE
    file.write_text("mine")
    done = bare.run(*flags(bare))
    assert done.code == 2
    assert "--force" in done.err
    assert file.read_text() == "mine"
    assert bare.run(*flags(bare, "--force")).code == 0
    assert "Next: syncline check --online" in bare.run(*flags(bare, "-o", "other.yaml", "--name", "other")).out


def test_a_name_that_belongs_to_a_neighbour_is_refused_before_anything_is_written(bare: Desk) -> None:
    bare.answer(*flags(bare))
    done = bare.run(*flags(bare, "-o", "second.yaml"))
    assert done.code == 2
    assert "'both' belongs to another" in done.err
    assert not (bare.folder / "second.yaml").exists()


def test_a_secret_is_refused_and_not_repeated(bare: Desk) -> None:
    words = ["init", "--left-kind", "roundup", "--left-url", "http://127.0.0.1:9/", "--left-username", "ann"]
    done = bare.run(*words, "--left-secret", "hunter2", "--right-kind", "memory")
    assert done.code == 2
    assert "env:NAME" in " ".join(done.err.split())
    assert "hunter2" not in done.out + done.err
    done = bare.run(*words, "--left-secret", "env:NOT_SET_ANYWHERE", "--right-kind", "memory")
    assert done.code == 2
    assert "NOT_SET_ANYWHERE" in done.err
    assert list(bare.folder.glob("*.yaml")) == []


def test_two_real_trackers(tmp_path: Path, make_tracker: MakeTracker, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    (desk.folder / "group.yaml").unlink()
    monkeypatch.setenv("DESK_PASSWORD", PASSWORD)
    trackers: dict[str, Tracker] = {"left": with_ann(make_tracker("classic")), "right": with_ann(make_tracker("devel"))}
    words = ["init", "--types", "issue=bug", "--name", "both"]
    for side, tracker in trackers.items():
        words += [f"--{side}-kind", "roundup", f"--{side}-url", tracker.url]
        words += [f"--{side}-username", "admin", f"--{side}-secret", "env:DESK_PASSWORD"]
    told = desk.answer(*words)
    (pair,) = told["entities"]
    assert {"title", "description"} <= {field["left"] for field in pair["fields"]}
    assert {"status", "priority", "creation"} <= {field["left"] for field in pair["not_yet"]}
    text = (desk.folder / FILE).read_text()
    assert "env: DESK_PASSWORD" in text
    assert PASSWORD not in text + json.dumps(told)
    assert desk.answer("check", "--online") == []
    trackers["left"].add("issue", title="Boiler leaks")
    (desk.folder / FILE).write_text(text.replace("# start_polling: all", "start_polling: all"))
    assert desk.answer("refresh", "both", "--local")["created"] == {"left": 0, "right": 1}


def test_at_a_terminal_it_asks_for_what_is_not_said(bare: Desk) -> None:
    answers = ["memory", bare.left.url, "", "", "memory", bare.right.url, "", ""]
    keyboard, terminal = pty.openpty()
    os.write(keyboard, "".join(f"{answer}\n" for answer in answers).encode())
    done = subprocess.run(
        [sys.executable, "-m", "cli", "--config", str(bare.folder), "init"],
        stdin=terminal, capture_output=True, text=True, timeout=60, env=clean(), check=False,
    )  # fmt: skip
    os.close(keyboard)
    os.close(terminal)
    assert done.returncode == 0, done.stderr
    for question in ("Kind of the left system", "Its address", "Where its password or key is", "Kind of the right"):
        assert question in done.stderr
    assert "fields:" in (bare.folder / "memory-left-memory-right.yaml").read_text()
