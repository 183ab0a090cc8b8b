"""The customer's script: plain HTTP calls with the bodies of their document, a real daemon, two real trackers.

Rule of this file: nothing is configured but by these calls, and what counts is what the trackers hold in the end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.trackers import Tracker
from tests.systems.roundup import PASSWORD, MakeTracker

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("daemon")]

TOKEN = "the-token-of-this-one-test"
USER = "garygeeke"
MARKER = "work-item-integrator"
PLATFORM = f"/open-metadata/platform-services/users/{USER}/server-platform"
ADMIN = f"/open-metadata/admin-services/users/{USER}/servers/desk-daemon"
DAEMON = f"/servers/desk-daemon/open-metadata/integration-daemon/users/{USER}"
MAPPED = {
    "start_polling": "all",
    "entities": [{"left": "issue", "right": "bug", "fields": [{"left": "title", "right": "title"}]}],
}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    """A daemon in an empty folder, and its REST API."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SYNCLINE", "PREFECT"))}
    environment |= {"SYNCLINE_TOKEN": TOKEN, "TRACKER_PASSWORD": PASSWORD}
    words = [sys.executable, "-m", "cli", "start", "--port", "0", "--server-name", "desk-daemon", "--json"]
    root = str(Path(__file__).parents[2])
    with (tmp_path / "start.log").open("w") as log:
        daemon = subprocess.Popen(
            [*words, "--config", str(tmp_path)], cwd=root, env=environment, stdout=-1, stderr=log, text=True
        )
    try:
        assert daemon.stdout is not None
        told = [daemon.stdout.readline()]
        while told[-1] not in ("}\n", ""):
            told.append(daemon.stdout.readline())
        assert told != [""], (tmp_path / "start.log").read_text()
        url = json.loads("".join(told))["console_url"]
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
            yield client
    finally:
        daemon.terminate()
        daemon.communicate(timeout=60)


def ask(client: httpx.Client, method: str, path: str, body: Any = None) -> dict[str, Any]:
    answer = client.request(method, path, json=body)
    told: dict[str, Any] = answer.json()
    assert (answer.status_code, told["relatedHTTPCode"]) == (200, 200), told
    return told


def titles(tracker: Tracker, class_name: str) -> set[str]:
    found = tracker.rest("GET", f"{class_name}?@fields=title")["collection"]
    return {one["title"] for one in found}


def wait_until(tracker: Tracker, class_name: str, title: str) -> None:
    """The daemon works by itself; give it half a minute."""
    for _ in range(60):
        if title in titles(tracker, class_name):
            return
        time.sleep(0.5)
    raise AssertionError(f"{title!r} never came to {class_name}: {titles(tracker, class_name)}")


def test_the_calls_of_the_document_really_sync_two_trackers(client: httpx.Client, make_tracker: MakeTracker) -> None:
    support, engineering, elsewhere = make_tracker("classic"), make_tracker("devel"), make_tracker("devel")
    support.add("issue", title="Boiler leaks")
    login = "credentials: {username: admin, password: {env: TRACKER_PASSWORD}}"
    systems = f'group: systems\nsystems:\n  support: {{kind: roundup, url: "{support.url}", {login}}}\n'
    assert client.put("/api/v1/groups/systems", content=systems).json() == {"group": "systems", "findings": []}

    listed = ask(client, "GET", f"{PLATFORM}/registered-services/integration-services")["services"]
    assert MARKER in {service["serviceURLMarker"] for service in listed}
    connection = {
        "class": "Connection",
        "connectorType": {"class": "ConnectorType", "connectorProviderClassName": "roundup"},
        "endpoint": {"class": "Endpoint", "address": engineering.url},
        "userId": "admin",
        "securedProperties": {"password": {"env": "TRACKER_PASSWORD"}},
    }
    config = {
        "class": "IntegrationConnectorConfig", "connectorName": "tickets", "connection": connection,
        "refreshTimeInterval": "60", "usesBlockingCalls": "false", "permittedSynchronization": "BOTH_DIRECTIONS",
    }  # fmt: skip
    body = {
        "class": "IntegrationServiceRequestBody", "omagserverPlatformRootURL": support.url,
        "omagserverName": "support", "integrationConnectorConfigs": [config],
    }  # fmt: skip
    ask(client, "POST", f"{ADMIN}/integration-services/{MARKER}", body)
    ask(client, "POST", f"{PLATFORM}/servers/desk-daemon/instance")

    change = {"class": "ConnectorConfigPropertiesRequestBody", "connectorName": "tickets", "mergeUpdate": True}
    path = f"{DAEMON}/integration-connectors/configuration-properties"
    ask(client, "POST", path, {**change, "configurationProperties": MAPPED})
    refresh = {"class": "NameRequestBody", "name": "tickets"}
    ask(client, "POST", f"{DAEMON}/integration-connectors/refresh", refresh)
    wait_until(engineering, "bug", "Boiler leaks")
    engineering.add("bug", title="Pump is loud")
    ask(client, "POST", f"{DAEMON}/integration-connectors/refresh", refresh)
    wait_until(support, "issue", "Pump is loud")

    status = ask(client, "GET", f"{DAEMON}/status")["integrationDaemonStatus"]
    (report,) = status["integrationConnectorReports"]
    assert (report["connectorName"], report["minMinutesBetweenRefresh"]) == ("tickets", 60)
    assert report["connectorStatus"] in ("WAITING", "REFRESHING")

    address = {"class": "StringRequestBody", "string": elsewhere.url}
    ask(client, "POST", f"{DAEMON}/integration-connectors/tickets/endpoint-network-address", address)
    support.add("issue", title="Door jams")
    ask(client, "POST", f"{DAEMON}/integration-connectors/refresh", refresh)
    wait_until(elsewhere, "bug", "Door jams")
    assert "Door jams" not in titles(engineering, "bug")
