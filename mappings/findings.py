"""Findings: what is wrong with a configuration, where, and what a person does about it.

Rule of this file: every code stands here once, with its general remedy, and in docs/words.md (a test holds the two
together). A finding never carries the value of a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

Severity = Literal["error", "warning"]
Where = tuple[str | int, ...]
"""A place in a document: keys and indexes from its top."""

CODES: dict[str, str] = {
    # reading
    "no_configuration": "Name a file or folder with an integration group (--config).",
    "unreadable": "Make the file readable, as UTF-8 text.",
    "yaml_syntax": "Mend the YAML at this line.",
    "not_a_group": "Give the file a top-level `group:` key with the group's name.",
    "duplicate_key": "Keep one of the two.",
    "unknown_key": "Use one of the allowed keys.",
    "missing_key": "Add the key.",
    "unknown_word": "Use one of the allowed words.",
    "wrong_type": "Write a value of the type that the key takes.",
    "bad_value": "Write a value that the key takes.",
    # names
    "duplicate_group": "Give one of the two groups another name.",
    "duplicate_connector": "Give one of the two another name, or list it under `members:` instead.",
    "duplicate_system": "Define the system once, or give one of the two another name.",
    "duplicate_target": "Give one of the two targets another name.",
    "unknown_connector": "Name a connector of this configuration.",
    "unknown_member": "Name a connector that a group of this configuration defines.",
    "unknown_system": "Name a system that stands under `systems:`.",
    "unknown_service": "Use one of the services in docs/integration-services.md.",
    # systems
    "unknown_kind": "Use a known kind, or the dotted name of a class beside the YAML (my_file.MyConnector).",
    "plain_secret": "Say where the secret is: {env: NAME}, {file: path}, {block: name} or {secret: name}.",
    "bad_reference": "Write one of {env: NAME}, {file: path}, {block: name}, {secret: name}.",
    "unresolved_reference": "Set the variable, or create the file, block or secret.",
    # sense
    "same_system": "Let left and right name two systems, or two different projects of one.",
    "widens": "Narrow it to what its parent permits, or widen the parent.",
    "never_runs": "Let stop_date be after start_date.",
    "duplicate_field_row": "Keep one row for this pair of fields.",
    "two_writers": "Keep one of the rows, or give them opposite directions.",
    "direction_clash": "Change the row's direction, or permitted_synchronization.",
    "lossy_values": "Choose the way back under `back:`, or make the row flow one way.",
    "ambiguous_values": "Keep one row for this value.",
    "unknown_back": "Let `back:` name right values of the table, and left values that become them.",
    "two_tables": "Keep `values:` or `values_from:`.",
    "no_workbook": "Name the workbook at the connector (`workbook:`).",
    "missing_workbook": "Put the workbook there, or upload one with `syncline values upload`.",
    "bad_workbook": "Mend the workbook; `syncline values check NAME FILE` names every cell.",
    "doubtful_workbook": "See with `syncline values check NAME FILE` whether it matters to you.",
    "source_and_constant": "Leave out the source field, or the constant or template.",
    "no_default": "Give `default:` for the side to fill, or another direction.",
    "idle_default": "Leave the default out, or let values flow to that side.",
    "bad_condition": "Write {field: {operator: value}}, or all:, any:, not: over such conditions.",
    "unknown_operator": "Use one of the operators in docs/configuration.md.",
    "bad_operand": "Write the kind of value that the operator takes.",
    "never_matches": "Move the row up, or give the earlier one criteria.",
    "look_up_without_fields": "Name the fields that the look-up compares: left and right.",
    "overwrites_edits": "Leave `overwrite` out, or let the row flow one way.",
    "mark_without_fields": "Say what is written: deletes: {policy: mark, mark: {left: {…}, right: {…}}}.",
    "not_supported": "Leave it out for now.",
    # of the systems themselves
    "unreachable": "Check host and port in `url`, the network, and that the system runs.",
    "wrong_credentials": "Mend the credentials of this system.",
    "unusable_system": "Mend what this system is configured with.",
    "system_warning": "See whether it matters to you.",
    "unknown_project": "Name a project that the system has, and that the account may see.",
    "unknown_type": "Name an entity type that the system has.",
    # against the schemas of the systems
    "unknown_field": "Use a field that the entity type has.",
    "unknown_value": "Use a value that the field has.",
    "unfed_required": "Map a field to it, or give it a constant or a default.",
    "read_only": "Map another field, or let the row flow the other way.",
    "unconvertible": "Map a field of a type that fits, or use a value table.",
    "unmapped_value": "Add a row for the value.",
    "too_many_values": "Map to a field that takes several values, or use a condition.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `line` counts from 1; 0 where none is known. `path` reads `connectors[0].left`."""

    file: str
    line: int
    path: str
    severity: Severity
    code: str
    problem: str
    remedy: str

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"{self.code!r} is no code of mappings.findings.CODES")

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in Finding.__slots__}

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.severity}: {self.path + ': ' if self.path else ''}{self.problem}. {self.remedy}"


class ConfigurationErrors(Exception):
    """A configuration that cannot be used; `findings` has every reason."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(map(str, self.findings)))


def path_text(where: Where) -> str:
    """`("connectors", 0, "left")` as `connectors[0].left`."""
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(word: str, allowed: Iterable[str], what: str = "Allowed") -> str:
    """A remedy for a wrong word: the nearest allowed ones, and where there are none, all of them."""
    words = list(dict.fromkeys(allowed))
    folded = {known.casefold(): known for known in reversed(words)}
    near = [folded[fold] for fold in get_close_matches(word.casefold(), folded, n=3, cutoff=0.6)]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    shown = words if len(words) <= 30 else [*words[:30], "…"]
    return f"{what}: {', '.join(shown)}." if words else f"{what}: none."


def file_text(file: Path) -> str:
    """A path as people see it: relative to where they stand if it is below, else as it is."""
    try:
        return str(file.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(file)
