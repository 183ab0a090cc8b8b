"""docs/connectors.md names what the contract has, and nothing that it has not."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

from connectors import contract, errors
from connectors.conformance import Subject
from connectors.contract import Connector, Limits

PAGE = (Path(__file__).parents[2] / "docs" / "connectors.md").read_text("utf-8")


def table(heading: str) -> dict[str, str]:
    """The rows of the first table after this text: what stands in code style in the first column -> the next column."""
    rows = PAGE.partition(heading)[2].partition("\n|")[2].partition("\n\n")[0].splitlines()[2:]
    cells = [row.strip("| ").split(" | ") for row in rows]
    return {name: (row[1] if len(row) > 1 else "") for row in cells for name in re.findall(r"`(\w+)`", row[0])}


def names(of: type) -> set[str]:
    return {name for name in vars(of) if not name.startswith("_")} | {n for n in of.__annotations__ if n[0] != "_"}


def test_every_optional_protocol_is_documented_with_its_methods() -> None:
    protocols = {
        name: names(kind)
        for name, kind in inspect.getmembers(contract, inspect.isclass)
        if getattr(kind, "_is_protocol", False) and kind.__module__ == contract.__name__ and kind is not Connector
    }
    assert {
        name: set(re.findall(r"`(\w+)`", row)) for name, row in table("### Optional protocols").items()
    } == protocols


def test_every_limit_is_documented() -> None:
    assert set(table("### Limits")) == {field.name for field in dataclasses.fields(Limits)}


def test_every_error_is_documented() -> None:
    tree = {
        name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.ConnectorError)
    }
    assert tree - {"ConnectorError", "EntityError", "DirectionNotPermitted"} == set(table("### Errors"))


def test_everything_a_subject_can_be_given_is_documented() -> None:
    assert set(table("and cleans nothing up")) == {field.name for field in dataclasses.fields(Subject)}
