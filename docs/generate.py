"""Keeps the tables in docs/*.md in step with the code: `python -m docs.generate` rewrites them, a test compares.

Rule of this file: what stands between `<!-- begin NAME -->` and `<!-- end -->` is made here, all else written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import AliasChoices, BaseModel, SecretStr

from connectors.contract import ApiKey, Basic, ClientCertificate, SystemConfig
from mappings import config
from mappings.findings import CODES
from mappings.operators import OPERATORS
from mappings.services import SERVICES
from mappings.words import ACTIONS, REASONS
from mappings.workbook.findings import KINDS

FOLDER = Path(__file__).parent

MODELS: tuple[type[BaseModel], ...] = (
    config.Group,
    config.IntegrationConnector,
    config.Target,
    config.EntityRow,
    config.FieldRow,
    config.SyncOnEach,
    config.ValuesFrom,
    config.ColumnsBack,
    config.Criteria,
    config.SideCriteria,
    config.LookUp,
    config.Comments,
    config.Attachments,
    config.Deletes,
    config.Fuse,
    SystemConfig,
    Basic,
    ApiKey,
    ClientCertificate,
)
"""Every model that a configuration can have, in the order of the reference."""

_NAMED: tuple[tuple[Any, str], ...] = (
    (config.Name, "name"),
    (config.Interval, "minutes, or `30s`"),
    (config.Seconds, "duration (`30s`, `24h`)"),
    (config.Moment, "date or time"),
    (config.StartPolling, "`default`, `all`, `now`, or date or time"),
    (dict[config.Text, config.Text], "table of texts"),
    (dict[str, str], "texts"),
    (dict[str, Any], "mapping"),
    (SecretStr, "[secret](#secrets)"),
    (bool, "true or false"),
    (int, "whole number"),
    (float, "number"),
    (str, "text"),
    (Any, "value"),
    (config.System, "[system](#systemconfig)"),
)


def keys(model: type[BaseModel]) -> str:
    """The table of a model's keys."""
    hints = get_type_hints(model, include_extras=True)
    lines = ["| key | takes | default | meaning |", "| --- | --- | --- | --- |"]
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        key = alias.choices[0] if isinstance(alias, AliasChoices) else name
        hint = field.annotation if hints[name] in get_type_hints(config.Sides).values() else hints[name]
        words = takes(hint).replace("mapping", "[condition](#conditions)") if key == "if" else takes(hint)
        default = "**required**" if field.is_required() else _default(field.get_default(call_default_factory=True))
        lines.append(f"| `{key}` | {words} | {default} | {_cell(field.description or '')} |")
    return "\n".join(lines)


def takes(hint: Any) -> str:
    """What may stand at a place, in words."""
    for known, words in _NAMED:
        if hint == known:
            return words
    arguments = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(takes(one) for one in arguments if one is not NoneType)
    if get_origin(hint) is Literal:
        return ", ".join(f"`{word}`" for word in arguments)
    if get_origin(hint) is tuple:
        return f"list of {takes(arguments[0])}"
    if get_origin(hint) is dict:
        return f"name → {takes(arguments[1])}"
    if isinstance(hint, type) and issubclass(hint, config.Sides) and hint is not config.Criteria:
        one = takes(hint.model_fields["left"].annotation)
        return f"`left:`, `right:` {one}"
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    if isinstance(hint, type) and issubclass(hint, str):
        return ", ".join(f"`{member.value}`" for member in hint)  # type: ignore[attr-defined]
    return takes(arguments[0])


def _default(value: Any) -> str:
    if (
        value is None
        or value in ((), {}, "")
        or (isinstance(value, BaseModel) and not value.model_dump(exclude_none=True))
    ):
        return ""
    if isinstance(value, BaseModel):
        return "see there"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, dict):
        return f"`{{{', '.join(f'{k}: {v}' for k, v in value.items())}}}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _words(words: dict[str, str]) -> str:
    lines = ["| word | meaning |", "| --- | --- |"]
    return "\n".join(lines + [f"| `{word}` | {_cell(meaning)} |" for word, meaning in words.items()])


def _codes() -> str:
    rows = [f"| `{code}` | {_cell(remedy)} |" for code, remedy in CODES.items()]
    return "\n".join(["| code | what to do |", "| --- | --- |", *rows])


def _services() -> str:
    lines = [
        "| marker | full name | description | status | default direction | connectors |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in SERVICES:
        kinds = ", ".join(one.kinds) or "none yet"
        lines.append(
            f"| `{one.marker}` | {one.full_name} | {one.description} | {one.status} | {one.permitted} | {kinds} |"
        )
    return "\n".join(lines)


def _operators() -> str:
    return "\n".join(
        [
            "| operator | takes |",
            "| --- | --- |",
            *(f"| `{name}` | {one.remedy.removeprefix('Write ')} |" for name, one in OPERATORS.items()),
        ]
    )


BLOCKS: dict[str, Callable[[], str]] = {
    "codes": _codes,
    "actions": partial(_words, ACTIONS),
    "reasons": partial(_words, REASONS),
    "kinds": partial(_words, KINDS),
    "services": _services,
    "operators": _operators,
    **{model.__name__: partial(keys, model) for model in MODELS},
}

_BLOCK = re.compile(r"<!-- begin (\w+) -->\n.*?<!-- end -->", re.DOTALL)


def fill(text: str) -> str:
    """The text with every block made anew. Raises KeyError for a block of another name."""
    return _BLOCK.sub(lambda match: f"<!-- begin {match[1]} -->\n{BLOCKS[match[1]]()}\n<!-- end -->", text)


def main() -> None:
    for file in sorted(FOLDER.glob("*.md")):
        file.write_text(fill(file.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
