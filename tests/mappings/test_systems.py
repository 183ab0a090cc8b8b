"""Systems are held to the model of their kind; secrets stay out of sight until they are needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mappings.findings import ConfigurationErrors
from mappings.load import Loaded, SystemEntry, load, resolve_system
from tests.mappings.written import loaded


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
