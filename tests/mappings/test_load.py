"""Every mistake in a configuration is named at once, with file, line, place and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from mappings.check import check
from mappings.load import load
from tests.mappings.written import GROUP, found, loaded, system_model, the_finding

# ---- files and folders ----------------------------------------------------------------------------------------------


def test_a_group_is_loaded_with_its_systems_and_connectors(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, GROUP)
    assert configuration.ok
    entry = configuration.connectors["desk-plan"]
    assert entry.config.entities[0].fields[0].right == "subject"
    assert entry.folder == configuration.systems["plan"].folder == tmp_path
    assert configuration.groups["delivery"].file == tmp_path / "a.yaml"
    assert entry.user_id == "syncline"


def test_of_a_folder_every_file_with_a_group_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "c.yaml").write_text("group: below\n")
    (tmp_path / "b.yml").write_text("group: second\n")
    (tmp_path / "notes.txt").write_text("group: none\n")
    configuration = loaded(tmp_path, GROUP, prefect="deployments: []\n", broken="{ not: [yaml")
    assert set(configuration.groups) == {"delivery", "second"}
    assert [file.name for file in configuration.ignored] == ["broken.yaml", "prefect.yaml"]
    assert configuration.ok


def test_a_file_named_itself_must_be_a_group(tmp_path: Path) -> None:
    (tmp_path / "prefect.yaml").write_text("deployments: []\n")
    assert the_finding(load(tmp_path / "prefect.yaml")).code == "not_a_group"


@pytest.mark.parametrize("name", ["", "missing", "missing.yaml"])
def test_a_place_without_configuration_is_a_finding(tmp_path: Path, name: str) -> None:
    assert the_finding(load(tmp_path / name)).code == "no_configuration"


def test_a_broken_file_does_not_hide_the_findings_of_the_others(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, "group: a\nsystems: [\n", b="group: b\ngrup: x\n", c="group: c\nconnectors: 5\n")
    assert [finding.code for finding in configuration.findings] == ["yaml_syntax", "unknown_key", "wrong_type"]
    assert not configuration.groups


def test_a_file_that_is_no_text_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"group: \xff\n")
    assert the_finding(load(tmp_path)).code == "unreadable"


def test_what_a_broken_file_defines_is_still_known_to_the_others(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, GROUP + "    nonsense: 1\n", b="group: b\nmembers: [desk-plan]\n")
    assert [finding.code for finding in configuration.findings] == ["unknown_key"]


# ---- mistakes -------------------------------------------------------------------------------------------------------


def test_all_mistakes_are_named_at_once_with_line_and_place(tmp_path: Path) -> None:
    text = """\
group: delivery
sistems: {}
systems:
  desk: {kind: shelf, timeout: soon}
  plan: {kind: shelv}
  plan: {kind: shelf}
connectors:
  - name: Desk Plan
    left: desk
    right: plan
    refresh_interval: often
    active: maybe
    permitted_synchronization: BOTH
    entities:
      - left: Bug
        on_conflict: hault
        fields:
          - {left: title, right: subject, direction: left_to_rigth}
          - {left: a, right: b, values: [1]}
          - {}
"""
    assert found(loaded(tmp_path, text)) == [
        (2, "sistems", "unknown_key"),
        (4, "systems.desk.timeout", "wrong_type"),
        (5, "systems.plan.kind", "unknown_kind"),
        (6, "systems.plan", "duplicate_key"),
        (8, "connectors[0].name", "bad_value"),
        (11, "connectors[0].refresh_interval", "bad_value"),
        (12, "connectors[0].active", "wrong_type"),
        (13, "connectors[0].permitted_synchronization", "unknown_word"),
        (15, "connectors[0].entities[0].right", "missing_key"),
        (16, "connectors[0].entities[0].on_conflict", "unknown_word"),
        (18, "connectors[0].entities[0].fields[0].direction", "unknown_word"),
        (19, "connectors[0].entities[0].fields[1].values", "wrong_type"),
        (20, "connectors[0].entities[0].fields[2]", "bad_value"),
    ]


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ("refresh_intervall: 5", "refresh_interval"),
        ("refreshInterval: 5", None),
        ("on_mapping_change: aply", "apply"),
        ("start_polling: al", "all"),
        ("right_: x", "right"),
        ("description: [x]", "Write a text."),
        ("start_date: 20261101", "2026-11-21T08:00Z"),
        ("targets: {name: x}", "Write a list."),
        ("targets: [{name: x, permitted_synchronization: FROM}]", "FROM_THIRD_PARTY"),
        ("deletes: {fuse: {percent: 101}}", None),
    ],
)
def test_the_remedy_names_what_is_nearest(tmp_path: Path, wrong: str, remedy: str | None) -> None:
    configuration = loaded(tmp_path, GROUP + f"    {wrong}\n")
    if wrong == "refreshInterval: 5":
        assert configuration.ok, "camelCase is another spelling of the same key"
        return
    finding = the_finding(configuration)
    assert finding.line == GROUP.count("\n") + 1
    assert (remedy or "") in f"{finding.problem} {finding.remedy}"


def test_of_two_ways_to_write_a_key_the_one_that_was_meant_is_explained(tmp_path: Path) -> None:
    rows = GROUP.replace("subject}", "subject, sync_on: {left_to_rigt: create}}")
    assert found(loaded(tmp_path, rows)) == [
        (13, "connectors[0].entities[0].fields[0].sync_on.left_to_rigt", "unknown_key")
    ]


def test_a_key_that_belongs_further_up_is_sent_there(tmp_path: Path) -> None:
    finding = the_finding(loaded(tmp_path, GROUP + "        criteria: {left: {if: {a: b}, keep: once_in}}\n"))
    assert finding.path == "connectors[0].entities[0].criteria.left.keep"
    assert finding.remedy == "It belongs further up, to connectors[0].entities[0].criteria."


def test_a_key_written_in_two_spellings_is_a_duplicate(tmp_path: Path) -> None:
    finding = the_finding(loaded(tmp_path, GROUP + "    refresh_interval: 5\n    refreshTimeInterval: 6\n"))
    assert (finding.code, finding.line) == ("duplicate_key", 15)
    assert "line 14" in finding.problem


# ---- names over all files -------------------------------------------------------------------------------------------


def test_a_connector_name_belongs_to_one_file(tmp_path: Path) -> None:
    finding = the_finding(loaded(tmp_path, GROUP, b=GROUP.replace("delivery", "other")))
    assert (finding.code, Path(finding.file).name, finding.line) == ("duplicate_connector", "b.yaml", 6)
    assert "a.yaml:6" in finding.problem


def test_a_system_may_be_described_twice_if_it_is_the_same(tmp_path: Path) -> None:
    other = "group: other\nsystems:\n  desk: {kind: shelf, url: 'https://desk.example'}\n"
    assert loaded(tmp_path, GROUP, b=other).ok
    finding = the_finding(loaded(tmp_path, GROUP, b=other.replace("desk.ex", "elsewhere.ex")))
    assert (finding.code, finding.line) == ("duplicate_system", 3)
    assert "a.yaml:3" in finding.problem


def test_names_that_nobody_defines_are_findings(tmp_path: Path) -> None:
    text = GROUP.replace("right: plan\n", "right: plam\n").replace("systems:", "members: [desk-plam]\nsystems:")
    text += "    targets: [{name: one}, {name: one}]\n"
    configuration = loaded(tmp_path, text, b="group: delivery\n")
    assert {(f.code, "plan" in f.remedy) for f in configuration.findings} == {
        ("unknown_member", True),
        ("unknown_system", True),
        ("duplicate_target", False),
        ("duplicate_group", False),
    }


def test_a_group_runs_its_own_connectors_and_its_members(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, GROUP, b="group: b\nmembers: [desk-plan]\n")
    assert configuration.running_in("b") == configuration.running_in("delivery") == ("desk-plan",)


# ---- whatever is written, the answer is findings --------------------------------------------------------------------

FULL = (Path(__file__).parents[2] / "examples" / "desk-redmine.yaml").read_text("utf-8")
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def survives(text: str) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "a.yaml").write_text(text, "utf-8", errors="replace")
        configuration = load(Path(folder) / "a.yaml", system_model=system_model)
        findings = check(configuration)
        assert configuration.ok or any(finding.severity == "error" for finding in findings)
        assert all(finding.line > 0 and finding.remedy for finding in findings)


@given(st.integers(0, len(FULL)), st.integers(0, 30), st.text(max_size=6))
def test_a_damaged_file_is_a_finding_and_no_crash(start: int, length: int, instead: str) -> None:
    survives(FULL[:start] + instead + FULL[start + length :])


@given(st.data())
def test_anything_in_the_place_of_anything_is_a_finding_and_no_crash(data: st.DataObject) -> None:
    tree = YAML(typ="safe", pure=True).load(FULL)
    holder: Any = tree
    while True:
        places = list(holder) if isinstance(holder, dict) else range(len(holder))
        place = data.draw(st.sampled_from(list(places)))
        if not isinstance(holder[place], dict | list) or not holder[place] or data.draw(st.booleans()):
            holder[place] = data.draw(JUNK)
            break
        holder = holder[place]
    survives(json.dumps(tree))
