"""What makes no sense in a configuration is named before it runs: offline, and against the schemas of the systems."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.registry import config_class
from mappings.check import check
from mappings.check_rows import NOT_SUPPORTED
from mappings.findings import CODES, Finding
from mappings.load import load
from tests.mappings.written import codes, configured

EXAMPLES = Path(__file__).parents[2] / "examples"


ROW = "entities[0].fields[1]"
LOSSY = "values: {Highest: 1, High: 1, Low: 2}"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        # fine
        (f"{{left: a, right: b, {LOSSY}, back: {{1: High}}}}", []),
        (f"{{left: a, right: b, {LOSSY}, direction: left_to_right}}", []),
        ("{right: b, constant: x}", []),
        ("{right: b, default: {right: x}, direction: none}", []),
        ("{left: a, right: b, if: {left: {type: {equals: Bug}}}}", []),
        # value tables
        (f"{{left: a, right: b, {LOSSY}}}", [("error", "lossy_values", f"{ROW}.values")]),
        (f"{{left: a, right: b, {LOSSY}, direction: right_to_left}}", [("error", "lossy_values", f"{ROW}.values")]),
        (f"{{left: a, right: b, {LOSSY}, back: {{1: Low}}}}", [("error", "unknown_back", f"{ROW}.back.1")]),
        (
            f"{{left: a, right: b, {LOSSY}, back: {{1: High, 3: Low}}}}",
            [],
        ),
        (
            f"{{left: a, right: b, {LOSSY}, back: {{1: High, 3: Lov}}}}",
            [("error", "unknown_back", f"{ROW}.back.3")],
        ),
        ("{left: a, right: b, back: {1: High}}", [("error", "unknown_back", f"{ROW}.back")]),
        (
            "{left: a, right: b, values: {x: y}, values_from: {sheet: s}}",
            [("error", "two_tables", f"{ROW}.values_from"), ("error", "no_workbook", f"{ROW}.values_from")],
        ),
        # sources and defaults
        ("{left: a, right: b, constant: x}", [("error", "source_and_constant", f"{ROW}.constant")]),
        ("{right: b, constant: x, template: y}", [("error", "source_and_constant", f"{ROW}.constant")]),
        ("{right: b}", [("error", "no_default", ROW)]),
        ("{left: a, right: b, direction: none}", [("error", "no_default", f"{ROW}.direction")]),
        ("{left: a, right: b, on_unmapped: default}", [("error", "no_default", f"{ROW}.on_unmapped")]),
        (
            "{left: a, right: b, direction: left_to_right, default: {left: x}}",
            [("warning", "idle_default", f"{ROW}.default.left")],
        ),
        # rows among each other
        ("{left: title, right: subject}", [("error", "duplicate_field_row", ROW)]),
        ("{left: a, right: subject, direction: left_to_right}", [("error", "two_writers", ROW)]),
        ("{left: a, right: subject, direction: right_to_left}", []),
        # conditions
        (
            "{left: a, right: b, if: {left: {c: {contain: x}}}}",
            [("error", "unknown_operator", f"{ROW}.if.left.c.contain")],
        ),
        (
            "{left: a, right: b, if: {right: {c: {less_than: now - 1d}}}}",
            [("error", "bad_operand", f"{ROW}.if.right")],
        ),
    ],
)
def test_field_rows(tmp_path: Path, row: str, expected: list[tuple[str, str, str]]) -> None:
    assert codes(check(configured(tmp_path, rows=f"          - {row}"))) == expected


def test_rows_that_never_write_at_the_same_moment_or_entity_do_not_clash(tmp_path: Path) -> None:
    rows = """\
          - {right: b, constant: x, sync_on: create}
          - {left: b, right: b, sync_on: update}
          - {left: c, right: c, if: {left: {kind: x}}, direction: left_to_right}
          - {left: d, right: c, if: {left: {kind: y}}, direction: left_to_right}"""
    assert check(configured(tmp_path, rows=rows)) == []


def test_the_remedy_for_a_lossy_table_names_the_values(tmp_path: Path) -> None:
    (finding,) = check(configured(tmp_path, rows=f"          - {{left: a, right: b, {LOSSY}}}"))
    assert "back: {1: Highest|High}" in finding.remedy
    assert finding.line == 17


def test_a_table_that_never_flows_back_may_lose(tmp_path: Path) -> None:
    connector = "    permitted_synchronization: TO_THIRD_PARTY"
    assert check(configured(tmp_path, rows=f"          - {{left: a, right: b, {LOSSY}}}", connector=connector)) == []


def test_a_row_against_the_permitted_direction_is_never_written(tmp_path: Path) -> None:
    row = "          - {left: a, right: b, direction: right_to_left}"
    connector = "    permitted_synchronization: TO_THIRD_PARTY"
    assert codes(check(configured(tmp_path, rows=row, connector=connector))) == [
        ("warning", "direction_clash", f"{ROW}.direction")
    ]


@pytest.mark.parametrize("key", NOT_SUPPORTED)
def test_what_is_published_and_not_built_yet_is_refused(tmp_path: Path, key: str) -> None:
    value = {"attachments": "true", "links": "{a: b}"}.get(key, "{left: x}")
    assert codes(check(configured(tmp_path, entity=f"        {key}: {value}"))) == [
        ("error", "not_supported", f"entities[0].{key}")
    ]


@pytest.mark.parametrize(
    ("entity", "expected"),
    [
        ("look_up: {left: a}", ("error", "look_up_without_fields", "entities[0].look_up")),
        (
            "criteria: {left: {if: {a: {at_least: b}}}}",
            ("error", "bad_operand", "entities[0].criteria.left.if.a.at_least"),
        ),
        ("criteria: {right: {if: {any: x}}}", ("error", "bad_condition", "entities[0].criteria.right.if.any")),
    ],
)
def test_entity_rows(tmp_path: Path, entity: str, expected: tuple[str, str, str]) -> None:
    assert codes(check(configured(tmp_path, entity=f"        {entity}"))) == [expected]


def test_criteria_may_speak_of_now(tmp_path: Path) -> None:
    entity = "        criteria: {left: {if: {due: {less_than: now + 7d}}}}"
    assert check(configured(tmp_path, entity=entity)) == []


def test_a_row_behind_one_that_takes_everything_never_matches(tmp_path: Path) -> None:
    text = "          - {left: a, right: b}\n      - {left: Bug, right: Task, fields: [{left: a, right: b}]}"
    assert codes(check(configured(tmp_path, rows=text))) == [("error", "never_matches", "entities[1]")]
    criteria = "        criteria: {left: {if: {a: b}}}"
    assert check(configured(tmp_path, rows=text, entity=criteria)) == []


@pytest.mark.parametrize(
    ("connector", "expected"),
    [
        ("service: work-item-integrators", ("error", "unknown_service", "service")),
        (
            "service: scm-integrator\n    permitted_synchronization: BOTH_DIRECTIONS",
            ("error", "widens", "permitted_synchronization"),
        ),
        (
            "permitted_synchronization: TO_THIRD_PARTY\n"
            "    targets: [{name: a, permitted_synchronization: BOTH_DIRECTIONS}]",
            ("error", "widens", "targets[0].permitted_synchronization"),
        ),
        ("start_date: 2026-12-01\n    stop_date: 2026-11-01", ("error", "never_runs", "stop_date")),
        ("refresh_interval: 0.5s", ("error", "bad_value", "refresh_interval")),
        ("deletes: {policy: mark, mark: {left: {a: b}}}", ("error", "mark_without_fields", "deletes.mark")),
        (
            "targets: [{name: a, deletes: {policy: mark}}]",
            ("error", "mark_without_fields", "targets[0].deletes.mark"),
        ),
    ],
)
def test_connectors(tmp_path: Path, connector: str, expected: tuple[str, str, str]) -> None:
    assert codes(check(configured(tmp_path, connector=f"    {connector}"))) == [expected]


def test_narrowing_is_permitted_at_every_level(tmp_path: Path) -> None:
    connector = """\
    permitted_synchronization: BOTH_DIRECTIONS
    targets: [{name: a, permitted_synchronization: TO_THIRD_PARTY}, {name: b}]"""
    assert check(configured(tmp_path, connector=connector)) == []


def test_a_place_is_not_synchronised_with_itself(tmp_path: Path) -> None:
    again = '  again: {kind: memory, url: "memory://DESK/"}'
    text = configured(tmp_path, group=again).drafts[0].file.read_text().replace("right: plan", "right: again")
    (tmp_path / "a.yaml").write_text(text)
    assert codes(check(load(tmp_path))) == [("error", "same_system", "right")]
    two_projects = text.replace("    entities:", "    targets: [{name: x, left: A, right: B}]\n    entities:")
    (tmp_path / "a.yaml").write_text(two_projects)
    assert check(load(tmp_path)) == []


def test_a_mistake_in_a_file_does_not_hide_what_else_makes_no_sense(tmp_path: Path) -> None:
    rows = f"""\
          - {{left: a, right: b, {LOSSY}}}
          - {{left: c, right: d, {LOSSY}, direction: left_to_rigth}}"""
    configuration = configured(tmp_path, rows=rows, connector="    nonsense: 1", group="grup: x")
    assert [(finding.code, finding.line) for finding in check(configuration)] == [
        ("unknown_key", 5),
        ("unknown_key", 10),
        ("lossy_values", 17),
        ("unknown_word", 18),
    ], "of a row with a mistake nothing more is said: its direction is not known"


def test_one_connector_can_be_checked_by_name(tmp_path: Path) -> None:
    configuration = configured(tmp_path, connector="    service: x")
    assert [finding.code for finding in check(configuration, "desk-plan")] == ["unknown_service"]
    (finding,) = check(configuration, "desk-plam")
    assert (finding.code, "desk-plan" in finding.remedy) == ("unknown_connector", True)


def test_a_finding_is_json_with_the_published_keys(tmp_path: Path) -> None:
    (finding,) = check(configured(tmp_path, connector="    service: x"))
    assert list(finding.as_json()) == ["file", "line", "path", "severity", "code", "problem", "remedy"]
    assert str(finding).startswith(f"{finding.file}:10: error: connectors[0].service: ")


def test_a_code_that_is_not_published_cannot_be_used() -> None:
    with pytest.raises(ValueError, match="no code"):
        Finding("", 0, "", "error", "made_up", "x", "y")
    assert all(remedy.endswith(".") for remedy in CODES.values())


def test_the_examples_have_no_findings() -> None:
    configuration = load(EXAMPLES, system_model=lambda kind, folder: config_class(kind, folder=folder))
    assert configuration.connectors
    assert check(configuration) == []


def test_every_published_code_is_used() -> None:
    rooms = [EXAMPLES.parent / room for room in ("mappings", "flows")]
    files = [file for room in rooms for file in room.glob("*.py") if file.name != "findings.py"]
    code = "\n".join(file.read_text("utf-8") for file in files)
    assert [word for word in CODES if f'"{word}"' not in code] == []
