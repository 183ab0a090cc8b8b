"""Routes: integration connectors, listed, refreshed, activated."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from console.api import models
from console.api.access import PLAIN, Monitor, Operator, Served, problems
from flows.report import RefreshOptions

router = APIRouter(prefix="/connectors", tags=["connectors"])

ConnectorName = Annotated[str, Path(max_length=63, pattern=PLAIN, description="The integration connector.")]


@router.get(
    "", summary="All integration connectors", responses=problems() | {200: {"model": list[models.Connector]}},
    response_model=None,
)  # fmt: skip
def connectors(service: Served, _: Monitor) -> list[dict[str, Any]]:
    """Each as it is configured, and how it is doing."""
    return service.connectors()


@router.get(
    "/{name}", summary="One integration connector", responses=problems(404) | {200: {"model": models.Connector}},
    response_model=None,
)  # fmt: skip
def connector(service: Served, _: Monitor, name: ConnectorName) -> dict[str, Any]:
    """As it is configured, and how it is doing."""
    return service.connector(name)


@router.post(
    "/{name}/refresh",
    summary="Refresh an integration connector",
    responses=problems(404, 409, 502)
    | {200: {"model": models.Report}, 202: {"model": models.Report, "description": "Asked for, not waited for."}},
    response_model=None,
)
async def refresh(
    service: Served, who: Operator, name: ConnectorName, response: Response, body: models.RefreshBody | None = None
) -> dict[str, Any]:
    """Through Prefect, like every refresh of the daemon; answers its report.

    A request during a refresh is kept and served once afterwards: its outcome is `coalesced`. A dry run writes
    nothing and answers the `plan`.
    """
    asked = body or models.RefreshBody.model_validate({})
    options = options_of(asked)
    if not (asked.wait or asked.dry_run):
        response.status_code = 202
    (report,) = await service.refresh([name], options, wait=asked.wait, who=who.who)
    return report


def options_of(body: models.RefreshBody) -> RefreshOptions:
    """The engine's options."""
    since = body.since.isoformat() if body.since else None
    return RefreshOptions.from_json({**body.model_dump(), "since": since})


@router.post(
    "/{name}/activate", summary="Let it run", responses=problems(404) | {200: {"model": models.Activity}},
    response_model=None,
)  # fmt: skip
def activate(service: Served, who: Operator, name: ConnectorName) -> dict[str, Any]:
    """It is refreshed at once, then on schedule. Outlasts a restart."""
    return service.set_active(name, True, who=who.who)


@router.post(
    "/{name}/deactivate", summary="Let it rest", responses=problems(404) | {200: {"model": models.Activity}},
    response_model=None,
)  # fmt: skip
def deactivate(service: Served, who: Operator, name: ConnectorName) -> dict[str, Any]:
    """What it has linked stays. Outlasts a restart."""
    return service.set_active(name, False, who=who.who)
