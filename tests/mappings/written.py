"""A configuration in a few lines, for the tests of loading: two kinds of system that have no connector."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from connectors.contract import ApiKey, Basic, SystemConfig
from mappings.findings import Finding
from mappings.load import Loaded, load


class TrackerConfig(SystemConfig):
    kind: Literal["tracker"] = "tracker"
    credentials: ApiKey | Basic
    dialect: Literal["plain", "html"] = "plain"


class ShelfConfig(SystemConfig):
    kind: str = "shelf"
    path: Path = Path()
    columns: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    token: SecretStr | None = None


class UnknownKind(Exception):
    message = "there is no kind of system of that name"
    remedy = "Did you mean tracker?"


def system_model(kind: str, folder: Path) -> type[BaseModel]:
    assert folder.is_dir()
    models: dict[str, type[BaseModel]] = {"tracker": TrackerConfig, "shelf": ShelfConfig}
    if kind not in models:
        raise UnknownKind
    return models[kind]


GROUP = """\
group: delivery
systems:
  desk: {kind: shelf, url: "https://desk.example"}
  plan: {kind: shelf, url: "https://plan.example"}
connectors:
  - name: desk-plan
    left: desk
    right: plan
    entities:
      - left: Bug
        right: Bug
        fields:
          - {left: title, right: subject}
"""


def loaded(folder: Path, text: str, **others: str) -> Loaded:
    """The configuration in `text`, and in other files of the folder."""
    for name, content in {"a": text, **others}.items():
        (folder / f"{name}.yaml").write_text(content, "utf-8")
    return load(folder, system_model=system_model)


def found(configuration: Loaded) -> list[tuple[int, str, str]]:
    return [(finding.line, finding.path, finding.code) for finding in configuration.findings]


def the_finding(configuration: Loaded) -> Finding:
    (finding,) = configuration.findings
    return finding


def configured(folder: Path, *, rows: str = "", entity: str = "", connector: str = "", group: str = "") -> Loaded:
    """A configuration with one connector and these field rows, and more keys for its parts."""
    text = f"""\
group: delivery
systems:
  desk: {{kind: memory, url: "memory://desk"}}
  plan: {{kind: memory, url: "memory://plan"}}
{group}
connectors:
  - name: desk-plan
    left: desk
    right: plan
{connector}
    entities:
      - left: Bug
        right: Task
{entity}
        fields:
          - {{left: title, right: subject}}
{rows}
"""
    (folder / "a.yaml").write_text(text)
    return load(folder)


def codes(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.severity, finding.code, finding.path.removeprefix("connectors[0].")) for finding in findings]
