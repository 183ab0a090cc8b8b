"""How connectors, groups and services are doing, in the shapes of Egeria 5.3.

Rule of this file: built from the same status as everything else. What is not there is left out; a failing message goes
when its cause does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from console.egeria.call import Call, moment
from console.egeria.configure import properties
from mappings.load import ConnectorEntry
from mappings.services import SERVICES, IntegrationService, permitted_by_service, service

Json = dict[str, Any]
_FAILING = ("FAILED", "INITIALIZE_FAILED", "CONFIG_FAILED")


def daemon_status(call: Call) -> Json:
    """IntegrationDaemonStatus."""
    told = standings(call)
    services = [marker for marker in call.kept.services if service(marker)]
    return {
        "integrationServiceSummaries": [service_summary(call, marker, told) for marker in services],
        "integrationGroupSummaries": group_summaries(call, told),
        "integrationConnectorReports": [
            {**report(call, told[name]), "connectorGUID": guid(call, "IntegrationConnector", name)} for name in told
        ],
    }


def standings(call: Call) -> dict[str, Json]:
    """Name -> how the connector is doing."""
    return {one["name"]: one for one in call.service.status()["connectors"]}


def report(call: Call, told: Json) -> Json:
    """IntegrationConnectorReport."""
    name = told["name"]
    entry = call.service.runtime.configuration.connectors[name]
    unknown = call.kept.connectors.get(name, {}).get("config", {})
    return {
        "connectorId": unknown.get("connectorId") or guid(call, "RegisteredIntegrationConnector", name),
        "connectorName": name,
        "connection": connection(call, entry),
        "connectorInstanceId": guid(call, "", f"{name} since {call.service.began}"),
        "connectorStatus": told["state"],
        "lastStatusChange": moment(told["since"] or call.service.began),
        "lastRefreshTime": moment(told["last_refresh"]),
        "minMinutesBetweenRefresh": int(-(-entry.config.refresh_interval // 60)),
        "failingExceptionMessage": told["message"] or None if told["state"] in _FAILING else None,
    }


def connection(call: Call, entry: ConnectorEntry) -> Json:
    """The connection of a connector: its right system. Never a secret; nor where one is."""
    system = call.service.runtime.configuration.systems[entry.config.right].system
    url = (system.model_extra or {}).get("url")
    unknown = call.kept.connectors.get(entry.name, {}).get("connection", {})
    name = f"{call.server}:{entry.name}"
    return {
        "class": "Connection",
        "headerVersion": 0,
        "guid": guid(call, "Connection", entry.name),
        "qualifiedName": f"Connection:{name}",
        "displayName": unknown.get("displayName") or f"{entry.name} connection",
        "connectorType": {
            "class": "ConnectorType",
            "headerVersion": 0,
            "guid": guid(call, "ConnectorType", entry.name),
            "qualifiedName": f"ConnectorType:{name}",
            "displayName": f"{entry.name} type",
            "connectorProviderClassName": system.kind,
            "connectorFrameworkName": "Syncline",
            "connectorInterfaceLanguage": "Python",
        },
        "endpoint": {
            "class": "Endpoint",
            "headerVersion": 0,
            "guid": guid(call, "Endpoint", entry.name),
            "qualifiedName": f"Endpoint:{name}",
            "displayName": f"{entry.name} endpoint",
            "address": url,
        }
        if isinstance(url, str) and url
        else None,
        "configurationProperties": properties(entry),
    }


def group_summaries(call: Call, told: dict[str, Json]) -> list[Json]:
    """A summary of every integration group: YAML groups, and those that an open metadata server was said to hold."""
    groups = call.service.runtime.configuration.groups
    names = [name for name in groups if name not in call.kept.services]
    return [group_summary(call, name, told) for name in dict.fromkeys((*names, *call.kept.groups))]


def group_summary(call: Call, name: str, told: dict[str, Json]) -> Json:
    """IntegrationGroupSummary."""
    loaded = call.service.runtime.configuration
    here = name in loaded.groups
    running = [told[one] for one in loaded.running_in(name) if one in told] if here else []
    where = f"Kept in {loaded.groups[name].file.name}" if here else "No YAML group of this daemon has this name"
    return {
        "integrationGroupName": name,
        "integrationGroupGUID": guid(call, "IntegrationGroup", name),
        "integrationGroupDescription": where,
        "integrationGroupStatus": "RUNNING" if running else "CONFIGURING",
        "integrationConnectorReports": [report(call, one) for one in running],
    }


def service_summary(call: Call, marker: str, told: dict[str, Json]) -> Json:
    """IntegrationServiceSummary."""
    found = next(one for one in SERVICES if one.marker == marker)
    return {
        "integrationServiceId": found.id,
        "integrationServiceFullName": found.full_name,
        "integrationServiceURLMarker": found.marker,
        "integrationServiceDescription": found.description,
        "integrationConnectorReports": [
            report(call, told[name]) for name in connectors_of(call, marker) if name in told
        ],
    }


def connectors_of(call: Call, marker: str) -> list[str]:
    """The connectors that belong to a service."""
    known = call.service.runtime.configuration.connectors
    return [name for name, entry in known.items() if entry.config.service == marker]


def registered(services: Iterable[IntegrationService]) -> list[Json]:
    """RegisteredOMAGService of each, with what else is known of it."""
    return [
        {
            "serviceId": one.id,
            "serviceName": one.full_name,
            "serviceDevelopmentStatus": one.status,
            "serviceURLMarker": one.marker,
            "serverType": "Integration Daemon",
            "partnerServiceName": one.partner,
            "partnerServerType": "Metadata Access Server" if one.partner else None,
            "integrationServiceURLMarker": one.marker,
            "serviceDescription": one.description,
            "defaultPermittedSynchronization": str(one.permitted),
            "connectors": list(one.kinds),
        }
        for one in services
    ]


def service_config(call: Call, marker: str) -> Json:
    """IntegrationServiceConfig, as it was sent and is in force."""
    found = next(one for one in SERVICES if one.marker == marker)
    kept = call.kept.services[marker]
    return {
        **kept.get("unknown", {}),
        "class": "IntegrationServiceConfig",
        "integrationServiceId": found.id,
        "integrationServiceDevelopmentStatus": found.status,
        "integrationServiceName": found.full_name,
        "integrationServiceFullName": found.full_name,
        "integrationServiceURLMarker": marker,
        "integrationServiceDescription": found.description,
        "integrationServicePartnerOMAS": found.partner,
        "defaultPermittedSynchronization": str(permitted_by_service(marker)),
        "integrationServiceOperationalStatus": "ENABLED",
        "omagserverName": kept.get("omagserverName"),
        "omagserverPlatformRootURL": kept.get("omagserverPlatformRootURL"),
        "integrationConnectorConfigs": [
            connector_config(call, call.service.runtime.configuration.connectors[name])
            for name in kept.get("connectors", ())
            if name in call.service.runtime.configuration.connectors
        ],
    }


def connector_config(call: Call, entry: ConnectorEntry) -> Json:
    """IntegrationConnectorConfig."""
    config = entry.config
    return {
        "connectorId": guid(call, "RegisteredIntegrationConnector", entry.name),
        **call.kept.connectors.get(entry.name, {}).get("config", {}),
        "class": "IntegrationConnectorConfig",
        "connectorName": entry.name,
        "connectorUserId": config.connector_user_id,
        "connection": connection(call, entry),
        "metadataSourceQualifiedName": config.metadata_source_qualified_name,
        "refreshTimeInterval": int(-(-config.refresh_interval // 60)),
        "usesBlockingCalls": config.uses_blocking_calls,
        "permittedSynchronization": str(config.permitted_synchronization or permitted_by_service(config.service)),
        "startDate": moment(config.start_date),
        "stopDate": moment(config.stop_date),
    }


def guid(call: Call, type: str, name: str) -> str:
    """A unique identifier that stays the same from start to start, as Egeria 5.3 writes them: `Type-<uuid>`."""
    id = uuid5(NAMESPACE_URL, f"syncline:{call.server}:{type}:{name}")
    return f"{type}-{id}" if type else str(id)
