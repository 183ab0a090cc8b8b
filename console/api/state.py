"""Routes: how everything is doing, and what ran."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from console.api import models
from console.api.access import PLAIN, Limit, Monitor, Name, Served, problems

router = APIRouter(tags=["status"])


@router.get("/health", summary="Whether the daemon answers", response_model=models.Health)
def health() -> dict[str, str]:
    """For load balancers and probes; needs no token."""
    return {"status": "ok"}


@router.get(
    "/status", summary="How everything is doing", responses=problems() | {200: {"model": models.Status}},
    response_model=None,
)  # fmt: skip
def status(service: Served, _: Monitor) -> dict[str, Any]:
    """The daemon, and every integration connector with its targets: as `syncline status --json`."""
    return service.status()


@router.get(
    "/runs", summary="The last refreshes", responses=problems() | {200: {"model": list[models.Report]}},
    response_model=None,
)  # fmt: skip
def runs(service: Served, _: Monitor, connector: Name = None, limit: Limit = 100) -> list[dict[str, Any]]:
    """Their reports, newest first, without their plans."""
    return service.runs(connector, limit)


@router.get(
    "/runs/{id}", summary="One refresh", responses=problems(404) | {200: {"model": models.Report}},
    response_model=None,
)  # fmt: skip
def run(
    service: Served, _: Monitor, id: Annotated[str, Path(max_length=100, pattern=PLAIN, description="Its id.")]
) -> dict[str, Any]:
    """Its report, with the rows of its `plan`: every action, and why."""
    return service.run(id)
