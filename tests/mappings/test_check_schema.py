"""What of a mapping does not fit the two systems as they are today."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.entity import Choice
from connectors.schema import EntitySchema, FieldSchema, FieldType
from mappings.check import check_schema
from mappings.config import Side
from mappings.findings import Finding
from mappings.load import Loaded
from tests.mappings.written import codes, configured

ROW = "entities[0].fields[1]"

TEXT, NUMBER, CHOICE, USER, LINK = FieldType.TEXT, FieldType.NUMBER, FieldType.CHOICE, FieldType.USER, FieldType.LINK
DATE = FieldType.DATE


def choices(*names: str) -> tuple[Choice, ...]:
    return tuple(Choice(name) for name in names)


LEFT = EntitySchema.of(
    "Bug",
    FieldSchema("title", TEXT, label="Summary"),
    FieldSchema("priority", CHOICE, choices=choices("High", "Low")),
    FieldSchema("labels", CHOICE, multiple=True),
    FieldSchema("owner", USER),
    FieldSchema("parent", LINK),
    FieldSchema("made", DATE, on_create=False, on_update=False),
    FieldSchema("points", NUMBER),
)
RIGHT = EntitySchema.of(
    "Task",
    FieldSchema("subject", TEXT, required=True),
    FieldSchema("prio", CHOICE, choices=choices("1", "2")),
    FieldSchema("tag", TEXT),
    FieldSchema("due", DATE),
    FieldSchema("number", NUMBER, on_create=False, on_update=False),
    FieldSchema("parent", LINK),
)


def against_schemas(configuration: Loaded, right: EntitySchema = RIGHT) -> list[Finding]:
    entry = configuration.drafts[0]
    row, target = entry.config.entities[0], entry.config.each_target()[0]
    findings = check_schema(entry.config, row, target, {Side.LEFT: LEFT, Side.RIGHT: right})
    return [entry.placed(finding) for finding in findings]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("{left: priority, right: prio, values: {High: 1, Low: 2}}", []),
        ("{left: points, right: tag}", []),
        ("{left: made, right: due, direction: left_to_right}", []),
        ("{left: titel, right: tag}", [("error", "unknown_field", f"{ROW}.left")]),
        (
            "{left: a, right: b}",
            [("error", "unknown_field", f"{ROW}.left"), ("error", "unknown_field", f"{ROW}.right")],
        ),
        (
            "{left: points, right: tag, if: {left: {colour: red}}}",
            [("error", "unknown_field", f"{ROW}.if.left")],
        ),
        # types
        (
            "{left: points, right: due}",
            [("error", "unconvertible", f"{ROW}.left"), ("error", "unconvertible", f"{ROW}.right")],
        ),
        ("{left: points, right: due, direction: left_to_right}", [("error", "unconvertible", f"{ROW}.right")]),
        ("{left: owner, right: prio, values: {jane: 1}, direction: left_to_right}", []),
        ("{left: parent, right: parent, direction: left_to_right}", [("error", "unconvertible", f"{ROW}.right")]),
        (
            "{left: labels, right: tag, direction: left_to_right}",
            [("warning", "too_many_values", f"{ROW}.right")],
        ),
        # what cannot be written
        ("{left: points, right: number, direction: left_to_right}", [("error", "read_only", f"{ROW}.right")]),
        ("{left: points, right: number}", [("warning", "read_only", f"{ROW}.right")]),
        # values
        (
            "{left: priority, right: prio, values: {High: 1, Low: 3}}",
            [
                ("warning", "unknown_value", f"{ROW}.values"),
                ("warning", "unmapped_value", f"{ROW}.right"),
            ],
        ),
        (
            "{left: priority, right: prio, values: {High: 1, Law: 2}, direction: left_to_right}",
            [
                ("warning", "unknown_value", f"{ROW}.values.Law"),
                ("warning", "unmapped_value", f"{ROW}.left"),
            ],
        ),
        # tables whose texts meet as numbers
        (
            "{left: points, right: tag, values: {1: a, 1.0: b}}",
            [("error", "ambiguous_values", f"{ROW}.values")],
        ),
        (
            "{left: owner, right: number, values: {a: 1, b: 1.0}, direction: right_to_left}",
            [("error", "lossy_values", f"{ROW}.values")],
        ),
        ("{right: prio, constant: 3}", [("warning", "unknown_value", f"{ROW}.constant")]),
        (
            "{left: title, right: prio, default: {right: 3}, direction: left_to_right}",
            [("warning", "unknown_value", f"{ROW}.default.right")],
        ),
        (
            "{left: priority, right: prio, direction: left_to_right}",
            [("warning", "unmapped_value", f"{ROW}.left")],
        ),
        ("{left: priority, right: prio, direction: left_to_right, on_unmapped: keep}", []),
        # overwrite
        ("{left: points, right: tag, overwrite: true}", [("warning", "overwrites_edits", f"{ROW}.overwrite")]),
        ("{left: points, right: tag, overwrite: true, direction: left_to_right}", []),
    ],
)
def test_rows_against_schemas(tmp_path: Path, row: str, expected: list[tuple[str, str, str]]) -> None:
    assert codes(against_schemas(configured(tmp_path, rows=f"          - {row}"))) == expected


def test_a_finding_against_schemas_has_the_line_of_its_row(tmp_path: Path) -> None:
    (finding,) = against_schemas(configured(tmp_path, rows="          - {left: titel, right: tag}"))
    assert (Path(finding.file).name, finding.line) == ("a.yaml", 17)
    assert finding.remedy == "Did you mean title?"


def test_a_field_called_by_what_people_see_is_recognised(tmp_path: Path) -> None:
    (finding,) = against_schemas(configured(tmp_path, rows="          - {left: Summary, right: tag}"))
    assert finding.remedy == "Did you mean title?"


def test_a_required_field_that_nothing_feeds_is_named(tmp_path: Path) -> None:
    demanding = EntitySchema.of("Task", *RIGHT.fields.values(), FieldSchema("area", TEXT, required=True))
    assert codes(against_schemas(configured(tmp_path), demanding)) == [
        ("warning", "unfed_required", "entities[0].fields")
    ]
    fed = configured(tmp_path, rows="          - {right: area, constant: x, sync_on: create}")
    assert against_schemas(fed, demanding) == []
    late = configured(tmp_path, rows="          - {right: area, constant: x, sync_on: update}")
    assert codes(against_schemas(late, demanding)) == [("warning", "unfed_required", "entities[0].fields")]
    owned = configured(tmp_path, connector="    permitted_synchronization: FROM_THIRD_PARTY")
    assert against_schemas(owned, demanding) == [], "nothing is created on the side that is only read"


def test_criteria_and_look_up_name_fields_that_exist(tmp_path: Path) -> None:
    entity = """\
        criteria: {left: {if: {any: [{colour: red}, {title: x}]}}}
        look_up: {left: title, right: subjct}"""
    assert codes(against_schemas(configured(tmp_path, entity=entity))) == [
        ("error", "unknown_field", "entities[0].criteria.left.if"),
        ("error", "unknown_field", "entities[0].look_up.right"),
    ]


def test_what_is_only_read_need_not_be_writable(tmp_path: Path) -> None:
    configuration = configured(
        tmp_path,
        rows="          - {left: points, right: number}",
        connector="    permitted_synchronization: FROM_THIRD_PARTY",
    )
    assert against_schemas(configuration) == []
