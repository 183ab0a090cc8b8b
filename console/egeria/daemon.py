"""Paths: the integration daemon services: status, refresh, restart, properties, connections, summaries."""

from __future__ import annotations

from fastapi import APIRouter

from console.auth import Role
from console.egeria import configure, messages, reports
from console.egeria.call import Call, Json, operation
from flows.report import RefreshOptions
from mappings.findings import nearest
from mappings.services import service

router = APIRouter(prefix="/servers/{serverName}/open-metadata")

_DAEMON = "/integration-daemon/users/{userId}"
_CONNECTORS = f"{_DAEMON}/integration-connectors"
_SERVICES = f"{_DAEMON}/integration-services"
_GROUPS = f"{_DAEMON}/integration-groups"


@operation(router, "GET", f"{_DAEMON}/status", "IntegrationDaemonStatusResponse", running=True)
def get_integration_daemon_status(call: Call) -> Json:
    return {"integrationDaemonStatus": reports.daemon_status(call)}


# -- refresh and restart -------------------------------------------------------------------------------------------


@operation(router, "POST", f"{_DAEMON}/refresh", "VoidResponse", role=Role.OPERATOR, running=True)
@operation(router, "POST", f"{_CONNECTORS}/refresh", "VoidResponse", role=Role.OPERATOR, running=True)
async def refresh_connectors(call: Call) -> Json:
    """One connector (NameRequestBody), or all. A FAILED one is really refreshed; one under way goes round once more."""
    await _refresh(call, _named(call))
    return {}


@operation(router, "POST", f"{_CONNECTORS}/restart", "VoidResponse", role=Role.OPERATOR, running=True)
async def restart_connectors(call: Call) -> Json:
    """Read the configuration again, then refresh one connector, or all."""
    names = _named(call)
    await call.service.runtime.reload()
    await _refresh(call, names)
    return {}


@operation(router, "POST", f"{_SERVICES}/{{marker}}/refresh", "VoidResponse", role=Role.OPERATOR, running=True)
async def refresh_service(call: Call) -> Json:
    await _refresh(call, _of_service(call))
    return {}


@operation(router, "POST", f"{_SERVICES}/{{marker}}/restart", "VoidResponse", role=Role.OPERATOR, running=True)
async def restart_service(call: Call) -> Json:
    await call.service.runtime.reload()
    await _refresh(call, _of_service(call))
    return {}


def _named(call: Call) -> list[str]:
    """The connector that the body names, or all active ones. Raises Told."""
    body = call.object()
    name = body.get("name") or body.get("connectorName")
    return [call.entry(str(name)).name] if name else call.service.active_names()


def _of_service(call: Call) -> list[str]:
    marker = call.params["marker"]
    names = reports.connectors_of(call, marker)
    if not names:
        configured = {entry.config.service for entry in call.service.runtime.configuration.connectors.values()}
        raise messages.unknown_service(marker, call.server, nearest(marker, sorted(configured), "Services in use"))
    active = set(call.service.active_names())
    return [name for name in names if name in active]


async def _refresh(call: Call, names: list[str]) -> None:
    if names:
        await call.service.refresh(names, RefreshOptions(), wait=False, who=call.caller.who)


# -- one connector -------------------------------------------------------------------------------------------------


@operation(router, "GET", f"{_CONNECTORS}/{{connectorName}}/configuration-properties", "PropertiesResponse",
           running=True)  # fmt: skip
def retrieve_configuration_properties(call: Call) -> Json:
    return {"properties": configure.properties(call.entry(call.params["connectorName"]))}


@operation(router, "POST", f"{_CONNECTORS}/configuration-properties", "VoidResponse", role=Role.ADMINISTRATOR,
           running=True)  # fmt: skip
async def update_configuration_properties(call: Call) -> Json:
    """Of one connector, or of all. Kept; in force from the next refresh on."""
    body = call.object()
    name = body.get("connectorName")
    merge = str(body.get("mergeUpdate", False)).lower() == "true"
    known = call.service.runtime.configuration.connectors
    for entry in [call.entry(str(name))] if name else [*known.values()]:
        await configure.set_properties(call, entry, body.get("configurationProperties"), merge=merge)
    return {}


@operation(router, "POST", f"{_CONNECTORS}/{{connectorName}}/endpoint-network-address", "VoidResponse",
           role=Role.ADMINISTRATOR, running=True)  # fmt: skip
async def update_endpoint_network_address(call: Call) -> Json:
    await configure.set_address(call, call.entry(call.params["connectorName"]), call.text("string"))
    return {}


@operation(router, "POST", f"{_CONNECTORS}/{{connectorName}}/connection", "VoidResponse", role=Role.ADMINISTRATOR,
           running=True)  # fmt: skip
async def update_connector_connection(call: Call) -> Json:
    await configure.set_connection(call, call.entry(call.params["connectorName"]), call.object())
    return {}


# -- summaries -----------------------------------------------------------------------------------------------------


@operation(router, "GET", f"{_SERVICES}/summary", "IntegrationServiceSummaryResponse", running=True)
def get_integration_services_summaries(call: Call) -> Json:
    told = reports.standings(call)
    known = call.service.runtime.configuration.connectors.values()
    used = [m for m in dict.fromkeys((*call.kept.services, *(entry.config.service for entry in known))) if service(m)]
    return {"integrationServiceSummaries": [reports.service_summary(call, marker, told) for marker in used]}


@operation(router, "GET", f"{_GROUPS}/summary", "IntegrationGroupSummariesResponse", running=True)
def get_integration_group_summaries(call: Call) -> Json:
    return {"integrationGroupSummaries": reports.group_summaries(call, reports.standings(call))}


@operation(router, "GET", f"{_GROUPS}/{{groupName}}/summary", "IntegrationGroupSummaryResponse", running=True)
def get_integration_group_summary(call: Call) -> Json:
    name = _group(call)
    return {"integrationGroupSummary": reports.group_summary(call, name, reports.standings(call))}


@operation(router, "GET", f"{_GROUPS}/{{groupName}}/refresh-config", "VoidResponse", role=Role.OPERATOR, running=True)
async def refresh_config(call: Call) -> Json:
    """Read the group again now. (It is watched anyway.) Raises Told with everything that is wrong."""
    _group(call)
    await configure.read_again(call)
    return {}


def _group(call: Call) -> str:
    name = call.params["groupName"]
    known = [*call.service.runtime.configuration.groups, *call.kept.groups]
    if name not in known:
        raise messages.unknown_group(name, call.server, nearest(name, sorted(known), "Known groups"))
    return name


# -- OpenLineage ---------------------------------------------------------------------------------------------------


@operation(router, "POST", f"{_DAEMON}/open-lineage/publish", "VoidResponse", role=Role.OPERATOR, running=True)
@operation(router, "POST", f"{_DAEMON}/api/v1/lineage", "VoidResponse", role=Role.OPERATOR, running=True)
@operation(router, "POST", "/integration-services/{marker}/users/{userId}/api/v1/lineage", "VoidResponse",
           role=Role.OPERATOR, running=True)  # fmt: skip
def publish_open_lineage_event(call: Call) -> None:
    """Take an OpenLineage event. No connector of this release listens for lineage: it is kept in the audit log."""
    event = call.object()
    call.service.audit("open_lineage", who=call.caller.who, after=event, reason="received; no connector listens")
