"""What a process needs to refresh: the configuration, the ledger, and the connectors built from them.

Rule of this file: one process has one runtime for a configuration and a ledger. Connectors are built when they are
first needed, one pair for each integration connector, and keep their connections and caches between refreshes.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from connectors import registry
from connectors.contract import Closes, Connector, SystemConfig
from connectors.errors import ConfigurationError
from flows.calls import count_calls
from flows.secret_store import read_secret
from ledger.store import Ledger
from mappings.check import check
from mappings.config import Side
from mappings.load import ConfigurationErrors, ConnectorEntry, Finding, Loaded, SystemEntry, load, resolve_system

CONFIG = "SYNCLINE_CONFIG"
LEDGER = "SYNCLINE_LEDGER"


def config_model(kind: str, folder: Path) -> type[SystemConfig]:
    """The model of a kind's configuration, for `load`. Raises ConfigurationError for an unknown kind."""
    return registry.config_class(kind, folder=folder)


def load_configuration(path: Path, instead: Mapping[Path, str | None] = MappingProxyType({})) -> Loaded:
    """The configuration with everything that is wrong with it; raises nothing. `instead`: see `load`."""
    return load(path, system_model=config_model, kept=kept_groups(path), instead=instead)


def errors_of(loaded: Loaded, config: Path) -> list[Finding]:
    """What keeps a configuration from being in force. An empty folder is no error: REST can fill it."""
    errors = [finding for finding in loaded.findings if finding.severity == "error"]
    return [] if config.is_dir() and all(error.code == "no_configuration" for error in errors) else errors


Stamp = tuple[tuple[str, int, int, int], ...]
"""What tells one state of the files from the next: name, inode, size and time of change of each."""


def _stamp(config: Path) -> Stamp:
    files = [config] if config.is_file() else [*config.glob("*.yaml"), *config.glob("*.yml")]
    found = []
    for file in sorted({*files, *kept_groups(config).glob("*.y*ml")}):
        try:
            stat = file.stat()
        except OSError:  # taken away just now
            continue
        found.append((str(file), stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def kept_groups(config: Path) -> Path:
    """Where groups that were configured over REST are kept if the configuration is one file, not a folder."""
    return _state(config) / "groups"


def default_ledger(config: Path) -> str:
    """`sqlite:///<config folder>/.syncline/ledger.db` (INTERFACE.md)."""
    return f"sqlite:///{_state(config) / 'ledger.db'}"


def _state(config: Path) -> Path:
    return (config if config.is_dir() else config.parent).resolve() / ".syncline"


@dataclass(frozen=True, slots=True)
class SystemEnd:
    """A system as one integration connector uses it."""

    name: str
    config: SystemConfig
    connector: Connector
    entry: SystemEntry
    """What it was built from: an edit of the configuration builds another one."""


@dataclass(slots=True)
class Runtime:
    """Configuration, ledger and connectors of one process. Use as an async context manager."""

    config: Path
    configuration: Loaded
    ledger: Ledger
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when the process is to end: refreshes finish their current entities and stop."""
    broken: tuple[Finding, ...] = ()
    """What is wrong with the files as they stand, where an edit of them is not in force for that reason."""
    _stamp: Stamp | None = None
    _ends: dict[tuple[str, Side], SystemEnd] = field(default_factory=dict)
    _replaced: list[SystemEnd] = field(default_factory=list)
    """Built from an earlier configuration; closed at the end, for a refresh may still be using them."""

    @classmethod
    def open(cls, config: Path, ledger_url: str | None = None) -> Runtime:
        """Read the configuration and open the ledger. What is wrong with the configuration is in its findings."""
        ledger = Ledger.open(ledger_url or os.environ.get(LEDGER) or default_ledger(config))
        stamp = _stamp(config)
        return cls(config, load_configuration(config), ledger, _stamp=stamp)

    async def __aenter__(self) -> Runtime:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self.close_ends()
        self.ledger.close()

    async def close_ends(self) -> None:
        """Close the connectors, not the ledger. On the event loop that used them."""
        ends, self._ends, self._replaced = [*self._ends.values(), *self._replaced], {}, []
        for end in ends:
            if isinstance(end.connector, Closes):
                await end.connector.close()

    async def reload(self) -> Loaded:
        """Read the configuration again. With errors, the last good one stays in force; the answer tells them.

        Any thread may do this while refreshes run: they go on with what they began with.
        """
        self._stamp = _stamp(self.config)
        loaded = await asyncio.to_thread(load_configuration, self.config)
        self.broken = tuple(errors_of(loaded, self.config))
        if not self.broken:
            self.configuration = loaded
        return loaded

    async def look_again(self) -> bool:
        """Read the configuration again if its files have changed since it was read; answers whether they had.

        `broken` then says what is wrong, if anything is: the last good configuration stays in force.
        """
        if _stamp(self.config) == self._stamp:
            return False
        await self.reload()
        return True

    def entry(self, name: str) -> ConnectorEntry:
        """The integration connector of this name, ready to run. Raises ConfigurationError with all that is wrong."""
        errors = [f for f in check(self.configuration, name) if f.severity == "error"]
        if errors:
            told = "\n".join(f"{f.file}:{f.line}: {f.path}: {f.problem}. {f.remedy}" for f in errors).rstrip(".")
            raise ConfigurationError(f"The configuration has errors:\n{told}", remedy="Mend them; `syncline check`.")
        if name not in self.configuration.connectors:
            known = ", ".join(sorted(self.configuration.connectors)) or "none"
            raise ConfigurationError(f"There is no integration connector {name!r}", remedy=f"Known: {known}.")
        return self.configuration.connectors[name]

    def end(self, entry: ConnectorEntry, side: Side) -> SystemEnd:
        """The system on one side of an integration connector. Raises ConfigurationError with all that is wrong."""
        key, name = (entry.name, side), entry.config.system(side)
        system, there = self.configuration.systems.get(name), self._ends.get(key)
        if there is not None and (system is None or system == there.entry):
            return there
        if system is None:
            raise ConfigurationError(f"System {name} has been removed from the configuration", system=name)
        try:
            config = resolve_system(system, read_secret)
        except ConfigurationErrors as errors:
            told = "; ".join(f"{f.path}: {f.problem}. {f.remedy}" for f in errors.findings)
            raise ConfigurationError(f"System {name}: {told}", system=name) from None
        connector = count_calls(registry.build(config, folder=system.folder))
        self._ends[key] = SystemEnd(name, config, connector, system)
        self._replaced += [there] if there else []
        return self._ends[key]


_shared: dict[tuple[str, str | None], Runtime] = {}
_lock = threading.Lock()


def shared(config: Path | None = None, ledger_url: str | None = None) -> Runtime:
    """The runtime of this process; opened at first use, from SYNCLINE_CONFIG and SYNCLINE_LEDGER by default."""
    path = Path(config or os.environ.get(CONFIG) or ".").resolve()
    url = ledger_url or os.environ.get(LEDGER)
    with _lock:
        key = (str(path), url)
        if key not in _shared:
            _shared[key] = Runtime.open(path, url)
        return _shared[key]


async def close_shared() -> None:
    """Close every shared runtime; the process ends, or a test does."""
    with _lock:
        runtimes, keys = list(_shared.values()), list(_shared)
        for key in keys:
            del _shared[key]
    for runtime in runtimes:
        await runtime.close()


def environment(config: Path, ledger_url: str | None) -> Mapping[str, str]:
    """What a child process needs to open the same runtime."""
    return {CONFIG: str(config.resolve()), **({LEDGER: ledger_url} if ledger_url else {})}
