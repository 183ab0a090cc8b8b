"""What Egeria's envelopes say and a YAML group has no word for: `open-metadata.json` in the `.syncline` folder.

Rule of this file: nothing that a caller sent is lost; nothing here decides what is synchronised.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class Kept:
    """The file, read anew by every request: it is small, and other processes may write it too."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "open-metadata.json"
        try:
            self._data: Json = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            self._data = {}

    def _part(self, name: str) -> Json:
        part: Json = self._data.setdefault(name, {})
        return part

    def save(self) -> None:
        """Readable by its owner alone, replaced as a whole."""
        draft = self._file.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(self._data, file, ensure_ascii=False, indent=1)
        draft.replace(self._file)

    @property
    def services(self) -> Json:
        """Marker -> {omagserverName, omagserverPlatformRootURL, …}: what was configured over REST."""
        return self._part("services")

    @property
    def connectors(self) -> Json:
        """Connector -> {connectorId, config: {…}, connection: {…}}: unknown keys of its envelopes."""
        return self._part("connectors")

    @property
    def groups(self) -> Json:
        """Name of an integration group -> its IntegrationGroupConfig as sent."""
        return self._part("groups")

    @property
    def stopped(self) -> list[str] | None:
        """The connectors that stopping the server deactivated; None while it runs."""
        return self._data.get("stopped")

    @stopped.setter
    def stopped(self, names: list[str] | None) -> None:
        self._data["stopped"] = names
