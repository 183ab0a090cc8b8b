"""The configuration as its user writes it (INTERFACE.md, "YAML"): a group, its systems and integration connectors.

Rule of this file: it says what may be written, and nothing of where it came from (`load.py`) or whether it makes sense
against live systems (`check.py`). Everything is frozen, unknown keys are refused, every key is described.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
T = TypeVar("T")


class Model(BaseModel):
    """Base of every part of a configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Side(StrEnum):
    """Left is ours, right is the third party."""

    LEFT = "left"
    RIGHT = "right"

    @property
    def other(self) -> Side:
        return Side.RIGHT if self is Side.LEFT else Side.LEFT


class Sides(Model, Generic[T]):
    """Something given for the left side, the right side, or both."""

    left: T | None = Field(None, description="For the left side.")
    right: T | None = Field(None, description="For the right side.")

    def of(self, side: Side) -> T | None:
        return self.left if side is Side.LEFT else self.right


class Direction(StrEnum):
    BOTH = "both"
    LEFT_TO_RIGHT = "left_to_right"
    RIGHT_TO_LEFT = "right_to_left"
    NONE = "none"

    def writes(self, side: Side) -> bool:
        """Whether values flow to this side."""
        return self is Direction.BOTH or self is (
            Direction.LEFT_TO_RIGHT if side is Side.RIGHT else Direction.RIGHT_TO_LEFT
        )


class PermittedSynchronization(StrEnum):
    """SPEC A6. Right is the third party."""

    TO_THIRD_PARTY = "TO_THIRD_PARTY"
    FROM_THIRD_PARTY = "FROM_THIRD_PARTY"
    BOTH_DIRECTIONS = "BOTH_DIRECTIONS"

    def writes(self, side: Side) -> bool:
        """Whether this side may be written."""
        return self is PermittedSynchronization.BOTH_DIRECTIONS or self is (
            PermittedSynchronization.TO_THIRD_PARTY if side is Side.RIGHT else PermittedSynchronization.FROM_THIRD_PARTY
        )

    def widens(self, parent: PermittedSynchronization) -> bool:
        """Whether this permits a write that the parent does not."""
        return any(self.writes(side) and not parent.writes(side) for side in Side)


OnConflict = Literal["halt", "halt_field", "left", "right", "latest"]
OnAdopt = Literal["left", "right", "fill", "halt"]
SyncOn = Literal["both", "create", "update"]


def seconds(value: object) -> object:
    """`"30s"`, `"5m"`, `"24h"`, `"7d"` as seconds; numbers and digits are returned as they are."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|d)\s*", value) if isinstance(value, str) else None
    if match is None:
        return value
    return float(match[1]) * {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}[match[2]]


def _interval(value: object) -> object:
    """A refresh interval: whole minutes, or seconds with a unit. Answers seconds."""
    if isinstance(value, bool):
        raise ValueError('write whole minutes (5), or seconds with their unit ("30s")')
    if isinstance(value, str) and not value.strip().isdigit():
        with_unit = seconds(value)
        if isinstance(with_unit, str):
            raise ValueError('write whole minutes (5), or seconds with their unit ("30s")')
        return with_unit
    if isinstance(value, float) and value != int(value):
        raise ValueError('write whole minutes (5), or seconds with their unit ("30s")')
    return int(value) * 60 if isinstance(value, int | float | str) else value


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError("a name is 1 to 63 of a-z, 0-9 and '-', and starts with a letter or digit")
    return value


def _no_number(value: object) -> object:
    """20261101 would be read as seconds since 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and value.strip().isdigit()):
        raise ValueError("write a date or time as 2026-11-21 or 2026-11-21T08:00Z")
    return value


def _aware(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _text(value: object) -> object:
    """Values of a table are text as written; numbers and booleans that slipped through become their YAML text."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int | float) else value


Name = Annotated[str, AfterValidator(_name)]
Moment = Annotated[datetime, BeforeValidator(_no_number), AfterValidator(_aware)]
Seconds = Annotated[float, BeforeValidator(seconds), Field(ge=0)]
Interval = Annotated[float, BeforeValidator(_interval), Field(ge=0)]
Text = Annotated[str, BeforeValidator(_text)]
StartPolling = Literal["default", "all", "now"] | Moment
Condition = dict[str, Any]
"""A portable condition; `criteria.parse` says what it may hold."""


class ColumnsBack(Model):
    left: str = Field(description="Column with the left values of the way back: a letter or a header.")
    right: str = Field(description="Column with the right values of the way back: a letter or a header.")


class ValuesFrom(Model):
    """A sheet of the connector's workbook: as its template makes it, or any columns of any workbook."""

    sheet: str = Field(description="Name of the sheet.")
    left: str | None = Field(None, description="Column with the left values: a letter or a header.")
    right: str | None = Field(None, description="Column with the right values: a letter or a header.")
    back: ColumnsBack | None = Field(None, description="Other columns for the way from right to left.")


class SyncOnEach(Model):
    left_to_right: SyncOn = Field("both", description="When values flow to the right.")
    right_to_left: SyncOn = Field("both", description="When values flow to the left.")


class FieldRow(Model):
    """One row of the mapping: a pair of fields, or one field that is filled without a source."""

    left: str | None = Field(None, description="Field of the left side.")
    right: str | None = Field(None, description="Field of the right side.")
    direction: Direction = Field(Direction.BOTH, description="both, left_to_right, right_to_left or none.")
    values: dict[Text, Text] | None = Field(None, description="Value table: left value -> right value.")
    values_from: ValuesFrom | None = Field(None, description="Value table in the connector's workbook.")
    back: dict[Text, Text] | None = Field(None, description="The way back where several values become one.")
    default: Sides[Any] = Field(default_factory=lambda: Sides[Any](), description="What is written by the policies.")
    constant: Any = Field(None, description="Always this value, where the row has no source field.")
    template: str | None = Field(None, description="Text computed from the source: 'Ticket {id}: {summary}'.")
    on_empty: Literal["default", "write_empty", "hold", "fail"] = Field("default", description="Source is empty.")
    on_unmapped: Literal["hold", "default", "keep", "fail"] = Field("hold", description="Value without a row.")
    on_unknown_user: Literal["hold", "default", "keep", "fail"] = Field("hold", description="No such user there.")
    on_conflict: OnConflict | None = Field(None, description="Overrides the entity's on_conflict for this field.")
    overwrite: bool = Field(False, description="Put a value that others changed on the target back; sets: replace.")
    sync_on: SyncOn | SyncOnEach = Field("both", description="create, update or both; per direction if needed.")
    if_: Sides[Condition] | None = Field(
        None, validation_alias=AliasChoices("if", "if_"), serialization_alias="if", description="Only where this holds."
    )

    @model_validator(mode="after")
    def _has_a_field(self) -> FieldRow:
        if self.left is None and self.right is None:
            raise ValueError("a row names a left field, a right field, or both")
        return self

    @property
    def key(self) -> str:
        """Identifies the row within its entity row: `left=right`."""
        return f"{self.left or ''}={self.right or ''}"

    def name(self, side: Side) -> str | None:
        return self.left if side is Side.LEFT else self.right

    def sync_to(self, side: Side) -> SyncOn:
        if isinstance(self.sync_on, str):
            return self.sync_on
        return self.sync_on.left_to_right if side is Side.RIGHT else self.sync_on.right_to_left


class SideCriteria(Model):
    if_: Condition | None = Field(
        None, validation_alias=AliasChoices("if", "if_"), serialization_alias="if", description="Portable condition."
    )
    native: str | None = Field(None, description="Condition in the system's own query language.")


class Criteria(Sides[SideCriteria]):
    keep: Literal["once_in", "while_holds"] = Field(
        "once_in", description="Once in, always in; or only while it holds."
    )


class LookUp(Model):
    """How an existing twin is found before one is created."""

    left: str | None = Field(None, description="Field of the left side to compare.")
    right: str | None = Field(None, description="Field of the right side to compare.")
    none: Literal["create", "skip", "fail"] = Field("create", description="No twin found.")
    one: Literal["adopt", "create", "skip", "fail"] = Field("adopt", description="One twin found.")
    many: Literal["fail", "adopt", "create", "skip"] = Field("fail", description="Several found (adopt: the oldest).")


class Comments(Model):
    kinds: dict[str, str] = Field(
        default_factory=lambda: {"public": "public", "private": "private"}, description="Left kind -> right kind."
    )
    direction: Direction = Field(Direction.BOTH, description="Which way comments flow.")
    deletes: Literal["skip", "delete"] = Field("skip", description="What happens to the twin of a deleted comment.")


class Attachments(Model):
    max_size: str = Field("50 MB", description="Larger files are left out and reported.")


class Fuse(Model):
    count: int = Field(25, ge=0, description="Halt when one refresh would delete more than this many.")
    percent: float = Field(5.0, ge=0, le=100, description="… or more than this share of the linked pairs.")


class Deletes(Model):
    policy: Literal["skip", "mark", "archive", "delete", "recreate"] = Field(
        "skip", description="What happens to the twin of a deleted entity."
    )
    mark: Sides[dict[str, Any]] = Field(
        default_factory=lambda: Sides[dict[str, Any]](),
        description="policy mark: fields written on the one that stays.",
    )
    check_every: Seconds = Field(86400.0, description="Every linked pair is looked at within this time (24h).")
    fuse: Fuse = Field(default_factory=Fuse, description="Halts a refresh that would delete too much.")


class EntityRow(Model):
    """One pair of entity types and how their fields map."""

    left: str = Field(description="Entity type of the left side.")
    right: str = Field(description="Entity type of the right side.")
    criteria: Criteria = Field(default_factory=Criteria, description="Which entities take part.")
    look_up: LookUp | None = Field(None, description="Find an existing twin before creating one.")
    on_adopt: OnAdopt = Field("fill", description="How fields that differ at adoption are settled.")
    on_conflict: OnConflict = Field("halt", description="Both sides changed the same field differently.")
    start_polling: StartPolling | None = Field(None, description="Overrides the connector's.")
    fields: tuple[FieldRow, ...] = Field(description="The field rows.", min_length=1)
    comments: Comments | None = Field(None, description="true, or how comments are synchronised.")
    attachments: Attachments | None = Field(None, description="true, or how attachments are synchronised.")
    links: dict[str, str] | None = Field(None, description="Link types: left -> right.")
    remote_id: Sides[str] | None = Field(None, description="Fields that receive the twin's id.")
    remote_link: Sides[str] | None = Field(None, description="Fields that receive the twin's URL.")

    @model_validator(mode="before")
    @classmethod
    def _true_is_default(cls, data: Any) -> Any:
        """`comments: true` is all defaults, `false` is off."""
        if not isinstance(data, dict):
            return data
        switches: dict[str, dict[str, Any] | None] = {"true": {}, "yes": {}, "false": None, "no": None}
        return {
            k: switches.get(str(v).lower(), v) if k in ("comments", "attachments") and isinstance(v, bool | str) else v
            for k, v in data.items()
        }

    @property
    def key(self) -> str:
        return f"{self.left}={self.right}"

    def type(self, side: Side) -> str:
        return self.left if side is Side.LEFT else self.right


class Target(Model):
    """What a connector works on: a pair of projects. May override what stands at the connector."""

    name: Name = Field(description="Name of the target, unique in its connector.")
    left: str = Field("", description="Project of the left system.")
    right: str = Field("", description="Project of the right system.")
    active: bool = Field(True, description="Whether it takes part in refreshes.")
    permitted_synchronization: PermittedSynchronization | None = Field(None, description="May narrow the connector's.")
    metadata_source_qualified_name: str | None = Field(None, description="Provenance of what is created here.")
    deletes: Deletes | None = Field(None, description="Overrides the connector's.")
    start_polling: StartPolling | None = Field(None, description="Overrides the connector's.")
    properties: dict[str, Any] = Field(default_factory=dict, description="Configuration properties of this target.")

    def scope(self, side: Side) -> str:
        return self.left if side is Side.LEFT else self.right


class IntegrationConnector(Model):
    """A named unit that exchanges entities between two systems (SPEC A2)."""

    name: Name = Field(description="Flow, deployment and log prefix; unique over all groups.")
    was: Name | None = Field(None, description="Its former name: renames without doubling.")
    description: str = Field("", description="For people.")
    active: bool = Field(True, description="Inactive connectors are kept, not run.")
    left: str = Field(description="Name of the left system: ours.")
    right: str = Field(description="Name of the right system: the third party.")
    service: str = Field("work-item-integrator", description="Integration service; gives the default direction.")
    permitted_synchronization: PermittedSynchronization | None = Field(None, description="May narrow the service's.")
    refresh_interval: Interval = Field(0.0, description='Minutes, or "30s"; 0 = at start and on request only.')
    uses_blocking_calls: bool = Field(False, description="A listener of its own reacts to each event at once.")
    start_date: Moment | None = Field(None, description="No refreshes before.")
    stop_date: Moment | None = Field(None, description="No refreshes after.")
    connector_user_id: str | None = Field(None, description="User id towards the metadata access point.")
    metadata_source_qualified_name: str | None = Field(None, description="Provenance of what it creates.")
    start_polling: StartPolling = Field(
        "default", description="Entities changed after this take part (default: by kind of system)."
    )
    workbook: str | None = Field(None, description="Excel workbook with its value tables.")
    on_mapping_change: Literal["apply", "new_only", "ask"] = Field(
        "apply", description="A changed mapping: do it, for new pairs only, or ask."
    )
    deletes: Deletes = Field(default_factory=Deletes, description="Policy, fuse and how often absence is looked for.")
    targets: tuple[Target, ...] = Field((), description="Left out where a system has no projects.")
    entities: tuple[EntityRow, ...] = Field(description="Pairs of entity types; the first that matches wins.")

    def system(self, side: Side) -> str:
        return self.left if side is Side.LEFT else self.right

    def each_target(self) -> tuple[Target, ...]:
        """The targets, or the one nameless pair of scopes where none is listed (SPEC A13)."""
        return self.targets or (Target(name="default"),)


class System(BaseModel):
    """A system as written. Only `kind` is known here; the kind's own model checks the rest."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field(description="Kind of system, or a dotted class of your own.")


class Group(Model):
    """An integration group: one YAML file (SPEC A12)."""

    group: Name = Field(description="Name of the group.")
    members: tuple[Name, ...] = Field((), description="Connectors of other groups that also run in this one.")
    user_id: str = Field("syncline", description="The daemon's own user id.")
    systems: dict[Name, System] = Field(default_factory=dict, description="Name -> how it is reached.")
    connectors: tuple[IntegrationConnector, ...] = Field((), description="The integration connectors.")


def permitted(connector: IntegrationConnector, target: Target, service: PermittedSynchronization) -> frozenset[Side]:
    """The sides that may be written: service, connector and target each narrow, none widens (SPEC A6)."""
    levels = (service, connector.permitted_synchronization, target.permitted_synchronization)
    return frozenset(side for side in Side if all(level is None or level.writes(side) for level in levels))
