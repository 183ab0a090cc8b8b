"""Paths: the administration services: what this daemon is configured with, and how that changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from console.auth import Role
from console.egeria import configure, messages, reports
from console.egeria.call import Call, Json, operation
from console.egeria.platform import group_configs, server_config
from mappings.services import SERVICES

router = APIRouter(prefix="/open-metadata/admin-services")

_SERVER = "/users/{userId}/servers/{serverName}"
_OMIS = f"{_SERVER}/integration-services"
_GROUPS = f"{_SERVER}/integration-groups"
_ADMIN = Role.ADMINISTRATOR


@operation(router, "GET", f"{_SERVER}/configuration", "OMAGServerConfigResponse")
def get_stored_configuration(call: Call) -> Json:
    return {"omagserverConfig": server_config(call)}


# -- integration services ------------------------------------------------------------------------------------------


@operation(router, "GET", _OMIS, "RegisteredOMAGServicesResponse")
def get_registered_integration_services(call: Call) -> Json:
    del call
    return {"services": reports.registered(SERVICES)}


@operation(router, "GET", f"{_OMIS}/configuration", "IntegrationServicesResponse")
def get_integration_services_configuration(call: Call) -> Json:
    return {"services": [reports.service_config(call, marker) for marker in call.kept.services]}


@operation(router, "POST", f"{_OMIS}/configuration", "VoidResponse", role=_ADMIN)
async def configure_integration_service_in_full(call: Call) -> Json:
    await configure.configure_service(call, call.text("integrationServiceURLMarker"), call.object())
    return {}


@operation(router, "POST", f"{_OMIS}/configuration/all", "VoidResponse", role=_ADMIN)
async def set_integration_services_config(call: Call) -> Json:
    """All services at once, in the place of those configured before."""
    if not isinstance(call.body, list):
        raise messages.invalid("requestBody", "it is not a list", "Send a list of IntegrationServiceConfig.")
    wanted = [(_marker(one), one) for one in call.body]
    for marker, one in wanted:
        await configure.configure_service(call, marker, one)
    await configure.clear_services(call, [m for m in call.kept.services if m not in dict(wanted)])
    return {}


def _marker(config: Any) -> str:
    marker = config.get("integrationServiceURLMarker") if isinstance(config, Mapping) else None
    if not isinstance(marker, str):
        raise messages.invalid("integrationServiceURLMarker", "it is missing", "Name the integration service.")
    return marker


@operation(router, "GET", f"{_OMIS}/{{marker}}/configuration", "IntegrationServiceConfigResponse")
@operation(router, "GET", f"{_OMIS}/{{marker}}", "IntegrationServiceConfigResponse")
def get_integration_service_configuration(call: Call) -> Json:
    marker = call.params["marker"]
    if marker not in call.kept.services:
        raise messages.unknown_service(marker, call.server, "Nothing was configured for it over REST.")
    return {"config": reports.service_config(call, marker)}


@operation(router, "POST", f"{_OMIS}/{{marker}}", "VoidResponse", role=_ADMIN)
async def configure_integration_service(call: Call) -> Json:
    await configure.configure_service(call, call.params["marker"], call.object())
    return {}


@operation(router, "DELETE", _OMIS, "VoidResponse", role=_ADMIN)
async def clear_all_integration_services(call: Call) -> Json:
    await configure.clear_services(call, list(call.kept.services))
    return {}


@operation(router, "DELETE", f"{_OMIS}/{{marker}}", "VoidResponse", role=_ADMIN)
async def clear_integration_service(call: Call) -> Json:
    await configure.clear_services(call, [call.params["marker"]])
    return {}


# -- integration groups --------------------------------------------------------------------------------------------


@operation(router, "GET", f"{_GROUPS}/configuration", "IntegrationGroupsResponse")
@operation(router, "GET", _GROUPS, "IntegrationGroupsResponse")
def get_integration_groups_configuration(call: Call) -> Json:
    return {"groups": group_configs(call)}


@operation(router, "POST", f"{_GROUPS}/configuration", "VoidResponse", role=_ADMIN)
def configure_integration_group(call: Call) -> Json:
    """Name an integration group that this daemon is to run."""
    name = call.text("integrationGroupQualifiedName")
    call.kept.groups[name] = {**call.object(), "class": "IntegrationGroupConfig"}
    call.kept.save()
    call.service.audit("configure", who=call.caller.who, after=call.object(), reason=f"integration group {name}")
    return {}


@operation(router, "DELETE", _GROUPS, "VoidResponse", role=_ADMIN)
def clear_all_integration_groups(call: Call) -> Json:
    """Forget the groups that were named over REST. Those that stand in YAML stay: take their files away."""
    call.kept.groups.clear()
    call.kept.save()
    call.service.audit("configure", who=call.caller.who, reason="all integration groups named over REST taken away")
    return {}


@operation(router, "DELETE", f"{_GROUPS}/{{groupName}}", "VoidResponse", role=_ADMIN)
def clear_integration_group(call: Call) -> Json:
    name = call.params["groupName"]
    if call.kept.groups.pop(name, None) is None:
        raise messages.unknown_group(name, call.server, "It was not named over REST.")
    call.kept.save()
    call.service.audit("configure", who=call.caller.who, reason=f"integration group {name} taken away")
    return {}
