"""A folder with a configuration and two systems in memory that several processes share, and the real command line."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli import main
from connectors._memory_store import Ask
from connectors.entity import Choice, EntityRef
from connectors.memory import ALICE, BOB, MemorySystem

NAME = "tickets"


@dataclass(frozen=True)
class Done:
    """How a command ended: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


@dataclass
class Desk:
    """`left` and `right` are where people work; `run` is what is typed into a terminal."""

    folder: Path
    connector: dict[str, Any] = field(default_factory=dict)
    connectors: list[dict[str, Any]] = field(default_factory=list)
    left: MemorySystem = field(init=False)
    right: MemorySystem = field(init=False)

    def __post_init__(self) -> None:
        self.left, self.right = (
            MemorySystem(f"memory://{self.folder}/{side}.json", file=self.folder / f"{side}.json")
            for side in ("left", "right")
        )
        self.write()

    def write(self, **systems: Any) -> None:
        """Write the configuration; `systems` replaces some."""
        fields = [{"left": name, "right": name} for name in ("title", "description", "status", "points")]
        connector = {
            "name": NAME,
            "left": "ours",
            "right": "theirs",
            "start_polling": "all",
            "entities": [{"left": "ticket", "right": "ticket", "fields": fields, "comments": True}],
            **self.connector,
        }
        known = {"ours": self.system(self.left), "theirs": self.system(self.right), **systems}
        group = {"group": "world", "systems": known, "connectors": self.connectors or [connector]}
        (self.folder / "group.yaml").write_text(json.dumps(group, indent=1))  # JSON is YAML

    def limit_titles(self, length: int) -> None:
        """The right system takes titles up to this length."""
        types = {
            "title": {"max_length": length, "required": True},
            "description": {"type": "rich_text"},
            "status": {"type": "choice", "choices": ["new", "open", "closed"]},
            "points": {"type": "number"},
        }
        self.write(theirs={**self.system(self.right), "types": {"ticket": types}})

    def system(self, system: MemorySystem) -> dict[str, str]:
        return {"kind": "memory", "url": system.url}

    def run(self, *words: str) -> Done:
        """`syncline WORDS` in this folder, by the entry point itself."""
        out, err = io.StringIO(), io.StringIO()
        with chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            try:
                main(words)
                code: object = 0
            except SystemExit as end:
                code = end.code
        assert isinstance(code, int)
        return Done(int(code), out.getvalue(), err.getvalue())

    def typed(self, *words: str, folder: Path | None = None, **environment: str) -> Done:
        """`syncline WORDS` as a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "cli", *words],
            cwd=folder or self.folder,
            env=clean() | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def answer(self, *words: str, code: int = 0) -> Any:
        """What `syncline WORDS --json` answers; it must end with `code`."""
        done = self.run(*words, "--json")
        assert done.code == code, done.err + done.out
        return json.loads(done.out)

    def make(self, title: str = "Boiler leaks", **fields: Any) -> EntityRef:
        """Somebody on the left makes a ticket."""
        return self.left.add("", "ticket", {"title": title, "status": Choice("new"), **fields}, by=ALICE).ref

    def pair(self, title: str = "Boiler leaks") -> tuple[EntityRef, EntityRef]:
        """A ticket and its twin."""
        left = self.make(title)
        self.answer("refresh", NAME, "--local")
        (right,) = [ref for ref in self.living(self.right) if self.right.row(ref).fields["title"] == title]
        return left, right

    def dispute(self) -> tuple[EntityRef, EntityRef]:
        """A pair whose title both sides have changed differently, and a refresh that has seen it."""
        left, right = self.pair()
        self.left.edit(left, {"title": "Boiler leaks badly"}, by=ALICE)
        self.right.edit(right, {"title": "Valve 7 leaks"}, by=BOB)
        self.answer("refresh", NAME, "--local", code=3)
        return left, right

    def living(self, system: MemorySystem) -> list[EntityRef]:
        """What the system holds now, whoever made it."""
        return [entity.ref for entity in system.page("", "ticket", None, Ask(1000))[0]]


def clean() -> dict[str, str]:
    """The environment without anything that would lead to another configuration or to a Prefect server."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SYNCLINE_", "PREFECT_"))}
    return kept | {"NO_COLOR": "1"}
