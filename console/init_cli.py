"""`syncline init`: a first mapping from two live systems.

Rule of this file: it never writes a secret, only where it is, and never over a file unless somebody says so.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.given import EVERYWHERE, Given, given

if TYPE_CHECKING:
    from flows.discover import Wish
    from mappings.first import FirstMapping

app = typer.Typer()

_REFERENCES = ("env", "file", "block")
_SECRET = "Where its password or key is: env:NAME, file:PATH or block:NAME."


@app.command(epilog=EVERYWHERE)
def init(
    context: typer.Context,
    left_kind: Annotated[str | None, typer.Option(metavar="KIND", help="Kind of the left system, ours.")] = None,
    left_url: Annotated[str | None, typer.Option(metavar="URL", help="Its address.")] = None,
    left_username: Annotated[str | None, typer.Option(metavar="NAME", help="Its account, where it has one.")] = None,
    left_secret: Annotated[str | None, typer.Option(metavar="WHERE", help=_SECRET)] = None,
    left_name: Annotated[str | None, typer.Option(metavar="NAME", help="What the mapping calls it.")] = None,
    right_kind: Annotated[str | None, typer.Option(metavar="KIND", help="Kind of the right system.")] = None,
    right_url: Annotated[str | None, typer.Option(metavar="URL", help="Its address.")] = None,
    right_username: Annotated[str | None, typer.Option(metavar="NAME", help="Its account, where it has one.")] = None,
    right_secret: Annotated[str | None, typer.Option(metavar="WHERE", help=_SECRET)] = None,
    right_name: Annotated[str | None, typer.Option(metavar="NAME", help="What the mapping calls it.")] = None,
    project: Annotated[
        list[str] | None, typer.Option(metavar="LEFT=RIGHT", help="Projects that belong together; repeatable.")
    ] = None,
    types: Annotated[
        list[str] | None, typer.Option(metavar="LEFT=RIGHT", help="Entity types that belong together; repeatable.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the integration connector.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if there is one.")] = False,
) -> None:
    """Ask two live systems for projects, types, fields and values, and write a first mapping, ready for `check`.

    Equal names of equal types are paired; all the rest stands there as comments. What is not said is asked for at a
    terminal.

    Example: syncline init --left-kind redmine --left-url https://r.example.org --left-secret env:REDMINE_KEY
    """
    from console import tables
    from flows.discover import Wish, written

    call = given(context)
    left = _System("left", left_kind, left_url, left_username, left_secret, left_name).complete()
    right = _System("right", right_kind, right_url, right_username, right_secret, right_name).complete()
    called = _names(left, right)
    name = name or f"{called[0]}-{called[1]}"[:63]
    file = output or (call.config if call.config.is_dir() else call.config.parent) / f"{name}.yaml"
    if file.exists() and not force:
        raise typer.BadParameter(f"{file} is there already and stays as it is: --force replaces it, -o names another")
    systems = {key: one.keys(file.parent) for key, one in zip(called, (left, right), strict=True)}
    first = _discover(call, systems, file, Wish(tuple(project or ()), tuple(types or ())))
    text = written(name, systems, first, file, call.config)
    with file.open("w" if force else "x", encoding="utf-8") as stream:
        stream.write(text)
    told = {"written": str(file), "connector": name, **first.as_json()}
    call.out.answer(told, lambda: tables.first_mapping(told))


@dataclass(frozen=True, slots=True)
class _System:
    """What was said about one side."""

    side: str
    kind: str | None
    url: str | None
    username: str | None
    secret: str | None
    name: str | None

    def complete(self) -> _System:
        """With what was missing, asked for at a terminal. Raises a usage error where there is none."""
        if self.kind is not None and (self.url is not None or not sys.stdin.isatty()):
            return self
        if not sys.stdin.isatty():
            raise typer.BadParameter(f"say --{self.side}-kind, and how that system is reached")
        return replace(
            self,
            kind=self.kind or _ask(f"Kind of the {self.side} system"),
            url=self.url or _ask("  Its address"),
            username=self.username or _ask("  Its account (empty: none, a key alone)") or None,
            secret=self.secret or _ask("  Where its password or key is (env:NAME, file:PATH; empty: none)") or None,
        )

    def keys(self, folder: Path) -> dict[str, Any]:
        from flows.discover import system_keys

        return system_keys(self.kind or "", self.url or "", self.username, self._reference(), folder)

    def _reference(self) -> dict[str, str] | None:
        """Where the secret is. What is no reference may be the secret: it is not repeated."""
        if self.secret is None:
            return None
        kind, _, place = self.secret.partition(":")
        if kind not in _REFERENCES or not place:
            told = "says where the secret is: env:NAME, file:PATH or block:NAME; never the secret itself"
            raise typer.BadParameter(f"--{self.side}-secret {told}")
        return {kind: place}


def _names(left: _System, right: _System) -> tuple[str, str]:
    """What the mapping calls the two systems: as said, else by their kinds."""
    from mappings.first_text import spelled_name

    one, other = (side.name or spelled_name((side.kind or "").rpartition(".")[2]) for side in (left, right))
    return (one, other) if one != other else (f"{one[:57]}-left", f"{other[:57]}-right")


def _discover(call: Given, systems: dict[str, dict[str, Any]], file: Path, wish: Wish) -> FirstMapping:
    """The first mapping. What names do not tell is asked for at a terminal, else an error."""
    from flows.discover import Unclear, discover

    while True:
        try:
            with call.out.progress("Asking both systems"):
                return asyncio.run(discover(systems, file, wish))
        except Unclear as unclear:
            if not sys.stdin.isatty():
                raise
            call.out.say(str(unclear))
            said = _ask("LEFT=RIGHT, several with commas between")
            wish = replace(wish, **{unclear.wanted: tuple(part.strip() for part in said.split(",") if part.strip())})


def _ask(question: str) -> str:
    return str(typer.prompt(question, default="", show_default=False, err=True)).strip()
