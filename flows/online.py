"""What is wrong with a configuration that only the live systems can tell (`syncline check --online`, SPEC B17).

Rule of this file: every system is asked once, all at the same time, and what one of them answers hides nothing of the
others. Nothing is written, neither to a system nor to the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from connectors import registry
from connectors.contract import Closes, Connector, ListsScopes, SystemInfo
from connectors.errors import AuthenticationError, ConnectorError, EntityError, Unavailable
from connectors.schema import EntitySchema
from flows.secret_store import read_secret
from flows.workbooks import tables_on_disk
from mappings.check import check_schema
from mappings.config import EntityRow, Side, System, Target
from mappings.findings import ConfigurationErrors, Finding, Where, nearest, path_text
from mappings.load import ConnectorEntry, Loaded, SystemEntry, resolve_system

Asked = tuple[str, str, str]
"""A schema that was asked for: system, scope, entity type."""

_CODES: Mapping[type[ConnectorError], str] = {Unavailable: "unreachable", AuthenticationError: "wrong_credentials"}


async def check_online(loaded: Loaded, name: str | None = None) -> list[Finding]:
    """What the systems of all integration connectors (or of the one called `name`) say about the configuration.

    Wrong log-ins, hosts that do not answer, certificates, unknown projects, types, fields and values: all at once,
    each at its line. Raises nothing.
    """
    entries = [entry for entry in loaded.drafts if name in (None, entry.name)]
    systems = {system.name: system for system in _systems(loaded, entries)}
    answers = await asyncio.gather(*(_Visit(system, entries).make() for system in systems.values()))
    findings = [finding for answer in answers for finding in answer.findings]
    schemas = {key: schema for answer in answers for key, schema in answer.schemas.items()}
    for entry in entries:
        findings += _fits(entry, schemas)
    return sorted(dict.fromkeys(findings), key=lambda finding: (finding.file, finding.line))


def _systems(loaded: Loaded, entries: list[ConnectorEntry]) -> Iterator[SystemEntry]:
    """The systems that these connectors name. Those of broken files too, unless they are what is broken there."""
    for system in dict.fromkeys(entry.config.system(side) for entry in entries for side in Side):
        if system in loaded.systems:
            yield loaded.systems[system]
            continue
        for document in {id(entry.document): entry.document for entry in loaded.drafts}.values():
            where: Where = ("systems", system)
            model, data = document.models.get(where), _part(document.data, where)
            sound = not any(finding.path.startswith(path_text(where)) for finding in document.findings)
            if sound and model not in (None, System) and isinstance(data, dict):
                yield SystemEntry(system, System.model_validate(data), document.file.parent, "", model, document)


def _part(data: object, where: Where) -> object:
    for key in where:
        data = data.get(key) if isinstance(data, dict) else None
    return data


class _Visit:
    """One system: whether it lets us in, and the schemas that the connectors need of it."""

    def __init__(self, system: SystemEntry, entries: list[ConnectorEntry]) -> None:
        self.system, self.entries = system, entries
        self.findings: list[Finding] = []
        self.schemas: dict[Asked, EntitySchema] = {}

    async def make(self) -> _Visit:
        try:
            connector = registry.build(resolve_system(self.system, read_secret), folder=self.system.folder)
        except ConfigurationErrors as errors:
            self.findings += errors.findings
            return self
        except ConnectorError as error:
            self._tell(error)
            return self
        try:
            self._info(await connector.check())
            await self._ask(connector)
        except ConnectorError as error:
            self._tell(error)
        finally:
            if isinstance(connector, Closes):
                await connector.close()
        return self

    def _info(self, info: SystemInfo) -> None:
        for warning in info.warnings:
            at = self.system.document
            self.findings.append(
                at.finding(self.system.where, "system_warning", warning.rstrip("."), severity="warning")
            )

    def _tell(self, error: ConnectorError) -> None:
        code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), "unusable_system")
        finding = self.system.document.finding
        self.findings.append(finding(self.system.where, code, error.message.rstrip("."), error.remedy))

    async def _ask(self, connector: Connector) -> None:
        """Every schema once. Raises Unavailable and AuthenticationError: the next one would say the same."""
        for entry, side, target, row in self._needs():
            scope, type = target.scope(side), row.type(side)
            if (self.system.name, scope, type) in self.schemas:
                continue
            try:
                self.schemas[self.system.name, scope, type] = await connector.schema(scope, type)
            except (Unavailable, AuthenticationError):
                raise
            except ConnectorError as error:
                self.findings.append(await self._unknown(connector, entry, side, target, row, error))

    def _needs(self) -> Iterator[tuple[ConnectorEntry, Side, Target, EntityRow]]:
        for entry in self.entries:
            for side in Side:
                if entry.config.system(side) == self.system.name:
                    for target in entry.config.each_target():
                        for row in entry.config.entities:
                            yield entry, side, target, row

    async def _unknown(
        self,
        connector: Connector,
        entry: ConnectorEntry,
        side: Side,
        target: Target,
        row: EntityRow,
        error: ConnectorError,
    ) -> Finding:
        """Why there is no schema: the project, or else the entity type, with the nearest names that there are."""
        scope, type = target.scope(side), row.type(side)
        places: Mapping[str, str] = {}
        types: tuple[str, ...] = ()
        if isinstance(connector, ListsScopes) and not isinstance(error, EntityError):
            places = await connector.scopes()
            types = await connector.entity_types(scope) if scope in places else ()
        if places and scope not in places:
            where: Where = ("targets", entry.config.targets.index(target), side.value) if entry.config.targets else ()
            problem = f"{self.system.name} has no project {scope!r}" if scope else f"{self.system.name} wants a project"
            return entry.finding(where, "unknown_project", problem, nearest(scope, places, "Projects"))
        where = ("entities", entry.config.entities.index(row), side.value)
        if types and type not in types:
            problem = f"{self.system.name} has no entity type {type!r}"
            return entry.finding(where, "unknown_type", problem, nearest(type, types, "Entity types"))
        return entry.finding(where, "unusable_system", error.message.rstrip("."), error.remedy)


def _fits(entry: ConnectorEntry, schemas: Mapping[Asked, EntitySchema]) -> Iterator[Finding]:
    """The rows of a connector against the schemas of both sides, where both are known."""
    doubtful = [path_text(part) for part in entry.doubtful]
    tables = tables_on_disk(entry)
    for target in entry.config.each_target():
        for row in entry.config.entities:
            keys = {side: (entry.config.system(side), target.scope(side), row.type(side)) for side in Side}
            if not all(key in schemas for key in keys.values()):
                continue
            both = {side: schemas[key] for side, key in keys.items()}
            for finding in check_schema(entry.config, row, target, both, tables):
                if not any(finding.path.startswith(part) for part in doubtful):
                    yield entry.placed(finding)
