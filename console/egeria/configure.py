"""An integration service, a connector, a connection, configured over REST: kept as YAML groups.

Rule of this file: what is accepted is in force when the call returns and survives a restart; what has an error is
refused whole. A group that people wrote is edited in its file, its comments stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from console.egeria import messages, words
from console.egeria.call import Call
from console.egeria.words import ENVELOPE, Integration
from flows import edit, operate
from mappings.config import IntegrationConnector, Side
from mappings.findings import ConfigurationErrors, nearest
from mappings.load import ConnectorEntry
from mappings.services import SERVICES, service
from mappings.shape import key_of

Json = dict[str, Any]

_REQUEST = ("class", "omagserverPlatformRootURL", "omagserverName", "integrationConnectorConfigs")
_HEAD = "# Configured over REST (open metadata): changes made here hold too, until the service is configured again.\n"


async def configure_service(call: Call, marker: str, request: Mapping[str, Any]) -> None:
    """IntegrationServiceRequestBody or IntegrationServiceConfig -> the group named after the service. Raises Told."""
    if service(marker) is None:
        known = nearest(marker, [one.marker for one in SERVICES], "Registered services")
        raise messages.unknown_service(marker, call.server, known)
    if marker in call.service.runtime.configuration.groups and marker not in call.kept.services:
        raise messages.invalid("serviceURLMarker", f"a group of people's own is called {marker}", "Rename that group.")
    left = _left(call, request)
    given = request.get("integrationConnectorConfigs") or []
    if not isinstance(given, list):
        raise messages.invalid("integrationConnectorConfigs", "it is not a list", "Send a list of connectors.")
    made = [words.integration(one, marker, left, f"integrationConnectorConfigs[{i}]") for i, one in enumerate(given)]
    systems = {name: system for one in made for name, system in one.systems.items()}
    group = {"group": marker, "systems": systems, "connectors": [one.connector for one in made]}
    await _tried(edit.put_group(call.service.runtime, marker, _HEAD + edit.to_yaml(group), who=call.caller.who))
    unknown = {key: value for key, value in request.items() if key not in _REQUEST}
    _keep(call, marker, {**{key: request.get(key) for key in _REQUEST[1:3]}, "unknown": unknown}, made)


def _keep(call: Call, marker: str, envelope: Json, made: list[Integration]) -> None:
    """Keep what the group has no word for, and say in the audit log what that is."""
    was = set(call.kept.services.get(marker, {}).get("connectors", ()))
    names = [one.name for one in made]
    for gone in was - set(names):
        call.kept.connectors.pop(gone, None)
    call.kept.services[marker] = {**envelope, "connectors": names}
    for one in made:
        call.kept.connectors[one.name] = one.unknown
    _hold_still(call, names)
    call.kept.save()
    unknown = {one.name: one.unknown for one in made if any(one.unknown.values())}
    unknown |= {marker: envelope["unknown"]} if envelope["unknown"] else {}
    if unknown:
        call.service.audit(
            "unknown_keys", who=call.caller.who, after=unknown, reason="accepted and kept, without effect"
        )


def _hold_still(call: Call, names: list[str]) -> None:
    """What is configured while the server is stopped waits for its start."""
    if call.kept.stopped is not None:
        for name in set(names) - set(call.kept.stopped):
            operate.set_active(call.service.runtime, name, False, who=call.caller.who)
            call.kept.stopped = [*call.kept.stopped, name]


def _left(call: Call, request: Mapping[str, Any]) -> str | None:
    """The configured system that omagserverName names; its URL must be omagserverPlatformRootURL. Raises Told."""
    name, url = request.get("omagserverName"), request.get("omagserverPlatformRootURL")
    if name in (None, ""):
        return None
    systems = call.service.runtime.configuration.systems
    if not isinstance(name, str) or name not in systems:
        raise messages.invalid(
            "omagserverName", f"no system is called {name!r}", nearest(str(name), sorted(systems), "Configured systems")
        )
    configured = (systems[name].system.model_extra or {}).get("url")
    if isinstance(url, str) and url and isinstance(configured, str) and url.rstrip("/") != configured.rstrip("/"):
        raise messages.invalid(
            "omagserverPlatformRootURL", f"system {name} is configured as {configured}", "Send that, or leave it out."
        )
    return name


async def clear_services(call: Call, markers: list[str]) -> None:
    """Take away what was configured for these services. Raises Told."""
    for marker in markers:
        if marker not in call.kept.services:
            raise messages.unknown_service(marker, call.server, "Nothing was configured for it over REST.")
        await _tried(edit.remove_group(call.service.runtime, marker, who=call.caller.who))
        for name in call.kept.services.pop(marker).get("connectors", ()):
            call.kept.connectors.pop(name, None)
        call.kept.save()


# -- one connector -------------------------------------------------------------------------------------------------


def properties(entry: ConnectorEntry) -> Json:
    """The configuration properties of a connector: all of it that is not Egeria's envelope."""
    data: Any = entry.document.data
    for part in entry.where:
        data = data[part]
    return {key: value for key, value in data.items() if key not in ENVELOPE and value not in (None, [], {})}


async def set_properties(call: Call, entry: ConnectorEntry, given: Any, *, merge: bool) -> None:
    """Change configuration properties. None clears them, as in Egeria. Raises Told."""
    new = words.own_properties(given, "configurationProperties")
    keep = merge and given is not None

    def change(connector: Any) -> None:
        for key in list(connector):
            ours = key_of(IntegrationConnector, key) or key
            if ours not in ENVELOPE and (ours in new or not keep):
                del connector[key]
        connector.update({"entities": [], **new} if not keep else new)

    await _edit(call, entry, lambda group: change(_its(group, entry)))


async def set_address(call: Call, entry: ConnectorEntry, address: str) -> None:
    """Let the right system of this connector be elsewhere; those of other connectors stay. Raises Told."""
    loaded = call.service.runtime.configuration
    right = entry.config.right
    system = loaded.systems[right]
    shared = [
        c for c in loaded.connectors.values() if right in (c.config.left, c.config.right) and c.name != entry.name
    ]
    if not shared and system.group == entry.group.group:
        await _edit(call, entry, lambda group: group["systems"][right].update(url=address))
        return
    own = f"{entry.name}-right"
    moved = {**system.system.model_dump(), "url": address}

    def change(group: Any) -> None:
        group.setdefault("systems", {})[own] = moved
        _its(group, entry)["right"] = own

    await _edit(call, entry, change)


async def set_connection(call: Call, entry: ConnectorEntry, given: Any) -> None:
    """Replace the connection of a connector: right system, properties, and left where it is embedded. Raises Told."""
    made = words.connection(given, entry.name, entry.config.system(Side.LEFT), "connection")

    def change(group: Any) -> None:
        group.setdefault("systems", {}).update(made.systems)
        connector = _its(group, entry)
        for key in list(connector):
            if (key_of(IntegrationConnector, key) or key) in {"left", "right"} or key not in _written(ENVELOPE):
                del connector[key]
        connector.update(made.connector)

    await _edit(call, entry, change)
    call.kept.connectors.setdefault(entry.name, {})["connection"] = made.unknown.get("connection", {})
    call.kept.save()


def _written(names: frozenset[str]) -> set[str]:
    """Our keys, and Egeria's for the same."""
    return {*names, *(theirs for theirs, ours in words.CONFIG.items() if ours in names), "integrationServiceURLMarker"}


def _its(group: Any, entry: ConnectorEntry) -> Any:
    """The connector within the YAML of its group."""
    data = group
    for part in entry.where:
        data = data[part]
    return data


async def _edit(call: Call, entry: ConnectorEntry, change: Callable[[Any], None]) -> None:
    await _tried(edit.edit_group(call.service.runtime, entry.group.group, change, who=call.caller.who))


async def _tried(work: Any) -> None:
    """Raises Told with all findings, the place of the first in the words of the request."""
    try:
        await work
    except ConfigurationErrors as errors:
        raise messages.refused(errors, _place(errors.findings[0].path if errors.findings else "")) from None


def _place(path: str) -> str:
    """`connectors[0].entities[1].x` as the caller knows it."""
    head, _, rest = path.partition(".")
    first = rest.partition(".")[0].partition("[")[0]
    if not head.startswith("connectors[") or not rest:
        return path
    theirs = {ours: name for name, ours in words.CONFIG.items()}
    return theirs.get(first) or f"configurationProperties.{rest}"


async def read_again(call: Call) -> None:
    """Read all groups again. Raises Told with everything that is wrong; the last good ones stay in force then."""
    loaded = await call.service.runtime.reload()
    errors = [finding for finding in loaded.findings if finding.severity == "error"]
    if errors:
        raise messages.refused(ConfigurationErrors(errors), _place(errors[0].path))
