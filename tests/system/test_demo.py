"""`syncline demo` as people run it: it shows what it promises, both sides agree, and nothing is left running."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.agreement import Comparison, compare
from demo.data import INES, MARIA
from demo.stage import NAME, Stage, stage
from tests.console.desk import clean

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("demo")]


def demo(folder: Path, *words: str) -> subprocess.Popen[str]:
    """The demo in this folder, in a session of its own."""
    command = [sys.executable, "-m", "cli", "demo", "--folder", str(folder), *words]
    return subprocess.Popen(
        command, env={**clean(), "COLUMNS": "160"}, stdout=-1, stderr=-1, text=True, start_new_session=True
    )


def running_in(folder: Path) -> Iterator[str]:
    """The command lines of all living processes that name this folder: trackers, daemon, Prefect server."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            place = os.readlink(process / "cwd")
        except OSError:  # it has ended, or is somebody else's
            continue
        if process.name != str(os.getpid()) and str(folder) in f"{words} {place}":
            yield words


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes as Linux shows them")
def test_it_shows_the_whole_story_again_after_it_was_killed(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    first = demo(folder)
    assert first.stdout
    for line in first.stdout:
        if "People work on both sides" in line:
            break
    first.kill()
    first.communicate(timeout=60)

    second = demo(folder, "--once")
    shown, errors = second.communicate(timeout=800)
    assert (second.returncode, errors) == (0, ""), shown
    for told in (
        "priority is immediate now",
        "halts this pair for its title",
        "creates its twin",
        "1 comment, by its author",
        "conflicts resolve 1 --take right",
        "Conflict 1 is resolved",
        "42 pairs: every field and every comment agrees",
        "http://127.0.0.1:",
    ):
        assert told in shown, shown
    until_nothing_runs(folder)


def compared(made: Stage) -> Comparison:
    return asyncio.run(compare(made.folder, NAME))


def until_nothing_runs(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while left := list(running_in(folder)):
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    process = demo(tmp_path, "--once")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "holds something else than a demo" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_verdict_is_read_from_the_trackers(tmp_path: Path) -> None:
    with stage(tmp_path / "demo") as made:
        assert len(compared(made).differences) == 40  # nothing has a twin yet
        subprocess.run(made.command("refresh", NAME, "--local"), env=clean(), check=True, capture_output=True)
        now = compared(made)
        assert (len(now.pairs), now.differences) == (40, [])

        left, right = now.pairs[0]
        made.support.edit(left.ref.id, MARIA, priority="wish")
        made.engineering.comment(right.ref.id, INES, "Nobody has told the other side.", status="open")
        told = f"left {left.ref.id} and right {right.ref.id} differ in"
        assert set(compared(made).differences) >= {f"{told} priority", f"{told} their comments"}
