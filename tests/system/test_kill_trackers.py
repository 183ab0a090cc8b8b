"""kill -9 at random moments of a first load between two real trackers: nothing twice, nothing missing."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demo.trackers import Tracker

ROOT = Path(__file__).parents[2]
TICKETS, KILLS = 40, 10
FIELDS = [{"left": "title", "right": "title"}, {"left": "description", "right": "description"}]

pytestmark = pytest.mark.timeout(600)


def fill(tracker: Tracker) -> None:
    """Tickets with a body, and none to two comments each."""
    for number in range(TICKETS):
        messages = [tracker.add("msg", author="1", content=f"body {number}")]
        ticket = tracker.add("issue", title=f"Ticket {number}", messages=messages)
        for comment in range(number % 3):
            messages.append(tracker.add("msg", author="1", content=f"comment {comment} of {number}"))
            tracker.change("issue", ticket, messages=messages)


def configuration(folder: Path, left: Tracker, right: Tracker) -> Path:
    def system(tracker: Tracker) -> dict[str, Any]:
        credentials = {"username": tracker.admin, "password": {"env": "TRACKER_PASSWORD"}}
        return {"kind": "roundup", "url": tracker.url, "credentials": credentials, "timeout": "3s"}

    entities = [{"left": "issue", "right": "bug", "comments": True, "fields": FIELDS}]
    connector = {"name": "a-b", "left": "a", "right": "b", "start_polling": "all", "entities": entities}
    path = folder / "group.yaml"
    systems = {"a": system(left), "b": system(right)}
    path.write_text(json.dumps({"group": "kill", "systems": systems, "connectors": [connector]}))
    return path


def test_kills_during_a_first_load_lose_and_double_nothing(
    make_tracker: Callable[..., Tracker], tmp_path: Path
) -> None:
    source, target = make_tracker("classic"), make_tracker("devel")
    fill(source)
    config = configuration(tmp_path, source, target)
    command = [sys.executable, "-m", "cli", "--config", str(config), "--json", "refresh", "a-b", "--local"]
    environment = {**os.environ, "TRACKER_PASSWORD": source.password}
    moments = random.Random(20261121)
    killed = 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(moments.uniform(0.8, 3.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
    assert killed >= KILLS // 2

    whole = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert whole.returncode == 0, whole.stderr
    bugs = target.rest("GET", "bug?@fields=title,messages&@verbose=2")["collection"]
    assert Counter(bug["title"] for bug in bugs) == Counter(f"Ticket {n}" for n in range(TICKETS))
    for bug in bugs:
        number = int(bug["title"].split()[1])
        texts = [target.rest("GET", f"msg/{message['id']}/content")["data"] for message in bug["messages"]]
        told = sorted(text.rpartition("UTC:\n\n")[2] for text in texts)
        assert told == sorted([f"body {number}", *(f"comment {c} of {number}" for c in range(number % 3))])
    again = json.loads(subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True).stdout)
    assert (again["created"], again["comments"]) == ({"left": 0, "right": 0}, {"left": 0, "right": 0})
