"""What is wrong with a configuration before it runs (SPEC B17).

Rule of this file: pure and offline; every finding names file, line, place and what to do. `check_schema` holds one row
of `entities` to the schemas of its two systems, for `--online` and before a refresh.
"""

from __future__ import annotations

from collections.abc import Iterator

from mappings.check_rows import Complaint, Spot, check_entity, check_field
from mappings.check_schema import check_schema
from mappings.config import Deletes, IntegrationConnector, Side, permitted
from mappings.findings import Finding, Where, nearest
from mappings.load import ConnectorEntry, Loaded
from mappings.services import SERVICES, permitted_by_service, service

__all__ = ["check", "check_schema", "permitted_anywhere"]

SHORTEST_INTERVAL = 1.0
"""Seconds. Anything shorter is a slip of the pen, or a listener's work."""


def check(loaded: Loaded, name: str | None = None) -> list[Finding]:
    """All findings: those of the loading, then what makes no sense in the connectors (or in the one called `name`)."""
    findings = list(loaded.findings)
    if name is not None and name not in loaded.connectors and loaded.ok:
        remedy = nearest(name, loaded.connectors, "Known connectors")
        findings.append(Finding("", 0, "", "error", "unknown_connector", f"no connector is called {name!r}", remedy))
    for entry in loaded.drafts:
        if name in (None, entry.name):
            findings += _check_connector(entry, loaded)
    return sorted(findings, key=lambda finding: (finding.file, finding.line))


def permitted_anywhere(connector: IntegrationConnector) -> frozenset[Side]:
    """The sides that at least one target may write."""
    default = permitted_by_service(connector.service)
    return frozenset().union(*(permitted(connector, target, default) for target in connector.each_target()))


def _check_connector(entry: ConnectorEntry, loaded: Loaded) -> Iterator[Finding]:
    connector = entry.config
    found = [
        *_service(connector),
        *_permissions(connector),
        *_times(connector),
        *_same_system(entry, loaded),
        *_marks(connector.deletes, ("deletes",), permitted_anywhere(connector)),
    ]
    for i, target in enumerate(connector.targets):
        if target.deletes is not None:
            sides = permitted(connector, target, permitted_by_service(connector.service))
            found += _marks(target.deletes, ("targets", i, "deletes"), sides)
    for where, complaint in (*(((), one) for one in found), *_rows(connector)):
        if not any(where[: len(part)] == part for part in entry.doubtful):
            below = (*where, *complaint.below)
            yield entry.finding(below, complaint.code, complaint.problem, complaint.remedy, severity=complaint.severity)


def _rows(connector: IntegrationConnector) -> Iterator[tuple[Where, Complaint]]:
    sides = permitted_anywhere(connector)
    for i, row in enumerate(connector.entities):
        for complaint in check_entity(row, connector.entities[:i]):
            yield ("entities", i), complaint
        for j, field in enumerate(row.fields):
            for complaint in check_field(Spot(field, connector, sides)):
                yield ("entities", i, "fields", j), complaint


def _service(connector: IntegrationConnector) -> Iterator[Complaint]:
    if service(connector.service) is None:
        remedy = nearest(connector.service, [one.marker for one in SERVICES], "Known services")
        yield Complaint(
            ("service",), "unknown_service", f"no integration service is called {connector.service!r}", remedy
        )


def _permissions(connector: IntegrationConnector) -> Iterator[Complaint]:
    default = permitted_by_service(connector.service)
    own = connector.permitted_synchronization
    key = "permitted_synchronization"
    if own is not None and own.widens(default):
        yield Complaint((key,), "widens", f"{own} permits more than the service {connector.service} ({default})")
    parent = own if own is not None and not own.widens(default) else default
    for i, target in enumerate(connector.targets):
        wanted = target.permitted_synchronization
        if wanted is not None and wanted.widens(parent):
            yield Complaint(("targets", i, key), "widens", f"{wanted} permits more than its connector ({parent})")


def _times(connector: IntegrationConnector) -> Iterator[Complaint]:
    if connector.start_date and connector.stop_date and connector.stop_date <= connector.start_date:
        yield Complaint(("stop_date",), "never_runs", "stop_date is not after start_date")
    if 0 < connector.refresh_interval < SHORTEST_INTERVAL:
        yield Complaint(("refresh_interval",), "bad_value", "the refresh interval is shorter than a second")


def _same_system(entry: ConnectorEntry, loaded: Loaded) -> Iterator[Complaint]:
    connector = entry.config
    if _identity(loaded, connector.left) != _identity(loaded, connector.right):
        return
    for i, target in enumerate(connector.each_target()):
        if target.left == target.right:
            where: Where = ("targets", i) if connector.targets else ("right",)
            yield Complaint(where, "same_system", "left and right are the same place of the same system")


def _identity(loaded: Loaded, name: str) -> object:
    """Kind and address, where an address is given; else the name."""
    entry = loaded.systems.get(name)
    if entry is None:
        return name
    url = (entry.system.model_extra or {}).get("url")
    return (entry.system.kind, url.rstrip("/").lower()) if isinstance(url, str) and url else name


def _marks(deletes: Deletes, where: Where, sides: frozenset[Side]) -> Iterator[Complaint]:
    lacking = [side for side in Side if side in sides and not deletes.mark.of(side)]
    if deletes.policy == "mark" and lacking:
        problem = f"policy mark does not say what is written on the {' and the '.join(lacking)}"
        yield Complaint((*where, "mark"), "mark_without_fields", problem)
