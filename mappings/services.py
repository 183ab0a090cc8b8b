"""The registered integration services: the kinds of integration that a connector can belong to (SPEC A9).

Rule of this file: data only; docs/integration-services.md shows the same table, and a test holds the two together.
The first eleven are Egeria's, as release 5.3 lists them, with its ids, names, partners and default directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mappings.config import PermittedSynchronization

_BOTH = PermittedSynchronization.BOTH_DIRECTIONS
_FROM = PermittedSynchronization.FROM_THIRD_PARTY
_TO = PermittedSynchronization.TO_THIRD_PARTY
_TRACKERS = ("redmine", "roundup", "memory")

Status = Literal["STABLE", "TECHNICAL_PREVIEW", "IN_DEVELOPMENT"]


@dataclass(frozen=True, slots=True)
class IntegrationService:
    """One integration service.

    `id`, `marker`, `full_name`, `status` and `partner` are `serviceId`, `serviceURLMarker`, `serviceName`,
    `serviceDevelopmentStatus` and `partnerServiceName` over REST. `permitted` is the default of
    permitted_synchronization. `kinds`: the connectors of this release that it hosts; empty = none yet.
    """

    id: int
    marker: str
    full_name: str
    description: str
    status: Status
    permitted: PermittedSynchronization
    partner: str | None = None
    kinds: tuple[str, ...] = ()


SERVICES: tuple[IntegrationService, ...] = (
    IntegrationService(
        600,
        "catalog-integrator",
        "Catalog Integrator OMIS",
        "Exchanges metadata with data catalogs.",
        "STABLE",
        _BOTH,
        "Asset Manager OMAS",
    ),
    IntegrationService(
        601,
        "api-integrator",
        "API Integrator OMIS",
        "Takes metadata over from API gateways.",
        "STABLE",
        _FROM,
        "Data Manager OMAS",
    ),
    IntegrationService(
        602,
        "topic-integrator",
        "Topic Integrator OMIS",
        "Takes metadata over from event brokers.",
        "STABLE",
        _FROM,
        "Data Manager OMAS",
    ),
    IntegrationService(
        603,
        "display-integrator",
        "Display Integrator OMIS",
        "Takes metadata over from applications that show data to people.",
        "STABLE",
        _FROM,
        "Data Manager OMAS",
    ),
    IntegrationService(
        604,
        "database-integrator",
        "Database Integrator OMIS",
        "Takes schemas, tables and columns over from databases.",
        "STABLE",
        _FROM,
        "Data Manager OMAS",
    ),
    IntegrationService(
        605,
        "files-integrator",
        "Files Integrator OMIS",
        "Takes over what is known of files in file systems.",
        "STABLE",
        _FROM,
        "Data Manager OMAS",
    ),
    IntegrationService(
        606,
        "lineage-integrator",
        "Lineage Integrator OMIS",
        "Takes lineage over from the tools that move data.",
        "STABLE",
        _FROM,
        "Asset Manager OMAS",
    ),
    IntegrationService(
        607,
        "organization-integrator",
        "Organization Integrator OMIS",
        "Takes over the people and teams of an organisation.",
        "STABLE",
        _FROM,
        "Community Profile OMAS",
    ),
    IntegrationService(
        608,
        "security-integrator",
        "Security Integrator OMIS",
        "Distributes security properties to the points that enforce them.",
        "IN_DEVELOPMENT",
        _TO,
        "Security Manager OMAS",
    ),
    IntegrationService(
        609,
        "analytics-integrator",
        "Analytics Integrator OMIS",
        "Exchanges metadata with analytics tools.",
        "IN_DEVELOPMENT",
        _BOTH,
        "Data Science OMAS",
    ),
    IntegrationService(
        611,
        "infrastructure-integrator",
        "Infrastructure Integrator OMIS",
        "Exchanges what is known of hosts, platforms, servers and services.",
        "STABLE",
        _BOTH,
        "IT Infrastructure OMAS",
    ),
    IntegrationService(
        6901,
        "work-item-integrator",
        "Work Item Integrator",
        "Keeps work items of trackers and planning tools in agreement.",
        "TECHNICAL_PREVIEW",
        _BOTH,
        kinds=_TRACKERS,
    ),
    IntegrationService(
        6902,
        "itsm-integrator",
        "ITSM Integrator",
        "Keeps tickets of service desks in agreement with the work items they lead to.",
        "TECHNICAL_PREVIEW",
        _BOTH,
        kinds=_TRACKERS,
    ),
    IntegrationService(
        6903,
        "scm-integrator",
        "SCM Integrator",
        "Takes commits and branches over from source code repositories.",
        "IN_DEVELOPMENT",
        _FROM,
    ),
    IntegrationService(
        6904,
        "build-integrator",
        "Build Integrator",
        "Takes builds and their results over from build servers.",
        "IN_DEVELOPMENT",
        _FROM,
    ),
    IntegrationService(
        6905,
        "test-integrator",
        "Test Integrator",
        "Keeps test cases and their results in agreement.",
        "TECHNICAL_PREVIEW",
        _BOTH,
        kinds=_TRACKERS,
    ),
)

_BY_MARKER = {service.marker: service for service in SERVICES}


def service(marker: str) -> IntegrationService | None:
    """The service with this URL marker; None where there is none."""
    return _BY_MARKER.get(marker)


def permitted_by_service(marker: str) -> PermittedSynchronization:
    """The default permitted synchronization of a service; an unknown one (which `check` refuses) permits both."""
    found = service(marker)
    return found.permitted if found else _BOTH
