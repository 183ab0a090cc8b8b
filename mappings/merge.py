"""PLACEHOLDER: written next."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.entity import Value
from mappings.config import Side


@dataclass(frozen=True, slots=True)
class Held:
    """A value that could not be written to `side`: it waits, visibly (DESIGN.md, "Merge and plan", rule 3)."""

    side: Side
    value: Value
    code: str
    reason: str
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class RowState:
    """What both sides last agreed on for one field row. `known` is False before they ever agreed on anything."""

    left: Value = None
    right: Value = None
    origin: Side = Side.LEFT
    held: Held | None = None
    known: bool = True
