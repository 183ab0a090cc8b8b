"""What goes in and out of `/api/v1`, for its description; bodies are also held to it.

Rule of this file: the words are those of INTERFACE.md. Answers are the command line's JSON, sent as it is: these models
describe it, and may lack a key that is new, but never have one that is not there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from console.api.access import MOST_ID, PLAIN

Plain = Annotated[str, StringConstraints(max_length=200, pattern=PLAIN)]
Entity = Annotated[str, StringConstraints(max_length=300, pattern=r"^(left|right):[^\x00-\x1f\x7f]+$")]
Id = Annotated[int, Field(ge=1, le=MOST_ID)]


class Body(BaseModel):
    """What is sent: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class RefreshBody(Body):
    """The options of a refresh, as on the command line. Nothing given: what changed, in all targets."""

    targets: list[Plain] = Field([], max_length=1000, description="Only these targets, by name.")
    entities: list[Entity] = Field([], max_length=1000, description="Only these entities, as left:ID or right:ID.")
    full: bool = Field(False, description="Read everything again; finds deleted entities too.")
    since: datetime | None = Field(None, description="What changed since this moment, instead of the last refresh.")
    dry_run: bool = Field(False, description="Write nothing; the answer has the `plan`. Always answers at once.")
    wait: bool = Field(True, description="Answer when it is done; else at once, with the id of the run.")


class Reason(Body):
    reason: str = Field("", max_length=2000, description="Why; kept in the audit log.")


class ResolveBody(Reason):
    """What a steward decided. All open conflicts of the pair are settled together."""

    take: Literal["left", "right"] | dict[str, Literal["left", "right"]] | None = Field(
        None, description="The side whose values win; or one for each field."
    )
    values: dict[str, str] = Field({}, description="Field -> value of one's own, in the terms of that field's side.")


class ManyFailures(Reason):
    """Which failures: by their ids, or all open ones."""

    ids: list[Id] | None = Field(None, max_length=10_000, description="Their ids.")
    all: bool = Field(False, description="All open ones, instead of ids.")
    connector: Plain | None = Field(None, description="With `all`: only those of this connector.")


class Sided(BaseModel):
    left: int = Field(description="Written on the left.")
    right: int = Field(description="Written on the right.")


class Report(BaseModel):
    """What a refresh did. Every key is always there."""

    connector: str
    run: str = Field(description="Its id, also that of the Prefect run.")
    outcome: Literal["done", "skipped", "coalesced", "failed", "requested"] = Field(
        description="requested: it has been asked for, without waiting."
    )
    started: str = Field(description="ISO 8601, UTC.")
    seconds: float
    mapping: str = Field(description="The version of the mapping in force.")
    values: str = Field(description="The version of the value tables in force.")
    dry_run: bool
    message: str
    created: Sided
    updated: Sided
    deleted: Sided
    comments: Sided
    attachments: Sided
    links: Sided
    requests: Sided = Field(description="Requests made to each side.")
    adopted: int
    halted: int
    held: int
    failed: int
    waiting: int
    skipped: dict[str, int] = Field(description="Reason -> how many; the reasons stand in docs/words.md.")
    targets: list[dict[str, Any]] = Field(description="The same counters for each target, with `name` and `error`.")
    plan: list[dict[str, Any]] | None = Field(
        None, description="Of a dry run, and of `runs/{id}`: {action, side, entity, fields, reason}."
    )


class End(BaseModel):
    system: str
    scope: str
    type: str
    id: str
    url: str | None
    key: str | None


class Link(BaseModel):
    """Which left entity is which right entity."""

    id: str
    connector: str
    target: str
    left: End
    right: End
    state: Literal["agreed", "held", "halted", "failed", "waiting"]
    held: list[dict[str, Any]] = Field(description="Fields that wait, and why.")


class Both(BaseModel):
    left: Any = None
    right: Any = None


class Conflict(BaseModel):
    """A field that both sides changed differently."""

    id: str
    connector: str
    link: str
    field: str
    fields: dict[str, str] = Field(description="The field's name on each side.")
    base: Both = Field(description="What each side held when they last agreed.")
    left: Any = None
    right: Any = None
    by: dict[str, str] = Field(description="Who changed it, where the system tells.")
    at: str | None
    state: Literal["open", "resolved", "agreed"]
    entities: dict[str, End] | None


class Failure(BaseModel):
    """An entity that failed alone."""

    id: str
    connector: str
    target: str
    entity: str = Field(description="left:ID or right:ID.")
    url: str | None
    action: str
    error: str
    attempts: int
    at: str | None
    next: str | None = Field(description="When it is tried again by itself.")
    state: Literal["open", "ignored", "done"]


class AuditLine(BaseModel):
    at: str | None
    who: str
    what: str
    connector: str
    run: str
    entity: str
    field: str
    before: Any = None
    after: Any = None
    reason: str


class Standing(BaseModel):
    """How a connector is doing."""

    name: str
    state: str = Field(
        description="INITIALIZED, WAITING, REFRESHING, RUNNING, STOPPED, INITIALIZE_FAILED, CONFIG_FAILED or FAILED."
    )
    active: bool
    since: str | None
    last_refresh: str | None
    next_refresh: str | None
    lag_s: float | None = Field(description="Seconds since the last refresh that went well.")
    halted: int
    held: int
    failed: int
    waiting: int
    message: str
    targets: list[dict[str, Any]]


class Connector(Standing):
    """How a connector is configured, and how it is doing."""

    description: str
    group: str = Field(description="The group that defines it.")
    groups: list[str] = Field(description="The groups that it runs in.")
    left: dict[str, Any] = Field(description="{system, kind, url}: ours.")
    right: dict[str, Any] = Field(description="{system, kind, url}: the third party.")
    service: str
    permitted_synchronization: str
    refresh_interval_s: float
    start_date: str | None
    stop_date: str | None
    entities: list[dict[str, Any]]


class Status(BaseModel):
    daemon: dict[str, Any] | None = Field(description="{pid, console_url, prefect_url}; null where none runs.")
    connectors: list[Standing]
    broken: list[dict[str, Any]] = Field(
        description="Why an edit of the configuration is not in force: {file, line, path, code, problem, remedy}."
    )


class Health(BaseModel):
    status: Literal["ok"]


class Activity(BaseModel):
    name: str
    active: bool
    changed: bool = Field(description="Whether it was otherwise before.")


class Ignored(BaseModel):
    ignored: int = Field(description="How many were put out of the way.")


class Group(BaseModel):
    """An integration group in force."""

    name: str
    file: str
    connectors: list[str]
    members: list[str]
    systems: dict[str, str] = Field(description="System -> its kind.")


class Kept(BaseModel):
    group: str
    findings: list[dict[str, Any]] = Field(description="Warnings: {file, line, path, severity, code, problem, remedy}.")


class Version(BaseModel):
    """One version of a connector's value tables."""

    version: int
    at: str
    who: str
    origin: Literal["disk", "upload", "rollback"]
    file: str
    hash: str
    copy_of: int | None
    in_force: bool


class VersionWithTables(Version):
    tables: dict[str, Any] = Field(description="Table -> what was read of it.")


class Difference(BaseModel):
    sheet: str
    change: Literal["added", "removed", "changed"]
    side: Literal["left", "right"] = Field(description="Where the value flows to.")
    value: str
    before: str | None
    after: str | None


class Upload(BaseModel):
    """What came of a workbook."""

    errors: int
    warnings: int
    version: int | None = Field(description="The version that it became; null where nothing was stored.")
    findings: list[dict[str, Any]] = Field(description="{sheet, cell, severity, kind, problem, remedy}")
    coverage: dict[str, list[dict[str, Any]]] = Field(description="{before, after}: how well each table covers.")
    diff: list[Difference] = Field(description="Against the version in force.")


class Rollback(Body):
    version: int = Field(ge=1, le=2**31 - 1, description="The version to take up again.")
