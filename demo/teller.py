"""How the demo talks: steps with a sentence each, tables, and a spinner while something takes its time.

Rule of this file: it reads as well in a file as in a terminal; nothing moves where nobody watches.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from console.output import terminal


class Teller:
    def __init__(self) -> None:
        self._console = terminal(sys.stdout)
        self._steps = 0

    def title(self, text: str) -> None:
        self._console.print(Rule(Text(text, "bold"), style="cyan"))

    def step(self, headline: str, why: str = "") -> None:
        """A numbered step; `why` says what is interesting about it."""
        self._steps += 1
        self._console.print()
        self._console.print(Text.assemble((f"{self._steps}  {headline}", "bold cyan")))
        if why:
            self._console.print(Padding(Text(why), (0, 0, 0, 3)))

    def say(self, text: str, style: str = "") -> None:
        self._console.print(Padding(Text(text, style), (0, 0, 0, 3)))

    def show(self, what: RenderableType) -> None:
        self._console.print(Padding(what, (0, 0, 0, 3)))

    def command(self, text: str) -> None:
        """A command line that is run now."""
        self._console.print()
        self._console.print(Padding(Text(f"$ {text}", "bold green"), (0, 0, 0, 3)))
        sys.stdout.flush()

    @contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """While this lasts something is going on."""
        if self._console.is_terminal:
            with self._console.status(Text(f"{text} …")):
                yield
        else:
            self.say(f"{text} …")
            sys.stdout.flush()
            yield
