"""The bodies of the customer's document (mission, "Configure the integration services") really configure and sync."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.memory import LIMITS, define, forget
from console.auth import Role
from flows.runtime import Runtime
from tests.console.web.served import TOKENS, Served
from tests.flows.world import WatchedSystem

USER = "garygeeke"
PLATFORM = f"/open-metadata/platform-services/users/{USER}/server-platform"
ADMIN = f"/open-metadata/admin-services/users/{USER}/servers/syncline"
DAEMON = f"/servers/syncline/open-metadata/integration-daemon/users/{USER}"
MARKER = "work-item-integrator"
PROPERTIES: dict[str, Any] = {
    "startPolling": "all",
    "entities": [{"left": "ticket", "right": "ticket", "fields": [{"left": "title", "right": "title"}]}],
}


KEYS = {
    "class", "connectorName", "connection", "connectorType", "endpoint", "address", "configurationProperties", "userId",
    "securedProperties", "embeddedConnections", "embeddedConnection", "displayName", "integrationConnectorConfigs",
    "integrationServiceURLMarker", "omagserverName", "entities", "name", "mergeUpdate", "additionalProperties",
}  # fmt: skip
"""Keys that bodies have."""


class Place:
    """A daemon in a folder with one configured system, and the third party that nobody has configured yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ours, self.theirs, self.elsewhere = (
            define(WatchedSystem(f"memory://{name}-{folder.name}", limits=LIMITS)) for name in ("o", "t", "e")
        )
        (folder / "systems.yaml").write_text(
            f"# by hand\ngroup: systems\nsystems:\n  mds1: {{kind: memory, url: '{self.ours.url}'}}\n"
        )
        self.open()

    def open(self) -> None:
        self.served = Served(Runtime.open(self.folder, f"sqlite:///{self.folder}/ledger.db"))

    async def close(self) -> None:
        await self.served.close()
        await self.served.runtime.close()

    async def restart(self) -> None:
        await self.close()
        self.open()

    async def ask(self, method: str, path: str, body: Any = None, role: Role | None = Role.ADMINISTRATOR) -> Any:
        """The answer, whose transport status is 200 as Egeria's."""
        async with self.served.client(role) as client:
            answer = await client.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def done(self, method: str, path: str, body: Any = None) -> Any:
        """The answer, which tells of no error."""
        told = await self.ask(method, path, body)
        assert told["relatedHTTPCode"] == 200, told
        return told

    def config(self, name: str = "tickets", **more: Any) -> dict[str, Any]:
        """The integrationConnectorConfigs of the document."""
        return {
            "class": "IntegrationConnectorConfig",
            "connectorName": name,
            "connectorUserId": "ticketsnpa",
            "connection": {
                "class": "Connection",
                "connectorType": {"class": "ConnectorType", "connectorProviderClassName": "memory"},
                "endpoint": {"class": "Endpoint", "address": self.theirs.url},
                "configurationProperties": PROPERTIES,
            },
            "refreshTimeInterval": "60",
            "usesBlockingCalls": "false",
            "permittedSynchronization": "BOTH_DIRECTIONS",
            **more,
        }

    def body(self, *configs: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The IntegrationServiceRequestBody of the document."""
        return {
            "class": "IntegrationServiceRequestBody",
            "omagserverPlatformRootURL": self.ours.url,
            "omagserverName": "mds1",
            "integrationConnectorConfigs": list(configs or [self.config()]),
            **more,
        }

    async def configure(self, *configs: dict[str, Any], **more: Any) -> Any:
        return await self.ask("POST", f"{ADMIN}/integration-services/{MARKER}", self.body(*configs, **more))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    made = Place(tmp_path)
    yield made
    await made.close()
    for system in (made.ours, made.theirs, made.elsewhere):
        forget(system.url)


async def test_the_customers_document_from_listing_to_a_changed_endpoint(place: Place) -> None:
    services = (await place.done("GET", f"{PLATFORM}/registered-services/integration-services"))["services"]
    assert MARKER in {one["integrationServiceURLMarker"] for one in services}
    place.ours.make("Boiler leaks")

    assert await place.done("POST", f"{ADMIN}/integration-services/{MARKER}", place.body()) == {
        "class": "VoidResponse", "relatedHTTPCode": 200,
    }  # fmt: skip
    started = await place.done("POST", f"{PLATFORM}/servers/syncline/instance")
    assert "syncline is running the following services" in started["successMessage"]
    refresh = {"class": "NameRequestBody", "name": "tickets"}
    await place.done("POST", f"{DAEMON}/integration-connectors/refresh", refresh)
    assert titles(place.theirs) == ["Boiler leaks"]

    status = (await place.done("GET", f"{DAEMON}/status"))["integrationDaemonStatus"]
    (report,) = status["integrationConnectorReports"]
    assert (report["connectorName"], report["connectorStatus"]) == ("tickets", "WAITING")
    assert report["minMinutesBetweenRefresh"] == 60

    change = {
        "class": "ConnectorConfigPropertiesRequestBody", "connectorName": "tickets", "mergeUpdate": True,
        "configurationProperties": {"on_mapping_change": "new_only"},
    }  # fmt: skip
    await place.done("POST", f"{DAEMON}/integration-connectors/configuration-properties", change)
    told = await place.done("GET", f"{DAEMON}/integration-connectors/tickets/configuration-properties")
    assert told["properties"]["on_mapping_change"] == "new_only"
    assert told["properties"]["entities"]

    moved = {"class": "StringRequestBody", "string": place.elsewhere.url}
    await place.done("POST", f"{DAEMON}/integration-connectors/tickets/endpoint-network-address", moved)
    place.ours.make("Door jams")
    await place.done("POST", f"{DAEMON}/integration-connectors/refresh", refresh)
    assert "Door jams" in titles(place.elsewhere)
    assert titles(place.theirs) == ["Boiler leaks"]


def titles(system: WatchedSystem) -> list[str]:
    return sorted(system.value(ref, "title") for ref in system.living)


async def test_what_is_configured_survives_a_restart(place: Place) -> None:
    await place.configure()
    await place.restart()
    place.theirs.make("From them")
    await place.done("POST", f"{DAEMON}/integration-connectors/refresh")
    assert titles(place.ours) == ["From them"]
    configured = await place.done("GET", f"{ADMIN}/integration-services/configuration")
    assert [one["integrationServiceURLMarker"] for one in configured["services"]] == [MARKER]


async def test_the_plain_body_of_the_document_is_accepted_before_anything_is_mapped(place: Place) -> None:
    config = place.config()
    del config["connection"]["configurationProperties"]
    await place.configure(config)
    told = await place.done("GET", f"{DAEMON}/integration-connectors/tickets/configuration-properties")
    assert told == {"class": "PropertiesResponse", "relatedHTTPCode": 200}


async def test_a_virtual_connection_embeds_both_systems_and_a_store_of_secrets(place: Place) -> None:
    def embedded(name: str, provider: str, address: str, **more: Any) -> dict[str, Any]:
        inner = {
            "class": "Connection",
            "connectorType": {"class": "ConnectorType", "connectorProviderClassName": provider},
            "endpoint": {"class": "Endpoint", "address": address},
        }
        return {"class": "EmbeddedConnection", "displayName": name, "embeddedConnection": inner | more}

    secured = {"userId": "sync", "securedProperties": {"password": {"secret": "desk"}}}
    connection = {
        "class": "VirtualConnection",
        "embeddedConnections": [
            embedded("left", "memory", place.elsewhere.url, configurationProperties={"timeout": "5s"}),
            embedded("right", "roundup", "http://127.0.0.1:1/desk", **secured),
            embedded("secrets", "files", "/run/secrets"),
        ],
        "configurationProperties": PROPERTIES,
    }
    told = await place.configure(place.config(connection=connection))
    assert told["relatedHTTPCode"] == 200, told
    systems = place.served.runtime.configuration.systems
    assert systems["tickets-left"].system.model_dump() == {
        "kind": "memory", "timeout": "5s", "url": place.elsewhere.url,
    }  # fmt: skip
    credentials = systems["tickets-right"].system.model_dump()["credentials"]
    assert credentials == {"username": "sync", "password": {"file": "/run/secrets/desk"}}


REFUSED = {
    "an unknown property": (
        {"configurationProperties": {**PROPERTIES, "entitties": []}}, "configurationProperties.entitties",
    ),
    "an unknown property deep inside": (
        {"configurationProperties": {"entities": [{**PROPERTIES["entities"][0], "colour": "red"}]}},
        "configurationProperties.entities[0].colour",
    ),
    "an unknown provider": (
        {"connectorType": {"connectorProviderClassName": "org.example.Nope"}}, "systems.tickets-right.kind",
    ),
    "a secret in the request": (
        {"clearPassword": "hunter2"}, "integrationConnectorConfigs[0].connection.clearPassword",
    ),
    "a secret where its place should be": (
        {"securedProperties": {"password": "hunter2"}},
        "integrationConnectorConfigs[0].connection.securedProperties.password",
    ),
    "a secret in a key that nobody knows": (
        {"additional": {"apiToken": "hunter2"}}, "integrationConnectorConfigs[0].connection.additional.apiToken",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_work_is_refused_with_its_path_and_nothing_is_changed(place: Place, case: str) -> None:
    more, path = REFUSED[case]
    config = place.config()
    config["connection"] |= more
    told = await place.configure(config)
    assert told["relatedHTTPCode"] == 400
    assert told["exceptionClassName"].endswith("InvalidParameterException")
    assert told["exceptionProperties"]["parameterName"] == path
    assert "hunter2" not in str(told)
    assert not place.served.runtime.configuration.connectors
    assert not (place.folder / f"{MARKER}.yaml").exists()


async def test_unknown_keys_of_envelopes_are_kept_and_named_in_the_audit_log(place: Place) -> None:
    await place.configure(place.config(deleteMethod="SOFT_DELETE", connectorId="abc"), wiki="x")
    (line,) = place.served.audited("unknown_keys")
    assert line["after"] == {
        "tickets": {"config": {"deleteMethod": "SOFT_DELETE", "connectorId": "abc"}, "connection": {}},
        MARKER: {"wiki": "x"},
    }
    assert line["who"] == f"administrator/{USER}"
    await place.restart()
    told = await place.done("GET", f"{ADMIN}/integration-services/{MARKER}/configuration")
    (config,) = told["config"]["integrationConnectorConfigs"]
    assert (config["deleteMethod"], config["connectorId"]) == ("SOFT_DELETE", "abc")


async def test_the_left_system_must_be_the_one_that_is_meant(place: Place) -> None:
    unknown = await place.configure(omagserverName="mds2")
    assert unknown["exceptionProperties"]["parameterName"] == "omagserverName"
    other = await place.configure(omagserverPlatformRootURL="memory://another")
    assert other["exceptionProperties"]["parameterName"] == "omagserverPlatformRootURL"


async def test_properties_are_merged_replaced_and_cleared_as_in_egeria(place: Place) -> None:
    await place.configure()
    path = f"{DAEMON}/integration-connectors/configuration-properties"
    get = f"{DAEMON}/integration-connectors/tickets/configuration-properties"

    async def change(**body: Any) -> dict[str, Any]:
        await place.done("POST", path, {"connectorName": "tickets", **body})
        found: dict[str, Any] = (await place.done("GET", get)).get("properties", {})
        return found

    merged = await change(mergeUpdate="true", configurationProperties={"description": "desk"})
    assert merged["description"] == "desk"
    assert merged["start_polling"] == "all"
    assert await change(mergeUpdate=False, configurationProperties={"description": "only"}) == {"description": "only"}
    assert await change(mergeUpdate=True) == {}


async def test_a_group_written_by_hand_is_edited_in_its_file_and_keeps_its_comments(place: Place) -> None:
    file = place.folder / "mine.yaml"
    file.write_text(
        "group: mine # ours\nsystems:\n  desk: {kind: memory, url: 'memory://desk'} # the desk\n"
        "connectors:\n  - {connectorName: by-hand, left: mds1, right: desk, entities: []} # mine\n"
    )
    await place.served.runtime.reload()
    moved = {"string": place.theirs.url}
    await place.done("POST", f"{DAEMON}/integration-connectors/by-hand/endpoint-network-address", moved)
    properties = {"connectorName": "by-hand", "mergeUpdate": True, "configurationProperties": PROPERTIES}
    await place.done("POST", f"{DAEMON}/integration-connectors/configuration-properties", properties)
    text = file.read_text()
    assert "# ours" in text
    assert "# the desk" in text
    place.ours.make("Boiler leaks")
    await place.done("POST", f"{DAEMON}/integration-connectors/refresh", {"name": "by-hand"})
    assert titles(place.theirs) == ["Boiler leaks"]


async def test_a_new_address_for_one_connector_leaves_the_others_where_they_are(place: Place) -> None:
    (place.folder / "mine.yaml").write_text(
        f"group: mine\nsystems:\n  desk: {{kind: memory, url: '{place.theirs.url}'}}\nconnectors:\n"
        "  - {name: one, left: mds1, right: desk, entities: []}\n"
        "  - {name: two, left: mds1, right: desk, entities: []}\n"
    )
    await place.served.runtime.reload()
    moved = {"string": place.elsewhere.url}
    await place.done("POST", f"{DAEMON}/integration-connectors/one/endpoint-network-address", moved)
    addresses = {
        report["connectorName"]: report["connection"]["endpoint"]["address"]
        for report in (await place.done("GET", f"{DAEMON}/status"))["integrationDaemonStatus"][
            "integrationConnectorReports"
        ]
    }
    assert addresses == {"one": place.elsewhere.url, "two": place.theirs.url}


async def test_a_connection_is_replaced_as_a_whole(place: Place) -> None:
    await place.configure()
    connection = place.config()["connection"] | {"endpoint": {"address": place.elsewhere.url}}
    await place.done("POST", f"{DAEMON}/integration-connectors/tickets/connection", connection)
    place.ours.make("Boiler leaks")
    await place.done("POST", f"{DAEMON}/integration-connectors/refresh", {"name": "tickets"})
    assert titles(place.elsewhere) == ["Boiler leaks"]
    nope = {"connectorType": {"connectorProviderClassName": "org.example.Nope"}}
    told = await place.ask("POST", f"{DAEMON}/integration-connectors/tickets/connection", nope)
    assert told["relatedHTTPCode"] == 400


async def test_a_stopped_server_answers_as_egerias_and_what_is_configured_meanwhile_waits(place: Place) -> None:
    await place.configure()
    instance = f"{PLATFORM}/servers/syncline/instance"
    await place.done("DELETE", instance)
    stopped = await place.ask("GET", f"{DAEMON}/status")
    assert (stopped["relatedHTTPCode"], stopped["exceptionErrorMessageId"]) == (404, "OMAG-MULTI-TENANT-404-001")
    assert (await place.done("GET", f"{PLATFORM}/servers/syncline/status"))["active"] is False
    await place.configure(place.config(), place.config("more"))
    assert place.served.service.active_names() == []
    await place.restart()
    await place.done("POST", instance)
    assert place.served.service.active_names() == ["tickets", "more"]


async def test_taking_a_service_away_takes_its_connectors_away(place: Place) -> None:
    await place.configure()
    await place.done("DELETE", f"{ADMIN}/integration-services/{MARKER}")
    assert not place.served.runtime.configuration.connectors
    assert (await place.ask("GET", f"{ADMIN}/integration-services/{MARKER}"))["relatedHTTPCode"] == 400


async def test_a_group_of_peoples_own_is_never_replaced(place: Place) -> None:
    text = f"group: {MARKER}\n"
    (place.folder / "own.yaml").write_text(text)
    await place.served.runtime.reload()
    assert (await place.configure())["relatedHTTPCode"] == 400
    assert (place.folder / "own.yaml").read_text() == text


async def test_release_6_leaves_the_user_out_of_the_path(place: Place) -> None:
    path = f"{DAEMON}/status".replace(f"/users/{USER}", "")
    assert (await place.done("GET", path))["class"] == "IntegrationDaemonStatusResponse"


async def test_status_works_before_anything_is_configured(place: Place) -> None:
    told = (await place.done("GET", f"{DAEMON}/status"))["integrationDaemonStatus"]
    assert [group["integrationGroupStatus"] for group in told["integrationGroupSummaries"]] == ["CONFIGURING"]


async def test_a_missing_permission_is_a_user_who_is_not_authorized(place: Place) -> None:
    told = await place.ask("POST", f"{ADMIN}/integration-services/{MARKER}", place.body(), role=Role.OPERATOR)
    assert told["relatedHTTPCode"] == 403
    assert told["exceptionClassName"].endswith("UserNotAuthorizedException")
    (line,) = place.served.audited("refused")
    assert line["who"] == f"operator/{USER}"


async def test_without_a_token_nobody_gets_in(place: Place) -> None:
    async with place.served.client(None) as client:
        answer = await client.get(f"{DAEMON}/status")
    assert answer.status_code == answer.json()["relatedHTTPCode"] == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://evil.example"}, 401),
        ({"host": "evil.example:9400"}, 401),
        ({"authorization": "Bearer wrong"}, 401),
    ],
)
async def test_on_request_egerias_paths_believe_the_path_but_no_web_page(
    place: Place, headers: dict[str, str], status: int
) -> None:
    served = Served(place.served.runtime, without_token=True)
    async with served.client(None, **headers) as client:
        assert (await client.get(f"{DAEMON}/status")).status_code == status
        assert (await client.get("/api/v1/status")).status_code == 401


async def test_an_open_lineage_event_is_taken_and_kept(place: Place) -> None:
    path = f"/servers/syncline/open-metadata/integration-services/lineage-integrator/users/{USER}/api/v1/lineage"
    async with place.served.client() as client:
        answer = await client.post(path, json={"eventType": "COMPLETE"})
    assert (answer.status_code, answer.text) == (200, "")
    (line,) = place.served.audited("open_lineage")
    assert line["after"] == {"eventType": "COMPLETE"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(MARKER),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(KEYS)) | st.text(), inner),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(body=JSON, more=st.dictionaries(st.sampled_from(sorted(KEYS)), JSON, max_size=4))
async def test_no_body_makes_it_fail_inside(place: Place, body: Any, more: dict[str, Any]) -> None:
    config = place.config()
    config["connection"] |= more
    for path, sent in (
        (f"{ADMIN}/integration-services/{MARKER}", body),
        (f"{ADMIN}/integration-services/{MARKER}", place.body(config, **more)),
        (f"{ADMIN}/integration-services/configuration/all", body),
        (f"{ADMIN}/integration-groups/configuration", body),
        (f"{DAEMON}/integration-connectors/configuration-properties", body),
        (f"{DAEMON}/integration-connectors/refresh", body),
    ):
        assert (await place.ask("POST", path, sent))["relatedHTTPCode"] < 500, (path, sent)


def test_no_token_shows_in_the_application(place: Place) -> None:
    shown = repr(vars(place.served.app.state))
    assert not any(token in shown for token in TOKENS.values())
