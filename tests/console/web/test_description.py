"""The description of `/api/v1`, and that whatever is sent, it is answered as described and nothing fails inside.

Rule of this file: schemathesis makes the requests from the description itself; the world behind is a real one.
"""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from console.app import create_app
from console.auth import Tokens
from tests.console.web.served import Served

PATH = "/api/v1/openapi.json"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
BOUNDED = settings(
    max_examples=20, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


def operations() -> dict[str, Any]:
    """Every operation of the description, uploads aside (hostile files have tests of their own).

    It is made without a daemon: none of it depends on one.
    """
    described = create_app(None, Tokens({})).openapi()  # type: ignore[arg-type]
    found = [one.ok() for one in schemathesis.openapi.from_dict(described).get_all_operations()]
    return {one.label: one for one in found if not any("multipart" in body.media_type for body in one.body)}


OPERATIONS = operations()


NOTHING_TO_SEND = ("GET /api/v1/health", "GET /api/v1/status", "GET /api/v1/connectors", "GET /api/v1/groups")
"""Operations that nothing can be sent to wrongly."""
WAYS = [(label, GenerationMode.POSITIVE) for label in OPERATIONS]
WAYS += [(label, GenerationMode.NEGATIVE) for label in OPERATIONS if label not in NOTHING_TO_SEND]


@pytest.mark.parametrize(("label", "mode"), WAYS, ids=lambda one: getattr(one, "value", one))
@BOUNDED
@given(data=st.data())
async def test_whatever_is_sent_is_answered_as_described(
    served: Served, label: str, mode: GenerationMode, data: st.DataObject
) -> None:
    case = data.draw(OPERATIONS[label].as_strategy(generation_mode=mode))
    async with served.client() as client:
        case.headers.update(client.headers)
        asked = case.as_transport_kwargs(base_url=str(client.base_url))
        asked.pop("cookies", None)
        if isinstance(asked.get("data"), bytes | str):
            asked["content"] = asked.pop("data")
        answer = await client.request(**asked)
    case.validate_response(answer, checks=CHECKS)


async def test_every_operation_says_what_it_does_and_how_it_refuses(served: Served) -> None:
    async with served.client(None) as client:
        described = (await client.get(PATH)).json()
    operations = {
        f"{method} {path}": operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }
    assert len(operations) > 25
    for name, operation in operations.items():
        assert operation["summary"], name
        assert operation.get("description"), name
        if "health" in name:
            continue
        refusals = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert {"401", "403", "422"} <= set(refusals), name
        assert operation["security"], name
    assert set(described["components"]["schemas"]["Problem"]["required"]) >= {"what", "where", "remedy"}
