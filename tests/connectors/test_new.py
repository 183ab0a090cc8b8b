"""`python -m connectors.new`: writes two files, or nothing. That they work, conformance/test_scaffold.py shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import new


def test_a_connector_and_its_test_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert new.main(["my_tracker"]) == 0
    assert "class MyTrackerConnector" in (tmp_path / "connectors" / "my_tracker.py").read_text()
    assert (
        "class TestMyTracker(ConnectorConformance)"
        in (tmp_path / "tests" / "conformance" / "test_my_tracker.py").read_text()
    )
    assert 'my_tracker = "connectors.my_tracker:MyTrackerConnector"' in capsys.readouterr().out


@pytest.mark.parametrize("existing", ["connectors/mine.py", "tests/conformance/test_mine.py"])
def test_what_exists_is_never_overwritten(
    existing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / existing).parent.mkdir(parents=True)
    (tmp_path / existing).write_text("precious")
    assert new.main(["mine"]) == 1
    assert "exists already" in capsys.readouterr().err
    assert [path.read_text() for path in tmp_path.rglob("*.py")] == ["precious"]


@pytest.mark.parametrize("name", ["My", "1st", "a-b", "a.b", "../a", "class", "json", "é"])
def test_a_name_that_cannot_be_a_module_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=name):
        new.scaffold(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], [""], ["a", "b"], ["--help"]])
def test_anything_but_one_name_is_answered_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert new.main(arguments) == 2
    assert "Usage" in capsys.readouterr().err
