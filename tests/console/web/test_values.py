"""Value tables over the web: brought, looked at, put into force, compared, taken up again."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest

from console.auth import Role
from tests.console.web.served import NAME, Served
from tests.console.web.test_access import csrf, log_in
from tests.flows.world import FIELDS, World
from tests.mappings.sheets import xlsx

API = f"/api/v1/connectors/{NAME}/values"
PAGE = f"/connectors/{NAME}/values"
HEADER = ["ours", "theirs", "Way back"]
ALL = [HEADER, ["new", "new"], ["open", "open"], ["closed", "closed"]]
TURNED = [HEADER, ["new", "closed"], ["open", "open"], ["closed", "new"]]
PART = [HEADER, ["new", "new"], ["open", "open"]]
TWICE = [HEADER, ["new", "new"], ["new", "open"]]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Tickets whose status is mapped by a workbook."""
    fields = [{**field, "values_from": {"sheet": "status"}} if field["left"] == "status" else field for field in FIELDS]
    made = World(tmp_path, row={"fields": fields}, workbook="values.xlsx")
    yield made
    await made.close()


def book(rows: Any) -> dict[str, Any]:
    """A workbook as a form sends it."""
    return {"file": ("mine.xlsx", xlsx({"status": rows}))}


async def test_an_upload_is_a_version_in_force_and_a_rollback_another_one(admin: httpx.AsyncClient) -> None:
    first = (await admin.post(API, files=book(ALL))).json()
    assert (first["errors"], first["version"]) == (0, 1)
    second = (await admin.post(API, files=book(TURNED))).json()
    assert second["version"] == 2
    assert {row["value"] for row in second["diff"]} == {"new", "closed"}
    assert (await admin.get(f"{API}/diff", params={"before": 1})).json() == second["diff"]
    assert (await admin.post(f"{API}/rollback", json={"version": 1})).json()["version"] == 3
    listed = (await admin.get(API)).json()
    assert [(one["version"], one["origin"], one["in_force"]) for one in listed] == [
        (1, "upload", False), (2, "upload", False), (3, "rollback", True),
    ]  # fmt: skip
    assert {one["who"] for one in listed} == {"administrator"}
    assert (await admin.get(f"{API}/versions/2")).json()["tables"]


async def test_errors_refuse_a_workbook_and_warnings_want_a_word(admin: httpx.AsyncClient) -> None:
    refused = await admin.post(API, files=book(TWICE), data={"confirm_warnings": "true"})
    assert refused.status_code == 422
    assert refused.json()["errors"]
    assert refused.json()["findings"][0]["cell"]
    warned = await admin.post(API, files=book(PART))
    assert (warned.status_code, warned.json()["version"]) == (422, None)
    assert warned.json()["warnings"]
    assert (await admin.post(API, files=book(PART), data={"confirm_warnings": "true"})).json()["version"] == 1


async def test_looking_at_a_workbook_stores_nothing(admin: httpx.AsyncClient) -> None:
    looked = (await admin.post(f"{API}/check", files=book(ALL))).json()
    assert (looked["errors"], looked["version"]) == (0, None)
    assert looked["coverage"]["after"]
    assert (await admin.get(API)).json() == []


async def test_template_export_and_marked_copy_are_workbooks(admin: httpx.AsyncClient) -> None:
    await admin.post(API, files=book(ALL))
    for answer in (
        await admin.get(f"{API}/template"),
        await admin.get(f"{API}/export"),
        await admin.post(f"{API}/marked", files=book(TWICE)),
    ):
        assert answer.status_code == 200, answer.text
        assert "status" in openpyxl.load_workbook(io.BytesIO(answer.content)).sheetnames
        assert answer.headers["content-disposition"].startswith("attachment")


async def test_a_person_looks_at_a_workbook_before_it_is_in_force(served: Served) -> None:
    async with served.client(None) as browser:
        await log_in(browser, Role.OPERATOR, "ann")
        word = {"csrf": await csrf(browser)}
        looked = await browser.post(f"{PAGE}/check", files=book(PART), data=word)
        assert "Put it in force all the same" in looked.text
        assert "closed" in looked.text
        found = re.search(r'name="id" value="([^"]+)"', looked.text)
        assert found
        marked = await browser.post(f"{PAGE}/marked", data={**word, "id": found[1]})
        assert openpyxl.load_workbook(io.BytesIO(marked.content)).sheetnames
        done = await browser.post(f"{PAGE}/upload", data={**word, "id": found[1]}, follow_redirects=True)
        assert "Version 1 is in force" in done.text
        again = await browser.post(f"{PAGE}/upload", data={**word, "id": found[1]})
        assert again.status_code == 404
    assert served.audited("values")[0]["who"] == "operator/ann"


async def test_a_person_compares_versions_and_takes_one_up_again(served: Served, admin: httpx.AsyncClient) -> None:
    for rows in (ALL, TURNED):
        await admin.post(API, files=book(rows))
    async with served.client(None) as browser:
        await log_in(browser, Role.OPERATOR)
        assert "changed" in (await browser.get(f"{PAGE}/diff?before=1")).text
        form = {"csrf": await csrf(browser), "version": "1"}
        done = await browser.post(f"{PAGE}/rollback", data=form, follow_redirects=True)
    assert "that of version 1" in done.text


async def test_a_workbook_with_errors_cannot_be_put_into_force(served: Served) -> None:
    async with served.client(None) as browser:
        await log_in(browser, Role.OPERATOR)
        word = {"csrf": await csrf(browser)}
        looked = await browser.post(f"{PAGE}/check", files=book(TWICE), data=word)
        assert "cannot be used" in looked.text
        assert "Put it in force" not in looked.text
        found = re.search(r'name="id" value="([^"]+)"', looked.text)
        assert found
        assert (await browser.post(f"{PAGE}/upload", data={**word, "id": found[1]})).status_code == 422
    assert served.runtime.ledger.value_versions(NAME) == []
