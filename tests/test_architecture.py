"""The house as DESIGN.md draws it: rooms, arrows between them, and no file too large to read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("connectors", "mappings", "ledger", "flows", "console", "demo")
MOST_LINES = 400


def files() -> list[Path]:
    return [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))] + [ROOT / "cli.py"]


def test_rooms_import_only_what_their_arrows_allow() -> None:
    run = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout[-3000:]


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_no_file_is_too_large_to_read(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) <= MOST_LINES


def test_no_file_is_named_after_a_module_of_the_standard_library() -> None:
    # A path entrypoint puts its folder on sys.path: such a file would hide the module from everybody.
    named = {file.stem for file in files() if file.stem != "__init__"}
    known = {"code", "types", "json", "logging", "queue", "select", "secrets", "calendar", "email", "http", "token"}
    assert sorted(named & known & set(sys.stdlib_module_names)) == []


def test_every_file_says_what_it_is_for() -> None:
    silent = [file for file in files() if not file.read_text("utf-8").lstrip().startswith('"""')]
    assert silent == []
