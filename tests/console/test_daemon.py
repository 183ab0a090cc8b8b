"""The command line and a real daemon with a Prefect server of its own: start, refresh by it, rest, stop."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.console.desk import NAME, Desk, clean

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("daemon")]


@pytest.fixture
def running(desk: Desk) -> Iterator[Desk]:
    """A desk with a daemon; `syncline stop` has ended it when the test ends."""
    desk.make("Boiler leaks")
    words = [sys.executable, "-m", "cli", "start", "--port", "0", "--json"]
    with (desk.folder / "start.log").open("w") as log:
        daemon = subprocess.Popen(words, cwd=desk.folder, env=clean(), stdout=-1, stderr=log, text=True)
    try:
        assert daemon.stdout is not None
        told = [daemon.stdout.readline()]
        while told[-1] not in ("}\n", ""):
            told.append(daemon.stdout.readline())
        assert json.loads("".join(told))["pid"] == daemon.pid, (desk.folder / "start.log").read_text()
        yield desk
    finally:
        daemon.terminate()
        daemon.communicate(timeout=60)


def test_the_daemon_refreshes_on_request_and_ends_when_told(running: Desk) -> None:
    status = running.answer("status")
    assert status["daemon"]["prefect_url"].startswith("http://127.0.0.1:")

    running.typed("refresh", NAME)
    assert len(running.living(running.right)) == 1
    running.make("Door squeaks")
    done = running.typed("refresh", NAME, "--json")
    report = json.loads(done.out)
    assert (done.code, report["outcome"], report["created"]["right"]) == (0, "done", 1), done.err

    done = running.typed("refresh", "--all", "--no-wait", "--json")
    (asked,) = json.loads(done.out)
    assert (done.code, asked["outcome"], bool(asked["run"])) == (0, "requested", True)

    running.answer("deactivate", NAME)
    assert running.typed("refresh", NAME).code == 2
    assert running.answer("stop") == {"stopped": True}
    assert running.answer("status")["daemon"] is None


def test_a_second_daemon_of_the_same_configuration_is_refused(running: Desk) -> None:
    done = running.typed("start", "--port", "0")
    assert done.code == 2
    assert "runs already" in done.err
    assert "syncline stop" in done.err
