"""The flow of every integration connector: one refresh, as a Prefect run.

Rule of this file: it only carries. Parameters go in as options, the report comes out as state, artifacts and events;
what a refresh does is the engine's, whether it may run now is the lease's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from prefect import State, flow, get_run_logger
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.runtime import deployment
from prefect.states import Completed, Failed

from connectors.errors import ConnectorError
from flows import runtime
from flows.engine import refresh_connector
from flows.report import RefreshOptions, Report
from flows.show import changed, failed, halted, one_line, plan_table, report_markdown
from flows.tasks import prefect_step


@flow(name="refresh", persist_result=False, validate_parameters=True)
async def refresh(
    targets: Sequence[str] = (),
    entities: Sequence[str] = (),
    full: bool = False,
    since: datetime | None = None,
    dry_run: bool = False,
) -> State[None]:
    """Bring both sides of this integration connector into agreement: fetch, map, filter, write.

    Args:
        targets: Only these targets, by name. Empty: all of them.
        entities: Only these entities, as left:ID or right:ID. Empty: everything that changed.
        full: Read everything again instead of only what changed. Finds deleted entities too.
        since: Read what changed since this moment, instead of since the last refresh.
        dry_run: Write nothing. The artifact "plan" shows what would be done, and why.
    """
    name, run = _connector(), _flow_run()
    options = RefreshOptions(tuple(targets), tuple(entities), full, _aware(since), dry_run)
    logger = get_run_logger()
    logger.info(
        "%s: refresh begins (%s)", name, "dry run" if dry_run else "scheduled" if run.auto_scheduled else "asked"
    )
    work = runtime.shared()
    await work.look_again()
    try:
        report = await refresh_connector(
            work,
            name,
            options,
            step=prefect_step,
            run_id=str(run.id),
            requested=not run.auto_scheduled,
        )
    except ConnectorError as error:
        emit_event("syncline.failure", resource=_resource(name), payload={"message": str(error)})
        return Failed(message=f"{name}: {error}")
    logger.info(one_line(report))
    await _publish(report)
    return state_of(report)


def state_of(report: Report) -> State[None]:
    """How the run ends in Prefect. Skipped and coalesced runs are no failures; an unreachable system is one."""
    message = one_line(report)
    if report.outcome == "failed":
        return Failed(message=message)
    name = report.outcome.capitalize() if report.outcome in ("skipped", "coalesced") else None
    return Completed(name=name, message=report.message or message if name else message)


async def _publish(report: Report) -> None:
    """Artifacts and events of a refresh. One that found nothing leaves none: it happens every minute."""
    name = report.connector
    if report.dry_run and report.outcome == "done":
        await acreate_table_artifact(plan_table(report), key=f"{name}-plan", description=one_line(report))
    if report.dry_run:
        return
    if changed(report):
        await acreate_markdown_artifact(report_markdown(report), key=f"{name}-report", description=one_line(report))
    happened = {"refreshed": changed(report), "conflict": halted(report), "failure": failed(report)}
    for event in (word for word, so in happened.items() if so):
        emit_event(f"syncline.{event}", _resource(name), payload={"message": one_line(report), **report.as_json()})


def _resource(name: str) -> dict[str, Any]:
    return {"prefect.resource.id": f"syncline.connector.{name}", "prefect.resource.name": name}


def _connector() -> str:
    """The connector that this run refreshes: the flow's name, or the deployment's where a worker loaded the flow."""
    context = FlowRunContext.get()
    if context is not None and context.flow is not None and context.flow.name != refresh.name:
        return context.flow.name
    return str(deployment.name or refresh.name)


def _flow_run() -> FlowRun:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("The refresh flow runs within a flow run.")
    return context.flow_run


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
