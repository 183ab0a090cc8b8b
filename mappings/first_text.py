"""A first mapping as YAML that people go on writing: what stands, and as comments all that could.

Rule of this file: what comes from a system is quoted, in comments too, so that no name or value can end its line or be
read as something else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from textwrap import shorten
from typing import Any

from connectors.schema import FieldSchema, FieldType
from mappings.config import Side
from mappings.first import FieldPair, FirstMapping, TypePair, spelled

MOST_VALUES = 40
"""Values of a field that a comment shows."""
MOST_REASON = 160
"""Characters of a reason that a comment shows; `--json` has all of it."""

_PLAIN = re.compile(r"[A-Za-z_][\w./-]*( [\w./-]+)*", re.ASCII)
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
_BREAKS = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")


def scalar(value: object) -> str:
    """A value as YAML, on one line, safe within `{…}` and in a comment."""
    if isinstance(value, bool | int):
        return str(value).lower()
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def flow(data: Mapping[str, Any]) -> str:
    """A mapping on one line."""
    shown = (f"{scalar(k)}: {flow(v) if isinstance(v, Mapping) else scalar(v)}" for k, v in data.items())
    return "{" + ", ".join(shown) + "}"


def systems_text(group: str, systems: Mapping[str, Mapping[str, Any]]) -> str:
    """The head of the file: the group, and how its systems are reached."""
    lines = [f"group: {scalar(group)}", "systems:"]
    for name, keys in systems.items():
        lines.append(f"  {scalar(name)}:")
        lines += [f"    {k}: {flow(v) if isinstance(v, Mapping) else scalar(v)}" for k, v in keys.items()]
    return "\n".join(lines) + "\n"


def first_text(name: str, systems: Mapping[str, Mapping[str, Any]], first: FirstMapping) -> str:
    """The whole file. `name`: that of the group and of its integration connector."""
    head = [
        "# A first mapping, by `syncline init`: fields of equal name and type stand, the rest are comments.",
        f"# Next: `syncline check --online`, then `syncline plan {name}`.",
    ]
    body = ["connectors:", f"  - name: {scalar(name)}"]
    body += [f"    {side}: {scalar(first.systems[side])}" for side in Side]
    body += [
        "    refresh_interval: 5  # minutes",
        "    # start_polling: all  # or now, or a date; else the last change",
    ]
    body += [*_targets(first), "    entities:"]
    for pair in first.entities:
        body += _entity(pair, first.systems)
    body += _alone(first, "entity types", "      ")
    return "\n".join([*head, systems_text(name, systems) + "\n".join(body)]) + "\n"


def target_names(targets: Iterable[tuple[str, str]]) -> list[str]:
    """A name for each pair of projects, each another one."""
    names: list[str] = []
    for left, right in targets:
        plain = spelled_name(left or right or "default")
        names.append(plain if plain not in names else f"{plain[:58]}-{len(names) + 1}")
    return names


def spelled_name(text: str) -> str:
    """A text as a name of ours: a-z, 0-9 and '-'."""
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")[:63].strip("-") or "first"


def _targets(first: FirstMapping) -> Iterator[str]:
    if first.targets != (("", ""),):
        yield "    targets:"
        for name, (left, right) in zip(target_names(first.targets), first.targets, strict=True):
            given = {side: scope for side, scope in (("left", left), ("right", right)) if scope}
            yield f"      - {flow({'name': name, **given})}"
    yield from _alone(first, "projects", "      ")


def _entity(pair: TypePair, systems: Mapping[Side, str]) -> Iterator[str]:
    yield f"      - left: {scalar(pair.left)}"
    yield f"        right: {scalar(pair.right)}"
    yield "        fields:"
    for field in pair.rows:
        users = "  # users meet by e-mail address" if field.left.type is FieldType.USER else ""
        yield f"          - {_row(field)}{users}"
    for field in pair.not_yet:
        yield from _not_yet(field)
    for side in Side:
        if pair.only(side):
            yield f"          # Fields of {systems[side]} without a twin:"
            yield from (f"          #   {_told(field)}" for field in pair.only(side))
    if pair.comments:
        yield "        comments: true"


def _row(pair: FieldPair) -> str:
    row: dict[str, Any] = {"left": pair.left.name, "right": pair.right.name}
    return flow(row | ({"values": dict(pair.values)} if pair.values else {}))


def _not_yet(pair: FieldPair) -> Iterator[str]:
    yield f"          # Not yet: {shorten(pair.against, MOST_REASON, placeholder=' …')}"
    yield f"          # - {_row(pair)}"
    for side in Side:
        if pair.lacking(side):
            yield f"          #   on the {side} without an equal: {_list(pair.lacking(side))}"


def _told(field: FieldSchema) -> str:
    words = [str(field.type), *(word for word in ("multiple", "required", "read_only") if getattr(field, word))]
    label = f" ({scalar(field.label)})" if field.label and spelled(field.label) != spelled(field.name) else ""
    values = f": {_list(choice.name for choice in field.choices)}" if field.choices else ""
    return f"{scalar(field.name)}{label}, {', '.join(words).replace('_', ' ')}{values}"


def _alone(first: FirstMapping, what: str, indent: str) -> Iterator[str]:
    for side in Side:
        if names := first.alone[side].get(what, ()):
            yield f"{indent}# {what.capitalize()} of {first.systems[side]} without a twin: {_list(names)}"


def _list(names: Iterable[str]) -> str:
    every = list(names)
    more = f", … and {len(every) - MOST_VALUES} more" if len(every) > MOST_VALUES else ""
    return ", ".join(map(scalar, every[:MOST_VALUES])) + more
