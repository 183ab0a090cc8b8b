"""From a kind to the class that speaks with such systems. Rule: a kind is an entry point, or with a dot a class.

Third parties register by the entry point group `syncline.connectors`, or put a file beside their configuration and
write `kind: my_file.MyConnector`.
"""

from __future__ import annotations

import inspect
import sys
from difflib import get_close_matches
from importlib import import_module, invalidate_caches
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

import httpx

from connectors.contract import Connector, SystemConfig
from connectors.errors import ConfigurationError
from connectors.rest import Http

GROUP = "syncline.connectors"
BUILT_IN = {
    "memory": "connectors.memory:MemoryConnector",
    "redmine": "connectors.redmine:RedmineConnector",
    "roundup": "connectors.roundup:RoundupConnector",
}
"""Found also where the package is not installed; a test holds them to the entry points of pyproject.toml."""

METHODS = ("check", "schema", "changes", "read", "create", "update")
ATTRIBUTES = ("kind", "Config", "limits")


def known_kinds() -> tuple[str, ...]:
    """All kinds without a dot, sorted."""
    return tuple(sorted(_registered()))


def connector_class(kind: str, *, folder: Path | None = None) -> type[Connector]:
    """The class of this kind. `folder` is where the configuration stands: dotted kinds are looked for there first.

    Raises ConfigurationError for an unknown kind, a class that cannot be imported, or one that breaks the contract.
    """
    found = _import(kind, _place(kind), folder)
    if lacking := _lacking(found):
        raise ConfigurationError(
            f"{kind!r} is no connector: it lacks {', '.join(lacking)}",
            remedy="connectors/contract.py says what a connector has; connectors.conformance tests it.",
        )
    return cast("type[Connector]", found)


def config_class(kind: str, *, folder: Path | None = None) -> type[SystemConfig]:
    """The model of what YAML says about a system of this kind. Raises like `connector_class`."""
    return connector_class(kind, folder=folder).Config


def build(
    config: SystemConfig, *, folder: Path | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> Connector:
    """A connector for this system. Raises like `connector_class`. A `transport` stands in for the network in tests."""
    return connector_class(config.kind, folder=folder)(config, Http(config, transport=transport))


def _registered() -> dict[str, str]:
    return BUILT_IN | {point.name: point.value for point in entry_points(group=GROUP)}


def _place(kind: str) -> str:
    """`module:Class` of a kind."""
    places = _registered()
    if kind in places:
        return places[kind]
    module, dot, name = kind.rpartition(".")
    if dot and module and name:
        return f"{module}:{name}"
    near = get_close_matches(kind, places, 3) or sorted(places)
    raise ConfigurationError(
        f"There is no kind of system {kind!r}",
        remedy=f"Write one of: {', '.join(near)}; or a class of your own as file.Class.",
    )


def _import(kind: str, place: str, folder: Path | None) -> Any:
    if folder is not None and str(folder.resolve()) not in sys.path:
        sys.path.insert(0, str(folder.resolve()))
        invalidate_caches()  # the file may be younger than the last look into this folder
    module, _, name = place.partition(":")
    try:
        return getattr(import_module(module), name)
    except Exception as error:  # whatever a module of somebody else does when it is imported
        why = f"{type(error).__name__}: {error}"
        raise ConfigurationError(
            f"The class of kind {kind!r} cannot be imported ({why})",
            remedy=f"Put {module.replace('.', '/')}.py beside the configuration, with a class {name}, and mend it.",
        ) from None


def _lacking(found: Any) -> list[str]:
    """Everything of the contract that a class has not, in words."""
    if not inspect.isclass(found):
        return ["being a class"]
    lacking = [f"the attribute {name}" for name in ATTRIBUTES if not hasattr(found, name)]
    lacking += [f"the method {name}" for name in METHODS if not callable(getattr(found, name, None))]
    config = getattr(found, "Config", SystemConfig)
    if not (inspect.isclass(config) and issubclass(config, SystemConfig)):
        lacking.append("a Config that is a SystemConfig")
    return lacking
