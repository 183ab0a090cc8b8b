"""A file or folder of YAML -> the groups, systems and integration connectors that it configures.

Rule of this file: everything that is wrong is found at once, in all files, each with file, line and path. A broken file
hides nothing of the others, and nothing of a broken file is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError

from mappings.config import Group, IntegrationConnector, System
from mappings.document import Document, read
from mappings.draft import draft
from mappings.explain import explain
from mappings.findings import CODES, ConfigurationErrors, Finding, Severity, Where, file_text, nearest, path_text
from mappings.shape import key_of
from mappings.systems import SystemEntry, check_system, read_secret, resolve_system

SystemModel = Callable[[str, Path], type[BaseModel]]
"""(kind, folder of the YAML) -> model of that kind's configuration. Raises, with `message` and `remedy`, if unknown."""

_GROUP = re.compile(r"^\s*[\"']?group[\"']?\s*:", re.MULTILINE)

__all__ = [
    "ConfigurationErrors",
    "ConnectorEntry",
    "Finding",
    "GroupEntry",
    "Loaded",
    "SystemEntry",
    "load",
    "read_secret",
    "resolve_system",
]


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """An integration group and the file that it stands in."""

    config: Group
    document: Document = field(compare=False, repr=False)

    @property
    def file(self) -> Path:
        return self.document.file


@dataclass(frozen=True, slots=True)
class ConnectorEntry:
    """An integration connector, the group that defines it, and its place in the file."""

    config: IntegrationConnector
    group: Group
    where: Where
    document: Document = field(compare=False, repr=False)
    doubtful: frozenset[Where] = frozenset()
    """Parts (below the connector) that had mistakes and lack something now; empty in `Loaded.connectors`."""

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def file(self) -> Path:
        return self.document.file

    @property
    def folder(self) -> Path:
        """Relative paths of this connector start here."""
        return self.document.file.parent

    @property
    def workbook(self) -> Path | None:
        return self.folder / self.config.workbook if self.config.workbook else None

    @property
    def user_id(self) -> str:
        """The user id towards the metadata access point: its own, else the daemon's (SPEC A10)."""
        return self.config.connector_user_id or self.group.user_id

    def finding(
        self, below: Where, code: str, problem: str, remedy: str = "", *, severity: Severity = "error"
    ) -> Finding:
        """A finding at a place below this connector, such as `("entities", 0, "fields", 2, "values")`."""
        return self.document.finding((*self.where, *below), code, problem, remedy, severity=severity)

    def placed(self, finding: Finding) -> Finding:
        """A finding whose path starts at this connector (`check_schema`), with its file and line."""
        path = f"{path_text(self.where)}.{finding.path}".rstrip(".")
        return replace(finding, file=file_text(self.file), path=path, line=self.document.line_of_text(path))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration. Complete only if `ok`: of files with errors nothing is here but the findings, and `drafts`.

    `drafts`: every connector that could be read at all, those of broken files without what is wrong in them. For
    `check` alone, so that one mistake does not hide the next.
    """

    groups: Mapping[str, GroupEntry]
    systems: Mapping[str, SystemEntry]
    connectors: Mapping[str, ConnectorEntry]
    drafts: tuple[ConnectorEntry, ...]
    findings: tuple[Finding, ...]
    ignored: tuple[Path, ...]

    @property
    def ok(self) -> bool:
        return not any(finding.severity == "error" for finding in self.findings)

    def running_in(self, group: str) -> tuple[str, ...]:
        """The connectors of a group: those that it defines, then its members (SPEC A12)."""
        config = self.groups[group].config
        return tuple(dict.fromkeys((*(connector.name for connector in config.connectors), *config.members)))


def load(
    path: Path,
    *,
    system_model: SystemModel | None = None,
    kept: Path | None = None,
    instead: Mapping[Path, str | None] = MappingProxyType({}),
) -> Loaded:
    """The configuration in a file, or in the `*.yaml` and `*.yml` with a top-level `group:` of a folder (not below).

    Raises nothing: what is wrong is in `findings`. `system_model` holds each system to the model of its kind.
    `kept`: a folder with more groups. `instead`: texts to read in place of what files hold (None: as if the file were
    not there), to see what an edit would mean before it is made.
    """
    documents, ignored = _documents(_files(path, kept, instead), path, system_model, instead)
    _check_names(documents)
    findings = [finding for document in documents for finding in document.findings]
    whole = [(document, Group.model_validate(document.data)) for document in documents if not document.broken]
    if not documents:
        findings.append(_nothing(path))
    return Loaded(
        groups={group.group: GroupEntry(group, document) for document, group in whole},
        systems={name: entry for document, group in whole for name, entry in _systems(document, group)},
        connectors={
            connector.name: ConnectorEntry(connector, group, ("connectors", i), document)
            for document, group in whole
            for i, connector in enumerate(group.connectors)
        },
        drafts=tuple(entry for document in documents for entry in _drafts(document)),
        findings=tuple(sorted(findings, key=lambda finding: (finding.file, finding.line))),
        ignored=tuple(ignored),
    )


# ---- one file -------------------------------------------------------------------------------------------------------


def _files(path: Path, kept: Path | None, instead: Mapping[Path, str | None]) -> list[Path]:
    """The files to read: the one that was named, or those of the folder, those that are kept, and new ones."""
    named = [path] if path.is_file() else list(path.glob("*"))
    found = {file for file in (*named, *(kept.glob("*") if kept else ())) if file.suffix in (".yaml", ".yml")}
    found |= {path} if path.is_file() else set()
    return sorted(file for file in found | set(instead) if instead.get(file, "") is not None)


def _documents(
    found: Sequence[Path], path: Path, system_model: SystemModel | None, instead: Mapping[Path, str | None]
) -> tuple[list[Document], list[Path]]:
    """The documents that are groups (or should be), and the files of the folder that are none."""
    documents: list[Document] = []
    ignored: list[Path] = []
    for file in found:
        document = _document(file, instead.get(file), system_model, alone=file == path)
        if document is None:
            ignored.append(file)
        else:
            documents.append(document)
    return documents, ignored


def _document(file: Path, text: str | None, system_model: SystemModel | None, *, alone: bool) -> Document | None:
    """The file (or the text in its place), held to the model of a group. None: it is something else in the folder."""
    document = Document(file)
    try:
        text = file.read_text("utf-8-sig") if text is None else text
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        document.add((), "unreadable", f"the file cannot be read: {reason}")
        return document
    if not alone and not _GROUP.search(text):
        return None
    kinds = _Kinds(file.parent, system_model)
    document = read(file, text, Group, kinds.refine)
    if not isinstance(document.data, dict) or "group" not in document.data:
        if not document.findings and not alone:
            return None
        if not document.findings:
            document.add((), "not_a_group", "the file has no top-level `group:`")
        return document
    kinds.report(document)
    _validate(document)
    return document


def _validate(document: Document) -> None:
    try:
        Group.model_validate(document.data)
    except ValidationError as error:
        explain(document, error, document.data)
    systems = document.data.get("systems")
    for name, system in systems.items() if isinstance(systems, dict) else ():
        if isinstance(system, dict):
            check_system(document, name, system, _model_of(document, name))


def _model_of(document: Document, name: str) -> type[BaseModel] | None:
    model = document.models.get(("systems", name), System)
    return None if model is System else model


class _Kinds:
    """Puts the model of a system's kind in the place of the general one, while its document is read."""

    def __init__(self, folder: Path, system_model: SystemModel | None) -> None:
        self._folder = folder
        self._system_model = system_model
        self._unknown: list[tuple[Where, Exception]] = []

    def refine(self, model: type[BaseModel], texts: dict[str, str], where: Where) -> type[BaseModel]:
        kind = next((text for key, text in texts.items() if key_of(System, key) == "kind"), None)
        if model is not System or self._system_model is None or kind is None:
            return model
        try:
            return self._system_model(kind, self._folder)
        # Somebody else's file is imported here: whatever it raises is a finding about this system, no crash.
        except Exception as error:
            self._unknown.append((where, error))
            return model

    def report(self, document: Document) -> None:
        for where, error in self._unknown:
            problem = str(getattr(error, "message", "") or f"{type(error).__name__}: {error}")
            document.add((*where, "kind"), "unknown_kind", problem.rstrip("."), str(getattr(error, "remedy", "")))


def _systems(document: Document, group: Group) -> Iterator[tuple[str, SystemEntry]]:
    for name, system in group.systems.items():
        yield name, SystemEntry(name, system, document.file.parent, group.group, _model_of(document, name), document)


def _drafts(document: Document) -> Iterator[ConnectorEntry]:
    for i, data in enumerate(_list(document.data, "connectors")):
        found = draft(data)
        if found is not None:
            connector, doubtful = found
            yield ConnectorEntry(connector, Group(group="draft"), ("connectors", i), document, doubtful)


def _nothing(path: Path) -> Finding:
    problem = "no file in this folder has a top-level `group:`" if path.is_dir() else "there is no such file or folder"
    return Finding(file_text(path), 0, "", "error", "no_configuration", problem, CODES["no_configuration"])


# ---- names, over all files ------------------------------------------------------------------------------------------
# Broken files take part: an error in one of them must not make its systems and connectors unknown to the others.


def _check_names(documents: list[Document]) -> None:
    systems = [(d, name, ("systems", name), data) for d in documents for name, data in _part(d, "systems").items()]
    connectors = [(d, name, where) for d in documents for name, where in _connector_names(d)]
    groups = [
        (d, str(d.data["group"]), ("group",)) for d in documents if isinstance(d.data, dict) and "group" in d.data
    ]
    _unique(groups, "duplicate_group", "group")
    _unique(connectors, "duplicate_connector", "connector")
    _same_systems(systems)
    known = {name for _, name, _, _ in systems}
    defined = {name for _, name, _ in connectors}
    for document in documents:
        _check_references(document, known, defined)


def _part(document: Document, key: str) -> dict[str, Any]:
    part = document.data.get(key) if isinstance(document.data, dict) else None
    return part if isinstance(part, dict) else {}


def _list(data: Any, key: str) -> list[Any]:
    part = data.get(key) if isinstance(data, dict) else None
    return part if isinstance(part, list) else []


def _connector_names(document: Document) -> Iterator[tuple[str, Where]]:
    for i, connector in enumerate(_list(document.data, "connectors")):
        if isinstance(connector, dict) and isinstance(connector.get("name"), str):
            yield connector["name"], ("connectors", i, "name")


def _unique(named: Sequence[tuple[Document, str, Where]], code: str, what: str) -> None:
    first: dict[str, tuple[Document, Where]] = {}
    for document, name, where in named:
        if name not in first:
            first[name] = (document, where)
            continue
        other, there = first[name]
        place = f"{file_text(other.file)}:{other.line(there)}"
        document.add(where, code, f"the name {name!r} belongs to another {what} already, in {place}")


def _same_systems(systems: Sequence[tuple[Document, str, Where, Any]]) -> None:
    first: dict[str, tuple[Document, Where, Any]] = {}
    for document, name, where, data in systems:
        other, there, content = first.setdefault(name, (document, where, data))
        if content != data:
            place = f"{file_text(other.file)}:{other.line(there)}"
            document.add(where, "duplicate_system", f"the system {name!r} is described differently in {place}")


def _check_references(document: Document, systems: set[str], connectors: set[str]) -> None:
    for i, member in enumerate(_list(document.data, "members")):
        if isinstance(member, str) and member not in connectors:
            remedy = nearest(member, sorted(connectors), "Known connectors")
            document.add(("members", i), "unknown_member", f"no connector is called {member!r}", remedy)
    for i, connector in enumerate(_list(document.data, "connectors")):
        for side in ("left", "right"):
            system = connector.get(side) if isinstance(connector, dict) else None
            if isinstance(system, str) and system not in systems:
                remedy = nearest(system, sorted(systems), "Known systems")
                document.add(("connectors", i, side), "unknown_system", f"no system is called {system!r}", remedy)
        targets = _list(connector, "targets")
        names = [
            (document, t["name"], ("connectors", i, "targets", j, "name")) for j, t in enumerate(targets) if _named(t)
        ]
        _unique(names, "duplicate_target", "target of this connector")


def _named(data: Any) -> bool:
    return isinstance(data, dict) and isinstance(data.get("name"), str)
