"""Egeria's words for an integration <-> ours (issue: "How Egeria's words carry ours").

Rule of this file: pure. Left is the system that `omagserverName` names (or the embedded connection `left`), right is
what the connection leads to. Secrets are only ever places where secrets are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from console.egeria import messages
from mappings.config import IntegrationConnector
from mappings.shape import key_of

Json = dict[str, Any]

CONFIG: Mapping[str, str] = {
    "connectorName": "name",
    "connectorUserId": "connector_user_id",
    "metadataSourceQualifiedName": "metadata_source_qualified_name",
    "refreshTimeInterval": "refresh_interval",
    "usesBlockingCalls": "uses_blocking_calls",
    "permittedSynchronization": "permitted_synchronization",
    "startDate": "start_date",
    "stopDate": "stop_date",
}
"""Keys of an IntegrationConnectorConfig -> ours."""

ENVELOPE = frozenset({*CONFIG.values(), "left", "right", "service"})
"""Keys of a connector that are not configuration properties."""

_CONNECTION = frozenset(
    {"class", "connectorType", "endpoint", "userId", "securedProperties", "configurationProperties", "displayName",
     "embeddedConnections"}
)  # fmt: skip
_PARTS = {
    "connectorType": ("class", "connectorProviderClassName"),
    "endpoint": ("class", "address", "additionalProperties"),
}
_PLAIN_SECRETS = ("clearPassword", "encryptedPassword")
_SECRET = re.compile(r"password|passphrase|token|secret|api_?key|private_?key|credential", re.IGNORECASE)
_STORES = ("env", "files")


@dataclass(frozen=True, slots=True)
class Integration:
    """One connector of a request body, in our words: the connector, its own systems, and what we have no word for."""

    connector: Json
    systems: Json
    unknown: Json = field(default_factory=dict)
    """{config: {…}, connection: {…}}"""

    @property
    def name(self) -> str:
        return str(self.connector["name"])


def integration(config: Any, service: str, left: str | None, path: str) -> Integration:
    """An IntegrationConnectorConfig in our words. `left`: the system that omagserverName names. Raises Told."""
    config = _object(config, path)
    name = config.get("connectorName")
    if not isinstance(name, str) or not name:
        raise messages.invalid(f"{path}.connectorName", "it is missing", "Name the connector: a-z, 0-9 and '-'.")
    connector = {
        ours: _moment(config[theirs]) if theirs.endswith("Date") else config[theirs]
        for theirs, ours in CONFIG.items()
        if config.get(theirs) not in (None, "")
    }
    unknown = {key: value for key, value in config.items() if key not in {*CONFIG, "class", "connection"}}
    _refuse_secrets(unknown, path)
    linked = connection(config.get("connection"), name, left, f"{path}.connection")
    made = {**connector, "service": service, **linked.connector}
    return Integration(made, linked.systems, {"config": unknown, **linked.unknown})


def connection(given: Any, name: str, left: str | None, path: str) -> Integration:
    """A Connection or VirtualConnection in our words: sides, systems and configuration properties. Raises Told."""
    given = _object(given, path)
    unknown = {key: value for key, value in given.items() if key not in _CONNECTION}
    for part, known in _PARTS.items():
        rest = {k: v for k, v in _object(given.get(part), f"{path}.{part}", empty=True).items() if k not in known}
        unknown |= {part: rest} if rest else {}
    _refuse_secrets(unknown, path)
    systems: Json = {}
    embedded = _embedded(given, path)
    store = next((_store(one, at) for word, (one, at) in embedded.items() if word not in ("left", "right")), None)
    if "left" in embedded:
        left = f"{name}-left"
        systems[left] = system(*embedded["left"], store, embedded=True)
    if left is None:
        raise messages.invalid("omagserverName", "it is missing", "Name one of the configured systems: it is left.")
    right = f"{name}-right"
    if "right" in embedded:
        systems[right] = system(*embedded["right"], store, embedded=True)
    else:
        systems[right] = system(given, path, store)
    properties = own_properties(given.get("configurationProperties"), f"{path}.configurationProperties")
    connector = {"name": name, "left": left, "right": right, "entities": [], **properties}
    return Integration(connector, systems, {"connection": unknown})


def own_properties(given: Any, path: str) -> Json:
    """Configuration properties in our spelling. Raises Told for what belongs to the envelope."""
    found: Json = {}
    for key, value in _object(given, path, empty=True).items():
        name = key_of(IntegrationConnector, key) or key
        if name in ENVELOPE:
            raise messages.invalid(f"{path}.{key}", "it is no configuration property", "Send it in the envelope.")
        found[name] = value
    return found


def system(given: Json, path: str, store: tuple[str, str] | None, *, embedded: bool = False) -> Json:
    """The system that a connection leads to. Of an embedded one, configuration properties are the system's own keys."""
    kind = _object(given.get("connectorType"), f"{path}.connectorType").get("connectorProviderClassName")
    if not isinstance(kind, str) or not kind:
        raise messages.invalid(
            f"{path}.connectorType.connectorProviderClassName", "it is missing", "Name a kind of system, or a class."
        )
    endpoint = _object(given.get("endpoint"), f"{path}.endpoint", empty=True)
    own = _object(endpoint.get("additionalProperties"), f"{path}.endpoint.additionalProperties", empty=True)
    if embedded:
        own |= _object(given.get("configurationProperties"), f"{path}.configurationProperties", empty=True)
    made: Json = {"kind": kind, **own}
    if endpoint.get("address"):
        made["url"] = endpoint["address"]
    for key in _PLAIN_SECRETS:
        if given.get(key):
            raise messages.invalid(f"{path}.{key}", "a secret stands in the request itself", _WHERE)
    credentials = {"username": given["userId"]} if given.get("userId") else {}
    secured = _object(given.get("securedProperties"), f"{path}.securedProperties", empty=True)
    for key, value in secured.items():
        credentials[key] = _place(value, f"{path}.securedProperties.{key}", store)
    return {**made, "credentials": credentials} if credentials else made


_WHERE = 'Say where it is: {"env": "NAME"}, {"file": "path"}, {"block": "name"}, or {"secret": "name-in-the-store"}.'


def _place(value: Any, path: str, store: tuple[str, str] | None) -> Json:
    """Where a secret is. One of the embedded secrets store becomes the place where that store has it."""
    if not isinstance(value, dict) or len(value) != 1 or not isinstance(next(iter(value.values())), str):
        raise messages.invalid(path, "this does not say where the secret is", _WHERE)
    if "secret" not in value:
        return value
    if store is None:
        raise messages.invalid(path, "the connection embeds no secrets store", _WHERE)
    kind, address = store
    return {"env": f"{address}{value['secret']}"} if kind == "env" else {"file": f"{address}/{value['secret']}"}


def _store(given: Json, path: str) -> tuple[str, str]:
    """An embedded secrets store: `env` (address: a prefix of the names) or `files` (address: their folder)."""
    kind = _object(given.get("connectorType"), f"{path}.connectorType").get("connectorProviderClassName")
    if kind not in _STORES:
        remedy = f"Write one of: {', '.join(_STORES)}; or left, right as its displayName."
        raise messages.invalid(f"{path}.connectorType.connectorProviderClassName", "it is no secrets store", remedy)
    address = _object(given.get("endpoint"), f"{path}.endpoint", empty=True).get("address") or ""
    return kind, str(address).rstrip("/")


def _embedded(given: Json, path: str) -> dict[str, tuple[Json, str]]:
    """displayName -> (embedded connection, its path)."""
    found: dict[str, tuple[Json, str]] = {}
    listed = given.get("embeddedConnections") or []
    for i, one in enumerate(listed if isinstance(listed, list) else []):
        at = f"{path}.embeddedConnections[{i}]"
        one = _object(one, at)
        inner = _object(one.get("embeddedConnection"), f"{at}.embeddedConnection")
        name = str(one.get("displayName") or inner.get("displayName") or "")
        if name in found:
            raise messages.invalid(f"{at}.displayName", f"there are two connections {name!r}", "Keep one of them.")
        found[name] = (inner, f"{at}.embeddedConnection")
    return found


def _moment(value: Any) -> Any:
    """A date as ISO 8601; some clients send milliseconds since 1970."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**14:
        return datetime.fromtimestamp(value / 1000, UTC).isoformat()
    return value


def _object(value: Any, path: str, *, empty: bool = False) -> Json:
    if value is None and empty:
        return {}
    if not isinstance(value, dict):
        problem = "it is missing" if value is None else "it is not a JSON object"
        raise messages.invalid(path, problem, "See docs/egeria.md for what the request holds.")
    return dict(value)


def _refuse_secrets(unknown: Any, path: str) -> None:
    """What we do not know is kept as it is: it must not be a secret."""
    for key, value in unknown.items() if isinstance(unknown, dict) else ():
        if isinstance(value, str) and value and _SECRET.search(key):
            raise messages.invalid(f"{path}.{key}", "a secret stands in the request itself", _WHERE)
        for inner in value if isinstance(value, list) else [value]:
            _refuse_secrets(inner, f"{path}.{key}")
