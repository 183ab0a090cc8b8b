"""A connector of somebody else, in a single file beside the YAML, keeps the contract like our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.conformance import ConnectorConformance, Subject
from connectors.contract import SystemConfig
from connectors.entity import Choice, EntityRef, Gone
from connectors.errors import ConfigurationError

FOLDER = Path(__file__).parents[2] / "examples" / "third_party"


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.syspath_prepend(FOLDER)
    from my_notebook import Notebook

    return Notebook(SystemConfig(kind=Notebook.kind, url=str(tmp_path / "notes.json")))


class TestNotebook(ConnectorConformance):
    @pytest.fixture
    def subject(self, notebook: Any) -> Subject:
        return Subject(
            notebook,
            "note",
            fields={"tags": (Choice("home"), Choice("garden"))},
            other_fields={"tags": (Choice("work"),)},
        )


async def test_notes_written_by_hand_are_entities(notebook: Any) -> None:
    notebook.path.write_text(json.dumps([{"id": "7", "title": "Milk", "text": "", "state": "done", "tags": []}]))
    ref = EntityRef("", "note", "7")
    assert (await notebook.read([ref]))[ref].fields["state"] == Choice("done")
    notebook.path.unlink()
    assert await notebook.read([ref]) == {ref: Gone(ref)}


async def test_a_file_that_is_no_json_is_left_alone_and_named(notebook: Any) -> None:
    notebook.path.write_text("my precious notes")
    with pytest.raises(ConfigurationError, match=r"notes\.json"):
        await notebook.check()
    assert notebook.path.read_text() == "my precious notes"
