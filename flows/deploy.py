"""Integration connectors -> Prefect deployments: list, compare by hash, touch only what differs.

Rule of this file: what YAML says (interval, dates, tags, description) is ours and is written; a pause is the
operator's and is never touched. A deployment carries the hash of what it was made from as its version, and the tag
`inactive` while YAML does not want it to run: that is how an operator's paused schedule is told from ours.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    DeploymentScheduleUpdate,
    DeploymentUpdate,
    WorkPoolCreate,
)
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterTags,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.utilities.callables import parameter_schema

from flows.refresh import refresh
from flows.worker import SynclineWorker
from mappings.config import IntegrationConnector

A = TypeVar("A")
B = TypeVar("B")

POOL = "syncline"
TAG = "syncline"
INACTIVE = "inactive"
ENTRYPOINT = "flows.refresh.refresh"
SLUG = "refresh-interval"
ANCHOR = datetime(2020, 1, 1, tzinfo=UTC)
AT_ONCE = 2
"""Requests to the Prefect server at the same time."""
PAGE = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the deployment of one connector should look like. `interval` in seconds, 0: no schedule."""

    name: str
    description: str
    tags: tuple[str, ...]
    interval: float
    active: bool
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def anchor(self) -> datetime:
        """Runs of connectors with the same interval are spread over it by a hash of the name."""
        digest = hashlib.sha256(self.name.encode()).digest()
        return ANCHOR + timedelta(seconds=int.from_bytes(digest[:6]) % max(int(self.interval), 1))

    @property
    def all_tags(self) -> list[str]:
        return [TAG, *self.tags, *([] if self.active else [INACTIVE])]

    @property
    def version(self) -> str:
        """Hash of all that is written: equal means that there is nothing to write."""
        parts = [self.description, self.all_tags, self.interval, sorted(self.env.items()), ENTRYPOINT, _parameters()]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def schedule(self) -> IntervalSchedule | None:
        if not self.interval:
            return None
        return IntervalSchedule(interval=timedelta(seconds=self.interval), anchor_date=self.anchor, timezone="UTC")


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What reconciling did, as names of connectors.

    `paused`: by an operator. `ids`: the deployment of every connector.
    """

    created: tuple[str, ...]
    updated: tuple[str, ...]
    removed: tuple[str, ...]
    paused: tuple[str, ...]
    ids: Mapping[str, UUID]


def wanted(
    config: IntegrationConnector,
    groups: Sequence[str],
    now: datetime,
    env: Mapping[str, str] | None = None,
) -> Wanted:
    """The deployment of a connector at this moment: outside its dates it is inactive (SPEC A16)."""
    begun = config.start_date is None or config.start_date <= now
    ended = config.stop_date is not None and config.stop_date <= now
    tags = [f"group:{group}" for group in groups] + [f"system:{config.left}", f"system:{config.right}"]
    about = config.description or f"Keeps {config.left} and {config.right} in agreement."
    return Wanted(
        name=config.name,
        description=f"{about}\n\nGroup {', '.join(groups)}; left {config.left}, right {config.right}.",
        tags=tuple(dict.fromkeys(tags)),
        interval=config.refresh_interval,
        active=config.active and begun and not ended,
        env=env or {},
    )


async def reconcile(client: PrefectClient, deployments: Iterable[Wanted], pool: str = POOL) -> Reconciled:
    """Make the deployments of `pool` be exactly these. Reads all of them in pages, writes only those that differ."""
    await ensure_pool(client, pool)
    asked = {one.name: one for one in deployments}
    present = {found.name: found for found in await _present(client, pool)}
    created = [one for name, one in asked.items() if name not in present]
    removed = [found for name, found in present.items() if name not in asked]
    updated = [
        (asked[name], found) for name, found in present.items() if name in asked and _differs(asked[name], found)
    ]
    new_ids = await _each(created, lambda one: _create(client, pool, one))
    await _each(updated, lambda pair: _update(client, pool, *pair))
    await _each(removed, lambda found: client.delete_deployment(found.id))
    kept = {name: found for name, found in present.items() if name in asked}
    return Reconciled(
        created=tuple(one.name for one in created),
        updated=tuple(one.name for one, _ in updated),
        removed=tuple(found.name for found in removed),
        paused=tuple(name for name, found in kept.items() if paused_by_operator(found)),
        ids={name: found.id for name, found in kept.items()}
        | dict(zip((o.name for o in created), new_ids, strict=True)),
    )


def paused_by_operator(found: DeploymentResponse) -> bool:
    """Paused as a whole, or all its schedules switched off while YAML wants them to run."""
    switched_off = bool(found.schedules) and not any(schedule.active for schedule in found.schedules)
    return found.paused or (switched_off and INACTIVE not in found.tags)


def _differs(one: Wanted, found: DeploymentResponse) -> bool:
    return found.version != one.version


async def _each(inputs: Sequence[A], work: Callable[[A], Awaitable[B]]) -> list[B]:
    """`work` on each, a few at a time; answers in order. Raises what the first failure raised, and ends the others."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def bounded(one: A) -> B:
        async with slots:
            return await work(one)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(bounded(one)) for one in inputs]
    return [task.result() for task in tasks]


async def _create(client: PrefectClient, pool: str, one: Wanted) -> UUID:
    schedule = one.schedule
    return await client.create_deployment(
        flow_id=await client.create_flow_from_name(one.name),
        name=one.name,
        version=one.version,
        description=one.description,
        tags=one.all_tags,
        entrypoint=ENTRYPOINT,
        work_pool_name=pool,
        job_variables={"env": dict(one.env)} if one.env else {},
        parameter_openapi_schema=_parameters(),
        enforce_parameter_schema=True,
        schedules=[DeploymentScheduleCreate(schedule=schedule, active=one.active, slug=SLUG)] if schedule else [],
    )


async def _update(client: PrefectClient, pool: str, one: Wanted, found: DeploymentResponse) -> None:
    """Everything but the pause. A schedule that an operator switched off stays off until YAML itself activates it."""
    was_active = INACTIVE not in found.tags
    ours = [schedule for schedule in found.schedules if schedule.slug == SLUG]
    active = ours[0].active if ours and was_active == one.active else one.active
    for schedule in found.schedules:
        if schedule.slug != SLUG or one.schedule is None:
            await client.delete_deployment_schedule(found.id, schedule.id)
    update = DeploymentUpdate(
        version=one.version,
        description=one.description,
        tags=one.all_tags,
        entrypoint=ENTRYPOINT,
        work_pool_name=pool,
        job_variables={"env": dict(one.env)} if one.env else {},
        parameter_openapi_schema=_parameters(),
        enforce_parameter_schema=True,
    )
    if one.schedule is not None:
        update.schedules = [DeploymentScheduleUpdate(schedule=one.schedule, active=active, slug=SLUG)]
    await client.update_deployment(found.id, update)


async def ensure_pool(client: PrefectClient, pool: str = POOL) -> None:
    """Create the work pool if it is missing. One that is there is used as it is, whatever its type."""
    try:
        await client.read_work_pool(pool)
    except ObjectNotFound:
        template = SynclineWorker.get_default_base_job_template()
        try:
            await client.create_work_pool(
                WorkPoolCreate(name=pool, type=SynclineWorker.type, base_job_template=template)
            )
        except ObjectAlreadyExists:
            return


async def _present(client: PrefectClient, pool: str) -> list[DeploymentResponse]:
    found: list[DeploymentResponse] = []
    while True:
        page = await client.read_deployments(
            deployment_filter=DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG])),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
            limit=PAGE,
            offset=len(found),
        )
        found += page
        if len(page) < PAGE:
            return found


@cache
def _parameters() -> dict[str, Any]:
    """The parameter form that Prefect's UI shows."""
    return parameter_schema(refresh.fn).model_dump()
