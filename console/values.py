"""Value tables over the web: what both the REST API and the pages need of `flows.upload`.

Rule of this file: a workbook that was looked at, but not yet put into force, is kept here for a while and nowhere else.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.errors import NotFound
from console.service import Json, Service
from flows import upload
from flows.live_values import mapped_rows
from flows.upload import UploadResult

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST = 4
"""Workbooks that wait for a confirmation at the same time; the oldest gives way."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A workbook that somebody brought, and what came of checking it."""

    connector: str
    filename: str
    content: bytes
    result: UploadResult


class Waiting:
    """Workbooks that wait for a confirmation, by an id that only their page knows."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Brought] = OrderedDict()

    def keep(self, brought: Brought) -> str:
        id = secrets.token_urlsafe(16)
        self._kept[id] = brought
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return id

    def find(self, id: str, connector: str) -> Brought:
        """Raises NotFound for one that has given way to others."""
        found = self._kept.get(id)
        if found is None or found.connector != connector:
            raise NotFound("This workbook is no longer at hand", remedy="Bring it again.")
        return found

    def drop(self, id: str) -> None:
        self._kept.pop(id, None)


def has_tables(service: Service, name: str) -> bool:
    """Whether this connector takes values from a workbook. Raises NotFound."""
    return any(True for _ in mapped_rows(service.entry(name)))


def versions(service: Service, name: str) -> list[Json]:
    """Every version, oldest first: `{version, at, who, origin, file, hash, copy_of, in_force}`. Raises NotFound."""
    service.entry(name)
    found = upload.versions(service.own, name)
    return [upload.version_json(one, found[-1].version) for one in found]


def show(service: Service, name: str, version: int | None) -> Json:
    """One version with its tables, or the one in force. Raises NotFound and ConfigurationError."""
    service.entry(name)
    found = upload.version_of(service.own, name, version)
    in_force = upload.version_of(service.own, name)
    return {**upload.version_json(found, in_force.version), "tables": found.tables}


def diff(service: Service, name: str, before: int, after: int | None) -> list[Json]:
    """What changed between two versions. Raises NotFound and ConfigurationError."""
    service.entry(name)
    return upload.diff(service.own, name, before, after)


async def template(service: Service, name: str) -> bytes:
    """A workbook to fill in, with the live values of both systems. Raises what the systems raise."""
    service.entry(name)
    return await upload.template(service.own, name)


async def export(service: Service, name: str, version: int | None) -> bytes:
    """A version as a workbook."""
    service.entry(name)
    return await asyncio.to_thread(upload.export, service.own, name, version)


async def check(service: Service, name: str, content: bytes, filename: str) -> UploadResult:
    """What an upload would say and change; nothing is stored."""
    service.entry(name)
    return await upload.check_workbook(service.own, name, content, filename)


async def store(
    service: Service, name: str, content: bytes, filename: str, *, who: str, confirm_warnings: bool
) -> UploadResult:
    """Check a workbook and put it into force; `version` is None where it was refused."""
    service.entry(name)
    return await upload.upload(service.own, name, content, filename, who=who, confirm_warnings=confirm_warnings)


async def marked_up(content: bytes, filename: str, findings: Sequence[Any]) -> bytes:
    """A copy of the workbook with its findings in it."""
    return await upload.marked_up(content, filename, findings)


def rollback(service: Service, name: str, version: int, *, who: str) -> Json:
    """An earlier version in force again, as a new one. Raises NotFound and ConfigurationError."""
    service.entry(name)
    made = upload.rollback(service.own, name, version, who=who)
    return upload.version_json(made, made.version)
