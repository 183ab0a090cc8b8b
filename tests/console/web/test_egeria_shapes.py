"""Our answers have the shapes of a real Egeria 5.3: the same classes, and every key that it has.

Rule of this file: the recorded answers lie outside the repository (`../shared`); without them these tests are skipped.
A key of ours that Egeria has not is allowed; one of its that we lack is named here with the reason.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.console.web.test_egeria import ADMIN, DAEMON, MARKER, PLATFORM, USER, Place, place

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "egeria-5.3"
pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason=f"no recorded answers in {RECORDED}")

ELEMENT = {"type", "origin", "versions", "classifications"}
"""Headers of elements of a metadata repository; our connections are no such elements."""
CONFIGURED = {"repositoryServicesConfig", "auditTrail"}
"""Parts of an OMAG server that a daemon without a metadata repository has not."""
LACKING = ELEMENT | CONFIGURED

OWN = {"configurationProperties"}
"""Objects whose keys are the connector's own."""

CASES: dict[str, tuple[str, str, Any]] = {
    "registered-services-integration-services": (
        "GET", f"{PLATFORM}/registered-services/integration-services", None,
    ),
    "admin-daemon-configuration": ("GET", f"{ADMIN}/configuration", None),
    "admin-integration-group-config": (
        "POST", f"{ADMIN}/integration-groups/configuration", {"integrationGroupQualifiedName": "other"},
    ),
    "daemon-start": ("POST", f"{PLATFORM}/servers/syncline/instance", None),
    "platform-server-status": ("GET", f"{PLATFORM}/servers/syncline/status", None),
    "platform-server-services": ("GET", f"{PLATFORM}/servers/syncline/services", None),
    "platform-servers-active": ("GET", f"{PLATFORM}/servers/active", None),
    "daemon-status": ("GET", f"{DAEMON}/status", None),
    "daemon-unknown-server": (
        "GET", f"/servers/nosuch/open-metadata/integration-daemon/users/{USER}/status", None,
    ),
    "daemon-refresh-all": ("POST", f"{DAEMON}/integration-connectors/refresh", {"class": "NameRequestBody"}),
    "daemon-refresh-one": ("POST", f"{DAEMON}/integration-connectors/refresh", {"name": "tickets"}),
    "daemon-refresh-unknown": ("POST", f"{DAEMON}/integration-connectors/refresh", {"name": "nope"}),
    "daemon-restart-one": ("POST", f"{DAEMON}/integration-connectors/restart", {"name": "tickets"}),
    "daemon-restart-unknown": ("POST", f"{DAEMON}/integration-connectors/restart", {"name": "nope"}),
    "daemon-connector-config-get": (
        "GET", f"{DAEMON}/integration-connectors/tickets/configuration-properties", None,
    ),
    "daemon-connector-config-unknown": (
        "GET", f"{DAEMON}/integration-connectors/nope/configuration-properties", None,
    ),
    "daemon-connector-config-merge": (
        "POST", f"{DAEMON}/integration-connectors/configuration-properties",
        {"connectorName": "tickets", "mergeUpdate": True, "configurationProperties": {"description": "x"}},
    ),
    "daemon-connector-config-replace": (
        "POST", f"{DAEMON}/integration-connectors/configuration-properties",
        {"connectorName": "tickets", "mergeUpdate": False, "configurationProperties": {"description": "y"}},
    ),
    "daemon-connector-config-update-unknown": (
        "POST", f"{DAEMON}/integration-connectors/configuration-properties", {"connectorName": "nope"},
    ),
    "daemon-endpoint": (
        "POST", f"{DAEMON}/integration-connectors/tickets/endpoint-network-address", {"string": "memory://z"},
    ),
    "daemon-groups-summary": ("GET", f"{DAEMON}/integration-groups/summary", None),
    "daemon-group-summary": ("GET", f"{DAEMON}/integration-groups/mine/summary", None),
    "daemon-group-summary-unknown": ("GET", f"{DAEMON}/integration-groups/nope/summary", None),
    "daemon-refresh-config": ("GET", f"{DAEMON}/integration-groups/mine/refresh-config", None),
    "daemon-service-refresh": ("POST", f"{DAEMON}/integration-services/files-integrator/refresh", None),
    "daemon-service-refresh-unknown": ("POST", f"{DAEMON}/integration-services/nope-integrator/refresh", None),
    "daemon-stop": ("DELETE", f"{PLATFORM}/servers/syncline/instance", None),
}  # fmt: skip


@pytest.fixture
async def busy(place: Place) -> Place:
    """One connector that has been refreshed, in a group written by hand."""
    group = {
        "group": "mine",
        "systems": {"desk": {"kind": "memory", "url": place.theirs.url}},
        "connectors": [
            {
                "name": "tickets", "left": "mds1", "right": "desk", "refresh_interval": 60, "service": MARKER,
                "entities": [{"left": "ticket", "right": "ticket", "fields": [{"left": "title", "right": "title"}]}],
            }
        ],
    }  # fmt: skip
    (place.folder / "mine.yaml").write_text(json.dumps(group, indent=1))
    await place.served.runtime.reload()
    await place.done("POST", f"{DAEMON}/integration-connectors/refresh")
    return place


@pytest.mark.parametrize("case", CASES)
async def test_an_answer_has_every_key_and_class_of_the_recorded_one(busy: Place, case: str) -> None:
    method, path, body = CASES[case]
    recorded = json.loads((RECORDED / f"{case}.json").read_text())["answer"]
    assert shape(recorded) - shape(await busy.ask(method, path, body)) == set()


async def test_a_stopped_server_answers_as_the_recorded_one(busy: Place) -> None:
    await busy.done("DELETE", f"{PLATFORM}/servers/syncline/instance")
    recorded = json.loads((RECORDED / "daemon-status-when-stopped.json").read_text())["answer"]
    assert shape(recorded) - shape(await busy.ask("GET", f"{DAEMON}/status")) == set()


async def test_an_empty_daemon_and_an_empty_group_answer_as_the_recorded_ones(place: Place) -> None:
    recorded = json.loads((RECORDED / "daemon-services-summary.json").read_text())["answer"]
    assert await place.ask("GET", f"{DAEMON}/integration-services/summary") == recorded
    recorded = json.loads((RECORDED / "daemon-groups-summary-empty-group.json").read_text())["answer"]
    assert shape(recorded) - shape(await place.ask("GET", f"{DAEMON}/integration-groups/summary")) == set()


async def test_cleared_properties_answer_as_the_recorded_ones(busy: Place) -> None:
    body = {"connectorName": "tickets", "mergeUpdate": True}
    await busy.done("POST", f"{DAEMON}/integration-connectors/configuration-properties", body)
    recorded = json.loads((RECORDED / "daemon-connector-config-get-after-clear.json").read_text())["answer"]
    told = await busy.ask("GET", f"{DAEMON}/integration-connectors/tickets/configuration-properties")
    assert told == recorded


async def test_moments_are_written_as_egeria_writes_them(busy: Place) -> None:
    recorded = json.loads((RECORDED / "platform-server-status.json").read_text())["answer"]
    told = await busy.ask("GET", f"{PLATFORM}/servers/syncline/status")
    assert pattern(told["serverStartTime"]) == pattern(recorded["serverStartTime"])


def shape(value: Any, path: str = "") -> set[str]:
    """Every key as a path, with the classes and codes that stand there; lists by what their members have."""
    if isinstance(value, list):
        return set().union(*(shape(member, f"{path}[]") for member in value))
    if not isinstance(value, dict):
        return set()
    found: set[str] = set()
    for key, member in value.items():
        if key in LACKING:
            continue
        told = f" = {member}" if key in ("class", "relatedHTTPCode", "exceptionClassName") else ""
        found.add(f"{path}.{key}{told}")
        if key not in OWN and not path.endswith(".properties"):
            found |= shape(member, f"{path}.{key}") if key != "properties" else set()
    return found


def pattern(text: str) -> str:
    """A moment with every digit as 0."""
    return "".join("0" if char.isdigit() else char for char in text)


__all__ = ["place"]
