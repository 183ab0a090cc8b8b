"""What an operator says about integration connectors: which run, activate, deactivate (SPEC A17).

Rule of this file: the operator's word comes before `active:` of the configuration, is kept in the ledger and audited.
A running daemon reads it there and pauses or resumes the schedule; nobody has to tell it.
"""

from __future__ import annotations

from connectors.errors import ConfigurationError
from flows.runtime import Runtime
from ledger.model import AuditEntry
from mappings.findings import nearest


def require(runtime: Runtime, name: str) -> None:
    """Raises ConfigurationError, with the nearest names, if the configuration has no connector of this name.

    With a broken configuration nobody can know: what the ledger has under the name is shown then.
    """
    known = runtime.configuration.connectors
    if runtime.configuration.ok and name not in known:
        raise ConfigurationError(
            f"There is no integration connector {name!r}", remedy=nearest(name, sorted(known), "Known connectors")
        )


def is_active(runtime: Runtime, name: str) -> bool:
    """Whether the connector runs: the operator's word, else the configuration's."""
    state = runtime.ledger.states().get(name)
    told = state.active if state is not None else None
    return runtime.configuration.connectors[name].config.active if told is None else told


def require_active(runtime: Runtime, name: str) -> None:
    """Raises ConfigurationError for a connector that is unknown or deactivated."""
    require(runtime, name)
    if name in runtime.configuration.connectors and not is_active(runtime, name):
        raise ConfigurationError(
            f"Integration connector {name} is not active",
            remedy=f"`syncline activate {name}`, or refresh it once in this process with --local.",
        )


def active_names(runtime: Runtime) -> list[str]:
    """All connectors that run, in the order of the configuration."""
    return [name for name in runtime.configuration.connectors if is_active(runtime, name)]


def set_active(runtime: Runtime, name: str, active: bool, *, who: str) -> bool:
    """Activate or deactivate a connector; answers whether that changed anything."""
    require(runtime, name)
    before = is_active(runtime, name) if name in runtime.configuration.connectors else None
    with runtime.ledger.begin() as tx:
        tx.set_active(name, active)
        if before is not active:
            word = "activate" if active else "deactivate"
            tx.audit([AuditEntry.now(word, name, who=who, before={"active": before}, after={"active": active})])
    return before is not active
