"""How a command speaks: answers to stdout, everything else to stderr.

Rule of this file: with `--json` stdout is one JSON document and nothing else. What systems hold is shown as text,
never as markup or as commands to the terminal.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WIDTH = 400
"""Columns of tables that nobody sees directly: in files and pipes."""


class Output:
    """Where one command writes to. `as_json`: the answer is JSON; `verbose`: logs in detail, tracebacks."""

    def __init__(self, *, as_json: bool = False, verbose: bool = False) -> None:
        self.as_json, self.verbose = as_json, verbose

    def answer(self, data: Any, shown: Callable[[], RenderableType]) -> None:
        """The answer of the command: as JSON, or as people see it."""
        if self.as_json:
            json.dump(data, sys.stdout, ensure_ascii=False, indent=2)
            sys.stdout.write("\n")
        else:
            terminal(sys.stdout).print(shown())

    def say(self, text: str) -> None:
        """A word to the person at the terminal; never part of the answer."""
        terminal(sys.stderr).print(text, markup=False, highlight=False, soft_wrap=True)

    def log(self) -> None:
        """Let logs go to stderr: warnings, with `-v` everything of ours."""
        logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.getLogger("syncline").setLevel(logging.DEBUG if self.verbose else logging.WARNING)

    def log_more(self) -> None:
        """For a process that stays: what it does, too."""
        logging.getLogger("syncline").setLevel(logging.DEBUG if self.verbose else logging.INFO)

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[str, int], None]]:
        """A bar on stderr for long work; what it yields is told `("fetched", 100)`. Silent where nobody watches."""
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        console = terminal(sys.stderr)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), TimeElapsedColumn())
        counts: dict[str, int] = {}
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(what, total=None)

            def count(word: str, n: int) -> None:
                counts[word] = counts.get(word, 0) + n
                told = ", ".join(f"{word} {n}" for word, n in counts.items())
                # How much there is nobody knows beforehand; of what was fetched, so much is done.
                bar.update(
                    task,
                    description=f"{what}: {told}",
                    total=counts.get("fetched"),
                    completed=min(counts.get("written", 0), counts.get("fetched", 0)),
                )

            yield count


def terminal(stream: TextIO) -> Console:
    """A console on a stream, as wide as the terminal; wide enough for tables where there is none."""
    from rich.console import Console

    width = None if stream.isatty() or os.environ.get("COLUMNS") else WIDTH
    return Console(file=stream, width=width, highlight=False, emoji=False)
