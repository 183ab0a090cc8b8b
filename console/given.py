"""What every command is given, and the options that several of them share.

Rule of this file: it imports nothing of ours but the output, so that `--help` answers at once.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from console.output import Output

if TYPE_CHECKING:
    from flows.runtime import Runtime
    from ledger.store import Ledger

EVERYWHERE = "As every command, it also takes --config PATH, --ledger URL, --json and -v: see `syncline --help`."

Name = Annotated[str, typer.Argument(metavar="NAME", help="The integration connector.")]
MaybeName = Annotated[str | None, typer.Argument(metavar="NAME", help="Only this integration connector.")]
Targets = Annotated[list[str] | None, typer.Option("--target", metavar="T", help="Only this target; repeatable.")]
Entities = Annotated[
    list[str] | None,
    typer.Option("--entity", metavar="SIDE:ID", help="Only this entity, as left:ID or right:ID; repeatable."),
]
Full = Annotated[bool, typer.Option("--full", help="Read everything again, not only what changed; finds deletes.")]
Since = Annotated[str | None, typer.Option("--since", metavar="ISO", help="Read what changed since then (ISO 8601).")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit log.")]


@dataclass(frozen=True, slots=True)
class Given:
    """What stands before or after every command."""

    config: Path
    ledger: str | None
    out: Output

    @property
    def command(self) -> str:
        """How to call Syncline again in the same way."""
        config = ["--config", str(self.config)] if self.config != Path() else []
        return shlex.join(["syncline", *config, *(["--ledger", self.ledger] if self.ledger else [])])

    def open(self) -> Runtime:
        """Configuration and ledger. Raises ConfigurationErrors where nothing of the configuration can be read."""
        from flows.runtime import Runtime, default_ledger, load_configuration
        from ledger.store import Ledger
        from mappings.findings import ConfigurationErrors

        loaded = load_configuration(self.config)
        if not (loaded.ok or loaded.drafts):
            raise ConfigurationErrors(one for one in loaded.findings if one.severity == "error")
        return Runtime(self.config, loaded, Ledger.open(self.ledger or default_ledger(self.config)))

    @contextmanager
    def remembered(self, name: str | None) -> Iterator[Ledger]:
        """The ledger, for commands that ask no system. Raises ConfigurationError for an unknown connector."""
        from flows.operate import require

        runtime = self.open()
        with runtime.ledger as ledger:
            if name is not None:
                require(runtime, name)
            yield ledger


def given(context: typer.Context) -> Given:
    """What this call of the command line was given."""
    found: Given = context.obj
    return found


def who() -> str:
    """The person at the terminal, for the audit log."""
    try:
        return getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return "somebody"


def one_of(option: str, word: str, *words: str) -> str | None:
    """The word, None for `all`. Raises a usage error for any other."""
    if word not in (*words, "all"):
        raise typer.BadParameter(f"{option} is one of {', '.join((*words, 'all'))}")
    return None if word == "all" else word


class ListFirst(TyperGroup):
    """A group whose bare name lists: `conflicts`, `conflicts NAME` mean `conflicts list NAME`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = bool(args) and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if known else ["list", *args])


def group(help: str) -> typer.Typer:
    """A group of commands whose bare name lists."""
    return typer.Typer(cls=ListFirst, rich_markup_mode="rich", help=help, epilog=EVERYWHERE)
