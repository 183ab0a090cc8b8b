"""docs/command-line.md names every command and every option, and none that there is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from cli import app

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text("utf-8")


def commands(command: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words it is called by, groups and the bare name included."""
    yield names, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, *names, name)


EVERY = dict(commands(get_command(app)))
OPTIONS = {
    option
    for command in EVERY.values()
    for parameter in command.params
    if parameter.param_type_name == "option"
    for option in (*parameter.opts, *parameter.secondary_opts)
}


def section(name: str) -> str:
    """What the page says about one command."""
    return re.split(r"\n##+ ", PAGE.partition(f"# {name}\n")[2])[0]


def test_every_command_has_its_section_and_every_word_of_it_stands_there() -> None:
    for words in EVERY:
        if words and words[-1] != "list":  # `list` is what the bare name does
            assert f"syncline {' '.join(words)}" in section(words[0]), words


def test_every_option_stands_in_the_section_of_its_command() -> None:
    for words, command in EVERY.items():
        told = section(words[0]) if words else PAGE
        shared = section("refresh") if words == ("plan",) else ""
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                if option.startswith("-"):
                    assert re.search(rf"`{option}\b", told + shared), (words, option)


def test_no_option_stands_there_that_does_not_exist() -> None:
    told = set(re.findall(r"`(--?[a-z][a-z-]*)", PAGE))
    assert told - {"--help"} <= OPTIONS


def test_every_command_says_in_its_help_what_it_does_and_gives_an_example() -> None:
    for words, command in EVERY.items():
        if words and not hasattr(command, "commands"):
            assert f"Example: syncline {' '.join(w for w in words if w != 'list')}" in (command.help or "").replace(
                "PREFECT_API_URL=http://127.0.0.1:4200/api ", ""
            ), words
