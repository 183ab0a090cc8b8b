"""A desk for each test that wants one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.console.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is broken for want of room, wherever the tests run."""
    monkeypatch.setenv("COLUMNS", "400")
