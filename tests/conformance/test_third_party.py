"""A connector of somebody else, in a single file beside the YAML, keeps the contract like our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors import registry
from connectors.conformance import ConnectorConformance, Subject
from connectors.entity import Choice, EntityRef, Gone
from connectors.errors import ConfigurationError

FOLDER = Path(__file__).parents[2] / "examples" / "third_party"


@pytest.fixture
def notebook(tmp_path: Path) -> Any:
    """Built as the daemon builds it: from a dotted kind and the folder of the configuration."""
    kind = "my_notebook.Notebook"
    config = registry.config_class(kind, folder=FOLDER)(kind=kind, url=str(tmp_path / "notes.json"))
    return registry.build(config, folder=FOLDER)


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
