"""Paths: the platform services: which services are registered, whether the server runs, start and stop."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter

from console.auth import Role
from console.egeria import messages, reports
from console.egeria.call import Call, Json, moment, operation
from flows import operate
from flows.report import RefreshOptions
from mappings.services import SERVICES

router = APIRouter(prefix="/open-metadata/platform-services")

_ROOT = "/users/{userId}/server-platform"
_SERVER = f"{_ROOT}/servers/{{serverName}}"
_SERVICES = ["Integration Daemon Services"]


@operation(router, "GET", f"{_ROOT}/registered-services/integration-services", "RegisteredOMAGServicesResponse")
def get_registered_integration_services(call: Call) -> Json:
    del call
    return {"services": reports.registered(SERVICES)}


@operation(router, "GET", f"{_ROOT}/servers/active", "ServerListResponse")
def get_active_server_list(call: Call) -> Json:
    return {"serverList": [call.server] if call.kept.stopped is None else []}


@operation(router, "GET", f"{_SERVER}/instance/status", "ServerStatusResponse")
@operation(router, "GET", f"{_SERVER}/status", "ServerStatusResponse")
def get_server_status(call: Call) -> Json:
    running = call.kept.stopped is None
    return {
        "serverName": call.server,
        "serverType": "Integration Daemon",
        "serverStartTime": moment(call.service.began),
        "active": running,
    }


@operation(router, "GET", f"{_SERVER}/services", "ServerServicesListResponse")
def get_active_services_for_server(call: Call) -> Json:
    call.require_running()
    return {"serverName": call.server, "serverServicesList": _SERVICES}


@operation(router, "GET", f"{_SERVER}/instance/configuration", "OMAGServerConfigResponse")
def get_active_configuration(call: Call) -> Json:
    call.require_running()
    return {"omagserverConfig": server_config(call)}


@operation(router, "POST", f"{_SERVER}/instance", "SuccessMessageResponse", role=Role.ADMINISTRATOR)
async def activate_with_stored_config(call: Call) -> Json:
    """Start the server, or start it again: every active connector is refreshed once."""
    stopped, call.kept.stopped = call.kept.stopped, None
    for name in stopped or ():
        if name in call.service.runtime.configuration.connectors:
            operate.set_active(call.service.runtime, name, True, who=call.caller.who)
    call.kept.save()
    call.service.audit("start", who=call.caller.who)
    names = call.service.active_names()
    if stopped is None and names:
        await call.service.refresh(names, RefreshOptions(), wait=False, who=call.caller.who)
    now = datetime.now(UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
    services = ", ".join(_SERVICES)
    return {"successMessage": f"{now} {call.server} is running the following services: [{services}]"}


@operation(router, "DELETE", f"{_SERVER}/instance", "VoidResponse", role=Role.ADMINISTRATOR)
def deactivate_server_temporarily(call: Call) -> Json:
    """Stop the server: no connector is refreshed until it is started. The daemon itself and its console stay."""
    if call.kept.stopped is not None:
        raise messages.server_not_available(call.server, call.user)
    names = call.service.active_names()
    for name in names:
        operate.set_active(call.service.runtime, name, False, who=call.caller.who)
    call.kept.stopped = names
    call.kept.save()
    call.service.audit("stop", who=call.caller.who)
    return {}


def server_config(call: Call) -> Json:
    """OMAGServerConfig: what this daemon is configured with."""
    groups = call.service.runtime.configuration.groups
    return {
        "class": "OMAGServerConfig",
        "versionId": "V2.0",
        "localServerId": reports.guid(call, "", "server"),
        "localServerName": call.server,
        "localServerURL": call.root,
        "localServerType": "Integration Daemon",
        "localServerUserId": next((group.config.user_id for group in groups.values()), "syncline"),
        "maxPageSize": 1000,
        "integrationServicesConfig": [reports.service_config(call, marker) for marker in call.kept.services],
        "dynamicIntegrationGroupsConfig": group_configs(call),
    }


def group_configs(call: Call) -> list[Json]:
    """IntegrationGroupConfig of each: YAML groups, and those that were named over REST."""
    names = [name for name in call.service.runtime.configuration.groups if name not in call.kept.services]
    here = {"omagserverName": call.server, "omagserverPlatformRootURL": call.root}
    own = {name: {"class": "IntegrationGroupConfig", "integrationGroupQualifiedName": name, **here} for name in names}
    return list({**own, **call.kept.groups}.values())
