"""From a kind to a connector: built in, registered, or a class of one's own beside the configuration."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from connectors import registry
from connectors.contract import SystemConfig
from connectors.errors import ConfigurationError
from connectors.redmine import RedmineConfig, RedmineConnector

COMPLETE = """
from connectors.contract import Limits, SystemConfig

class Mine:
    kind = "{module}.Mine"
    Config = SystemConfig
    limits = Limits()

    def __init__(self, config, http):
        self.config, self.http = config, http

    async def check(self): ...
    async def schema(self, scope, entity_type): ...
    async def changes(self, query): ...
    async def read(self, refs): ...
    async def create(self, scope, entity_type, fields, *, marker): ...
    async def update(self, entity, fields, *, expected): ...
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a configuration; what was imported from there is forgotten again."""
    paths, modules = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = paths
    for name in set(sys.modules) - modules:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def test_the_built_in_kinds_are_the_entry_points_of_the_package() -> None:
    project = tomllib.loads((Path(registry.__file__).parents[1] / "pyproject.toml").read_text())
    assert project["project"]["entry-points"][registry.GROUP] == registry.BUILT_IN
    assert set(registry.known_kinds()) >= set(registry.BUILT_IN)


@pytest.mark.parametrize("kind", sorted(registry.BUILT_IN))
def test_every_built_in_kind_is_a_complete_connector(kind: str) -> None:
    found = registry.connector_class(kind)
    assert found.kind == kind
    assert issubclass(registry.config_class(kind), SystemConfig)


def test_a_connector_is_built_from_its_configuration() -> None:
    config = RedmineConfig.model_validate({"url": "http://t.example", "credentials": {"api_key": "k"}})
    transport = httpx.MockTransport(lambda request: httpx.Response(200, request=request))
    assert isinstance(registry.build(config, transport=transport), RedmineConnector)


def test_a_class_beside_the_configuration_is_a_kind(folder: Path) -> None:
    (folder / "my_tracker.py").write_text(COMPLETE.format(module="my_tracker"))
    found = registry.connector_class("my_tracker.Mine", folder=folder)
    assert found.kind == "my_tracker.Mine"
    built = registry.build(SystemConfig(kind="my_tracker.Mine", url="x"), folder=folder)
    assert isinstance(built, found)


def test_a_file_that_is_written_after_the_first_look_is_found(folder: Path) -> None:
    with pytest.raises(ConfigurationError):
        registry.connector_class("late_tracker.Mine", folder=folder)
    (folder / "late_tracker.py").write_text(COMPLETE.format(module="late_tracker"))
    assert registry.connector_class("late_tracker.Mine", folder=folder)


def test_an_unknown_kind_is_answered_with_the_nearest_ones() -> None:
    with pytest.raises(ConfigurationError, match="'redmin'") as refused:
        registry.connector_class("redmin")
    assert "redmine" in refused.value.remedy
    with pytest.raises(ConfigurationError) as refused:
        registry.connector_class("zzz")
    assert all(kind in refused.value.remedy for kind in registry.known_kinds())


def test_a_class_that_breaks_the_contract_hears_everything_that_is_missing(folder: Path) -> None:
    (folder / "poor.py").write_text(
        "class Poor:\n    kind = 'poor.Poor'\n    Config = dict\n    def check(self): ...\n"
    )
    with pytest.raises(ConfigurationError) as refused:
        registry.connector_class("poor.Poor", folder=folder)
    for lacking in ("limits", "schema", "changes", "read", "create", "update", "a Config that is a SystemConfig"):
        assert lacking in refused.value.message
    assert "check" not in refused.value.message


@pytest.mark.parametrize(
    ("text", "kind", "why"),
    [
        (None, "absent.Mine", "No module named 'absent'"),
        ("class Other: ...", "lonely.Mine", "no attribute 'Mine'"),
        ("1/0", "broken.Mine", "division by zero"),
        ("def", "typo.Mine", "SyntaxError"),
        ("Mine = 3", "number.Mine", "being a class"),
    ],
)
def test_a_class_that_cannot_be_had_says_why(folder: Path, text: str | None, kind: str, why: str) -> None:
    if text is not None:
        (folder / f"{kind.partition('.')[0]}.py").write_text(text)
    with pytest.raises(ConfigurationError, match=why) as refused:
        registry.connector_class(kind, folder=folder)
    assert refused.value.remedy
