"""Routes: value tables in Excel: template, check, upload, versions, diff, rollback (SPEC C)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Path, Query, Response, UploadFile

from console import values
from console.api import models
from console.api.access import Monitor, Operator, Served, problems
from console.api.connectors import ConnectorName
from console.values import XLSX

router = APIRouter(prefix="/connectors/{name}/values", tags=["values"])

Workbook = Annotated[UploadFile, File(description="The workbook: .xlsx, .xlsm, .xls, .ods or .csv.")]
MaybeVersion = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="The one in force, if none is given.")]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="Its number.")]
_REFUSED = "Refused: it has errors, or warnings that nobody confirmed. Nothing was stored."
_BOOK: dict[str, Any] = {"content": {XLSX: {"schema": {"type": "string", "format": "binary"}}}}


@router.get(
    "", summary="The versions of the value tables", responses=problems(404) | {200: {"model": list[models.Version]}},
    response_model=None,
)  # fmt: skip
def versions(service: Served, _: Monitor, name: ConnectorName) -> list[dict[str, Any]]:
    """Who, when, from which file; oldest first, the last one is in force."""
    return values.versions(service, name)


@router.get("/template", summary="A workbook to fill in", response_class=Response,
            responses=problems(404, 502) | {200: _BOOK})  # fmt: skip
async def template(service: Served, _: Monitor, name: ConnectorName) -> Response:
    """One sheet for each mapped look-up or user field, with the live values of both systems."""
    return book(await values.template(service, name), f"{name}.xlsx")


@router.get("/export", summary="A version as a workbook", response_class=Response,
            responses=problems(404) | {200: _BOOK})  # fmt: skip
async def export(service: Served, _: Monitor, name: ConnectorName, version: MaybeVersion = None) -> Response:
    """It can be uploaded again as it is."""
    return book(await values.export(service, name, version), f"{name}-{version or 'in-force'}.xlsx")


@router.get(
    "/diff", summary="What changed between two versions",
    responses=problems(404) | {200: {"model": list[models.Difference]}}, response_model=None,
)  # fmt: skip
def diff(
    service: Served, _: Monitor, name: ConnectorName, before: Annotated[int, Query(ge=1, le=2**31 - 1)],
    after: MaybeVersion = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """From `before` to `after`, or to the one in force."""
    return values.diff(service, name, before, after)


@router.get(
    "/versions/{version}", summary="One version with its tables",
    responses=problems(404) | {200: {"model": models.VersionWithTables}}, response_model=None,
)  # fmt: skip
def show(service: Served, _: Monitor, name: ConnectorName, version: Number) -> dict[str, Any]:
    """The rows of each table, as they were read."""
    return values.show(service, name, version)


@router.post(
    "/check", summary="Look at a workbook", responses=problems(404, 413, 502) | {200: {"model": models.Upload}},
    response_model=None,
)  # fmt: skip
async def check(service: Served, _: Operator, name: ConnectorName, file: Workbook) -> dict[str, Any]:
    """What an upload would find, cover and change. Nothing is stored."""
    result = await values.check(service, name, await file.read(), file.filename or "workbook.xlsx")
    return result.as_json()


@router.post("/marked", summary="A workbook with its findings in it", response_class=Response,
             responses=problems(404, 413, 502) | {200: _BOOK})  # fmt: skip
async def marked(service: Served, _: Operator, name: ConnectorName, file: Workbook) -> Response:
    """A copy of the workbook: cells coloured, with comments, and a sheet of findings."""
    content, filename = await file.read(), file.filename or "workbook.xlsx"
    result = await values.check(service, name, content, filename)
    return book(await values.marked_up(content, filename, result.findings), f"{name}-findings.xlsx")


@router.post(
    "",
    summary="Upload a workbook",
    responses=problems(404, 413, 502)
    | {200: {"model": models.Upload}, 422: {"model": models.Upload, "description": _REFUSED}},
    response_model=None,
)
async def upload(
    service: Served, who: Operator, name: ConnectorName, response: Response, file: Workbook,
    confirm_warnings: Annotated[bool, Form(description="Store it although there are warnings.")] = False,
) -> dict[str, Any]:  # fmt: skip
    """Check it and make it the next version, in force from the next refresh on."""
    result = await values.store(
        service, name, await file.read(), file.filename or "workbook.xlsx",
        who=who.who, confirm_warnings=confirm_warnings,
    )  # fmt: skip
    if result.version is None:
        response.status_code = 422
    return result.as_json()


@router.post(
    "/rollback", summary="Put an earlier version in force again",
    responses=problems(404) | {200: {"model": models.Version}}, response_model=None,
)  # fmt: skip
def rollback(service: Served, who: Operator, name: ConnectorName, body: models.Rollback) -> dict[str, Any]:
    """As a new version: nothing of the history is lost."""
    return values.rollback(service, name, body.version, who=who.who)


def book(content: bytes, filename: str) -> Response:
    """A workbook as a download."""
    return Response(content, media_type=XLSX, headers={"Content-Disposition": f'attachment; filename="{filename}"'})
