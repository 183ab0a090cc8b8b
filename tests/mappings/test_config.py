"""The models of a configuration: what may be written, and what it means."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from connectors.registry import config_class
from docs import generate
from mappings import config
from mappings.check import check
from mappings.config import (
    Comments,
    Direction,
    EntityRow,
    FieldRow,
    Group,
    IntegrationConnector,
    Interval,
    Name,
    PermittedSynchronization,
    Seconds,
    Side,
    Target,
    permitted,
)
from mappings.load import load

BOTH, TO, FROM = (PermittedSynchronization[name] for name in ("BOTH_DIRECTIONS", "TO_THIRD_PARTY", "FROM_THIRD_PARTY"))
LEVELS = st.sampled_from(PermittedSynchronization)


@pytest.mark.parametrize("name", ["a", "0", "jira-devops-bugs", "a" * 63, "a--b"])
def test_names(name: str) -> None:
    assert TypeAdapter(Name).validate_python(name) == name


@pytest.mark.parametrize("name", ["", "-a", "A", "a_b", "a b", "a" * 64, "ä", "a\n"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(name)


@pytest.mark.parametrize(
    ("written", "seconds"), [(5, 300), ("5", 300), (0, 0), ("30s", 30), ("1h", 3600), ("2 min", 120), (5.0, 300)]
)
def test_a_refresh_interval_is_minutes_or_has_a_unit(written: object, seconds: float) -> None:
    assert TypeAdapter(Interval).validate_python(written) == seconds


@pytest.mark.parametrize("written", ["", "often", "5x", -1, "-5s", True, 1.5, None])
def test_what_is_no_refresh_interval(written: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Interval).validate_python(written)


@pytest.mark.parametrize(("written", "seconds"), [("24h", 86400), ("7d", 604800), (90, 90), ("1.5m", 90)])
def test_durations(written: object, seconds: float) -> None:
    assert TypeAdapter(Seconds).validate_python(written) == seconds


@pytest.mark.parametrize("written", [20261101, "20261101", 1.5])
def test_a_number_is_no_date(written: object) -> None:
    with pytest.raises(ValidationError, match="2026-11-21"):
        connector(start_date=written)


def connector(**more: Any) -> IntegrationConnector:
    return IntegrationConnector.model_validate({"name": "c", "left": "l", "right": "r", "entities": []} | more)


def test_right_is_the_third_party() -> None:
    assert [TO.writes(Side.RIGHT), TO.writes(Side.LEFT)] == [True, False]
    assert [FROM.writes(Side.RIGHT), FROM.writes(Side.LEFT)] == [False, True]


@given(LEVELS, st.none() | LEVELS, st.none() | LEVELS)
def test_a_side_is_written_only_if_every_level_permits_it(
    service: PermittedSynchronization,
    own: PermittedSynchronization | None,
    targets: PermittedSynchronization | None,
) -> None:
    sides = permitted(
        connector(permitted_synchronization=own), Target(name="t", permitted_synchronization=targets), service
    )
    levels = [level for level in (service, own, targets) if level is not None]
    assert sides == {side for side in Side if all(level.writes(side) for level in levels)}
    if not any(level.widens(parent) for parent, level in pairwise(levels)):
        assert sides == {side for side in Side if levels[-1].writes(side)}, "then the narrowest word is the last"


@pytest.mark.parametrize(
    ("direction", "left", "right"),
    [("both", True, True), ("left_to_right", False, True), ("right_to_left", True, False), ("none", False, False)],
)
def test_directions(direction: str, left: bool, right: bool) -> None:
    assert Direction(direction).writes(Side.LEFT) is left
    assert Direction(direction).writes(Side.RIGHT) is right


def test_sync_on_may_differ_per_direction() -> None:
    row = FieldRow.model_validate({"left": "a", "right": "b", "sync_on": {"left_to_right": "create"}})
    assert (row.sync_to(Side.RIGHT), row.sync_to(Side.LEFT)) == ("create", "both")


def test_a_row_names_at_least_one_field() -> None:
    with pytest.raises(ValidationError, match="a left field, a right field, or both"):
        FieldRow()


@pytest.mark.parametrize(
    ("written", "meant"), [(True, Comments()), ("yes", Comments()), (False, None), ("no", None), ({}, Comments())]
)
def test_comments_may_be_just_switched_on(written: object, meant: Comments | None) -> None:
    row = {"left": "Bug", "right": "Bug", "fields": [{"left": "a", "right": "b"}], "comments": written}
    assert EntityRow.model_validate(row).comments == meant


def test_without_targets_there_is_one_nameless_pair_of_scopes() -> None:
    (target,) = connector().each_target()
    assert (target.scope(Side.LEFT), target.scope(Side.RIGHT)) == ("", "")
    named = connector(targets=[{"name": "t", "left": "A", "right": "B"}])
    assert [t.scope(Side.RIGHT) for t in named.each_target()] == ["B"]


def test_a_configuration_survives_being_written_and_read() -> None:
    row = {"left": "a", "right": "b", "if": {"left": {"c": "d"}}, "values": {"x": "y"}}
    group = Group.model_validate(
        {
            "group": "g",
            "systems": {"s": {"kind": "k", "url": "u"}},
            "connectors": [
                connector(entities=[{"left": "A", "right": "B", "fields": [row]}]).model_dump(by_alias=True)
            ],
        }
    )
    assert Group.model_validate(group.model_dump(mode="json", by_alias=True)) == group


# ---- docs -----------------------------------------------------------------------------------------------------------


def models(model: type[BaseModel], found: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """Every model that can stand somewhere in `model`."""
    if model not in found:
        found.add(model)
        for field in model.model_fields.values():
            for part in parts(field.annotation):
                models(part, found)
    return found


def parts(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in parts(argument)]


def test_every_key_is_described() -> None:
    for model in models(Group, set()):
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"


def test_every_model_is_in_the_reference() -> None:
    shown = set(generate.MODELS) | {config.System}
    missing = {model for model in models(Group, set()) if model not in shown and not model.__name__.startswith("Sides")}
    assert not missing


def test_the_tables_of_the_docs_are_in_step_with_the_code() -> None:
    """`python -m docs.generate` brings them back in step."""
    texts = {file.name: file.read_text("utf-8") for file in generate.FOLDER.glob("*.md")}
    assert {name: generate.fill(text) for name, text in texts.items()} == texts
    for block in generate.BLOCKS:
        assert any(f"<!-- begin {block} -->" in text for text in texts.values()), block


def test_the_example_of_the_docs_has_no_findings(tmp_path: Path) -> None:
    text = (generate.FOLDER / "configuration.md").read_text("utf-8")
    example = text.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "a.yaml").write_text(example)
    assert check(load(tmp_path, system_model=lambda kind, folder: config_class(kind, folder=folder))) == []
