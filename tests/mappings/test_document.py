"""YAML never decides what a text means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mappings.config import Direction
from tests.mappings.written import GROUP, loaded

TRAPS = [
    "No",
    "no",
    "on",
    "off",
    "y",
    "01",
    "007",
    "1.0",
    "1.10",
    "1e3",
    "0x1F",
    "12:30",
    "1_000",
    "null",
    "~",
    "true",
    "True",
    "2026-11-21",
    "=",
    "0o7",
    ".5",
]


@pytest.mark.parametrize("written", TRAPS)
def test_value_tables_are_the_text_as_written(tmp_path: Path, written: str) -> None:
    row = f"subject, values: {{{written}: {written}}}, back: {{{written}: {written}}}}}"
    configuration = loaded(tmp_path, GROUP.replace("subject}", row))
    field = configuration.connectors["desk-plan"].config.entities[0].fields[0]
    assert field.values == field.back == {written: written}


def test_an_empty_value_of_a_table_is_the_empty_text(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, GROUP.replace("subject}", "subject, values: {High: , '': none}}"))
    assert configuration.connectors["desk-plan"].config.entities[0].fields[0].values == {"High": "", "": "none"}


@pytest.mark.parametrize("written", [trap for trap in TRAPS if trap not in ("null", "~")])
def test_texts_are_the_text_as_written(tmp_path: Path, written: str) -> None:
    row = f"- {{left: title, right: {written}}}"
    text = GROUP.replace("- {left: title, right: subject}", row).replace("left: Bug", f"left: {written}")
    entity = loaded(tmp_path, text).connectors["desk-plan"].config.entities[0]
    assert (entity.left, entity.fields[0].right) == (written, written)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("No", "No"),
        ("01", "01"),
        ("1.10", "1.10"),
        ("5", 5),
        ("-5", -5),
        ("true", True),
        ("True", "True"),
        ("'5'", "5"),
        ("~", None),
    ],
)
def test_where_anything_may_stand_only_plain_numbers_and_booleans_mean_themselves(
    tmp_path: Path, written: str, value: Any
) -> None:
    configuration = loaded(tmp_path, GROUP.replace("subject}", f"subject, default: {{right: {written}}}}}"))
    default = configuration.connectors["desk-plan"].config.entities[0].fields[0].default.right
    assert default == value
    assert type(default) is type(value)


def test_conditions_keep_their_field_names(tmp_path: Path) -> None:
    condition = "{fixVersions: {contains: 1.10}, on: no, connectorName: x}"
    criteria = loaded(tmp_path, GROUP + f"        criteria: {{left: {{if: {condition}}}}}\n").connectors["desk-plan"]
    left = criteria.config.entities[0].criteria.left
    assert left
    assert left.if_ == {"fixVersions": {"contains": "1.10"}, "on": "no", "connectorName": "x"}


def test_egerias_names_and_numbers_in_strings_are_accepted(tmp_path: Path) -> None:
    text = (
        GROUP.replace("  - name: desk-plan", "  - connectorName: desk-plan")
        + """\
    refreshTimeInterval: "5"
    usesBlockingCalls: "true"
    connectorUserId: npa
    metadataSourceQualifiedName: source
    permittedSynchronization: FROM_THIRD_PARTY
    integrationServiceURLMarker: itsm-integrator
    startDate: 2026-11-01
    stopDate: 2026-12-01T00:00:00+01:00
    targets: [{catalogTargetName: one, configurationProperties: {someKey: x}}]
"""
    )
    configuration = loaded(tmp_path, text)
    assert configuration.findings == ()
    connector = configuration.connectors["desk-plan"].config
    assert (connector.refresh_interval, connector.uses_blocking_calls) == (300, True)
    assert (connector.connector_user_id, connector.service) == ("npa", "itsm-integrator")
    assert connector.start_date
    assert connector.start_date.isoformat() == "2026-11-01T00:00:00+00:00"
    assert connector.targets[0].properties == {"someKey": "x"}
    assert configuration.connectors["desk-plan"].user_id == "npa"


@pytest.mark.parametrize("written", ["true", "yes", '"true"', "{}"])
def test_comments_are_switched_on(tmp_path: Path, written: str) -> None:
    entity = loaded(tmp_path, GROUP + f"        comments: {written}\n").connectors["desk-plan"].config.entities[0]
    assert entity.comments
    assert entity.comments.direction is Direction.BOTH


def test_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    text = GROUP + "      - {<<: *bugs, left: Task}\n"
    configuration = loaded(tmp_path, text.replace("- left: Bug", "- &bugs\n        left: Bug"))
    assert configuration.findings == ()
    assert [row.left for row in configuration.connectors["desk-plan"].config.entities] == ["Bug", "Task"]


@pytest.mark.parametrize(
    "text",
    [
        "group: &a [*a]\n",
        "group: a\nsystems: &s {<<: *s}\n",
        "group: !ENV x\n",
        "group: a\n? [x]\n: 1\n",
        "group: a\n---\ngroup: b\n",
    ],
)
def test_yaml_that_means_nothing_here_is_a_finding(tmp_path: Path, text: str) -> None:
    assert {finding.code for finding in loaded(tmp_path, text).findings} >= {"yaml_syntax"}


def test_aliases_that_multiply_without_end_are_refused(tmp_path: Path) -> None:
    levels = ["group: a", "x0: &x0 [1,1,1,1,1,1,1,1,1]"]
    levels += [f"x{n}: &x{n} [{','.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert "yaml_syntax" in {finding.code for finding in loaded(tmp_path, "\n".join(levels)).findings}
