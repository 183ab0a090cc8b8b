"""Routes: integration groups, as YAML."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import PlainTextResponse

from console.api import models
from console.api.access import PLAIN, Administrator, Monitor, Served, problems
from console.problems import Refused
from mappings.config import NAME

router = APIRouter(prefix="/groups", tags=["groups"])

GroupName = Annotated[str, Path(max_length=63, pattern=PLAIN, description="The integration group.")]
YAML = "application/yaml"
_TEXT: dict[str, Any] = {YAML: {"schema": {"type": "string"}}}


@router.get(
    "", summary="The integration groups in force", responses=problems() | {200: {"model": list[models.Group]}},
    response_model=None,
)  # fmt: skip
def groups(service: Served, _: Monitor) -> list[dict[str, Any]]:
    """What each defines and which connectors of others run in it too."""
    return service.groups()


@router.get(
    "/{name}", summary="One group, as YAML", response_class=PlainTextResponse,
    responses=problems(404) | {200: {"content": _TEXT, "description": "The file, with its comments."}},
)  # fmt: skip
def group(service: Served, _: Monitor, name: GroupName) -> PlainTextResponse:
    """As `PUT` takes it. There is no secret in it: YAML only says where secrets are."""
    return PlainTextResponse(service.group_text(name), media_type=YAML)


@router.put(
    "/{name}",
    summary="Configure a group",
    responses=problems() | {200: {"model": models.Kept}},
    response_model=None,
    openapi_extra={"requestBody": {"required": True, "content": _TEXT, "description": "The whole group as YAML."}},
)
async def put_group(service: Served, who: Administrator, name: GroupName, request: Request) -> dict[str, Any]:
    """Replace or add an integration group. JSON will do: it is YAML.

    It is looked at together with all other groups. With any error nothing is changed, and `findings` has all of them.
    Otherwise it is kept as a file and in force when this answers.
    """
    if not NAME.fullmatch(name):
        raise Refused(422, f"{name!r} is no name", "Use 1 to 63 of a-z, 0-9 and '-'.", where="name")
    try:
        text = (await request.body()).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(400, "The body is not UTF-8 text", "Send the group as YAML.", where="body") from None
    return {"group": name, "findings": await service.put_group(name, text, who=who.who)}
