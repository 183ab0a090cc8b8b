"""A daemon's web side over a small world: real ledger, real engine, two systems in memory, no network, no Prefect.

Rule of this file: refreshes run in this process instead of through Prefect; everything else is as the daemon has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from connectors.memory import LIMITS, MemorySystem, define, forget
from console.app import create_app
from console.auth import Role, Tokens
from console.service import Service
from flows.engine import refresh_connector
from flows.report import RefreshOptions
from flows.runtime import Runtime
from tests.flows.world import FIELDS, NAME, World

TOKENS = {role: f"the-{role.word}-token-of-the-tests" for role in Role}


async def here(runtime: Runtime, names: Sequence[str], options: RefreshOptions, wait: bool) -> list[dict[str, Any]]:
    """Refresh in this process, with connectors of its own as a worker has them."""
    del wait
    worker = Runtime(runtime.config, runtime.configuration, runtime.ledger)
    try:
        return [(await refresh_connector(worker, name, options)).as_json() for name in names]
    finally:
        await worker.close_ends()


class Served:
    """The application over a runtime, and clients of every role."""

    def __init__(self, runtime: Runtime, **given: Any) -> None:
        self.runtime = runtime
        self.service = Service(runtime, here)
        self.app = create_app(self.service, Tokens(TOKENS), **given)

    def client(self, role: Role | None = Role.ADMINISTRATOR, **headers: str) -> httpx.AsyncClient:
        """A client that sends the token of this role; None: no token at all."""
        if role is not None:
            headers["Authorization"] = f"Bearer {TOKENS[role]}"
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9400", headers=headers, timeout=60)

    def audited(self, what: str) -> list[dict[str, Any]]:
        """The lines of the audit log that tell of this."""
        return [row for _, row in self.service.audit_log(what=what, limit=1000)]

    async def close(self) -> None:
        await self.service.close()


class Pair:
    """Two systems in memory that no configuration names yet."""

    def __init__(self, number: int) -> None:
        self.left, self.right = (MemorySystem(f"memory://{side}-of-{number}", limits=LIMITS) for side in ("l", "r"))
        for system in (self.left, self.right):
            define(system)

    def close(self) -> None:
        for system in (self.left, self.right):
            forget(system.url)


def group_of(world: World, **connector: Any) -> dict[str, Any]:
    """The group of a world, as its file has it."""
    found: dict[str, Any] = json.loads(world.path.read_text())
    found["connectors"][0] |= connector
    return found


def write(folder: Path, name: str, data: Mapping[str, Any]) -> Path:
    """Write a group as a file; JSON is YAML."""
    file = folder / f"{name}.yaml"
    file.write_text(json.dumps(data, indent=1))
    return file


__all__ = ["FIELDS", "NAME", "TOKENS", "Pair", "Served", "group_of", "here", "write"]
