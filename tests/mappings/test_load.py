"""Every mistake in a configuration is named at once, with file, line, place and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr
from ruamel.yaml import YAML

from connectors.contract import ApiKey, Basic, SystemConfig
from mappings.check import check
from mappings.config import Direction
from mappings.findings import ConfigurationErrors, Finding
from mappings.load import Loaded, SystemEntry, load, resolve_system


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


# ---- how texts are read ---------------------------------------------------------------------------------------------

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


# ---- systems and secrets --------------------------------------------------------------------------------------------


def system(folder: Path, written: str) -> Loaded:
    return loaded(folder, f"group: g\nsystems:\n  desk: {written}\n")


@pytest.mark.parametrize(
    ("written", "place", "code"),
    [
        ("{kind: tracker, credentials: {api_key: HUSH}}", "credentials.api_key", "plain_secret"),
        ("{kind: tracker, credentials: {username: u, password: HUSH}}", "credentials.password", "plain_secret"),
        ("{kind: tracker, credentials: {username: u, password: [HUSH]}}", "credentials.password", "plain_secret"),
        ("{kind: shelf, token: HUSH}", "token", "plain_secret"),
        ("{kind: shelf, token: {evn: HUSH}}", "token", "bad_reference"),
        ("{kind: shelf, url: 'https://me:HUSH@x.example'}", "url", "plain_secret"),
        ("{kind: shelf, proxy: 'http://me:HUSH@x.example'}", "proxy", "plain_secret"),
        ("{kind: unheard-of, credentials: {password: HUSH}}", "credentials.password", "plain_secret"),
    ],
)
def test_a_secret_in_plain_sight_is_refused_and_not_repeated(
    tmp_path: Path, written: str, place: str, code: str
) -> None:
    configuration = system(tmp_path, written)
    assert (f"systems.desk.{place}", code) in {(f.path, f.code) for f in configuration.findings}
    assert "HUSH" not in "".join(map(str, configuration.findings))


@pytest.mark.parametrize(
    ("written", "place", "code"),
    [
        ("{kind: tracker, credentials: {userename: u, password: {env: P}}}", "credentials.userename", "unknown_key"),
        ("{kind: tracker, credentials: {userename: u, password: {env: P}}}", "credentials.username", "missing_key"),
        ("{kind: tracker}", "credentials", "missing_key"),
        ("{kind: tracker, credentials: {api_key: {env: P}}, dialect: htm}", "dialect", "unknown_word"),
        ("{kind: tracker, credentials: {api_key: {env: P}}, max_concurrency: 0}", "max_concurrency", "bad_value"),
        ("{kind: shelf, timeouts: 30s}", "timeouts", "unknown_key"),
        ("{url: x}", "kind", "missing_key"),
        ("{kind: shelv}", "kind", "unknown_kind"),
    ],
)
def test_a_system_is_held_to_the_model_of_its_kind(tmp_path: Path, written: str, place: str, code: str) -> None:
    assert (f"systems.desk.{place}", code) in {(f.path, f.code) for f in system(tmp_path, written).findings}


def test_only_the_mistakes_of_the_meant_credentials_are_named(tmp_path: Path) -> None:
    configuration = system(tmp_path, "{kind: tracker, credentials: {username: u}}")
    assert [finding.path for finding in configuration.findings] == ["systems.desk.credentials.password"]


def entry(folder: Path, written: str) -> SystemEntry:
    configuration = system(folder, written)
    assert configuration.findings == ()
    return configuration.systems["desk"]


def test_secrets_are_resolved_when_they_are_needed(tmp_path: Path) -> None:
    written = "{kind: tracker, credentials: {username: 007, password: {block: desk-password}}, url: {env: DESK_URL}}"
    asked: list[dict[str, str]] = []

    def secrets(reference: dict[str, str]) -> str:
        asked.append(reference)
        return "https://desk.example" if "env" in reference else "hush"

    config = resolve_system(entry(tmp_path, written), secrets)
    assert config.credentials.username == "007"
    assert config.credentials.password.get_secret_value() == "hush"
    assert config.url == "https://desk.example"
    assert asked == [{"block": "desk-password"}, {"env": "DESK_URL"}]


def test_secrets_come_from_the_environment_and_from_files_beside_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key.txt").write_text("hush\n")
    monkeypatch.setenv("DESK_URL", "https://desk.example")
    config = resolve_system(entry(tmp_path, "{kind: shelf, token: {file: key.txt}, url: {env: DESK_URL}}"))
    assert config.token.get_secret_value() == "hush"
    assert config.url == "https://desk.example"


def test_a_reference_that_leads_nowhere_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    desk = entry(tmp_path, "{kind: tracker, credentials: {username: {env: NOT_SET}, password: {file: none.txt}}}")
    with pytest.raises(ConfigurationErrors) as raised:
        resolve_system(desk)
    assert [(f.code, f.path, f.line) for f in raised.value.findings] == [
        ("unresolved_reference", "systems.desk.credentials.username", 3),
        ("unresolved_reference", "systems.desk.credentials.password", 3),
    ]
    assert "NOT_SET" in str(raised.value)
    assert "No such file" in str(raised.value)


def test_a_resolved_value_of_the_wrong_type_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANY", "hush")
    with pytest.raises(ConfigurationErrors) as raised:
        resolve_system(entry(tmp_path, "{kind: shelf, max_concurrency: {env: MANY}}"))
    assert [finding.code for finding in raised.value.findings] == ["wrong_type"]
    assert "hush" not in str(raised.value)


def test_relative_paths_start_at_the_file_that_names_them(tmp_path: Path) -> None:
    written = "{kind: shelf, ca_bundle: ca.pem, client_certificate: {file: c.pem, key: /k.pem}, path: data/x.csv}"
    config = resolve_system(entry(tmp_path, written))
    assert config.ca_bundle == str(tmp_path / "ca.pem")
    assert config.client_certificate.file == str(tmp_path / "c.pem")
    assert config.client_certificate.key == "/k.pem"
    assert config.path == tmp_path / "data" / "x.csv"


@pytest.mark.parametrize(("written", "seconds"), [("30s", 30), ("2m", 120), ("45", 45), ('"1.5s"', 1.5)])
def test_a_timeout_is_written_with_its_unit(tmp_path: Path, written: str, seconds: float) -> None:
    assert resolve_system(entry(tmp_path, f"{{kind: shelf, timeout: {written}}}")).timeout == seconds


def test_texts_in_lists_of_a_system_are_the_text_as_written(tmp_path: Path) -> None:
    config = resolve_system(entry(tmp_path, "{kind: shelf, columns: {answer: [No, 01, 1]}}"))
    assert config.columns == {"answer": ("No", "01", "1")}


def test_without_the_models_of_the_kinds_systems_are_kept_as_written(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("group: g\nsystems:\n  desk: {kind: any, password: HUSH, own: 1}\n")
    assert [finding.code for finding in load(tmp_path).findings] == ["plain_secret"]


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
