"""Who may do what: every route has a role, and nothing gets around it."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import httpx
import pytest

from connectors.errors import ConfigurationError
from console.auth import Caller, Role, Tokens
from console.serve import Place
from tests.console.web.served import NAME, TOKENS, Served

LOOK, ACT, CONFIGURE = Role.MONITOR, Role.OPERATOR, Role.ADMINISTRATOR

API: dict[tuple[str, str], Role | None] = {
    ("GET", "/api/v1/openapi.json"): None,
    ("GET", "/api/v1/health"): None,
    ("GET", "/api/v1/status"): LOOK,
    ("GET", "/api/v1/connectors"): LOOK,
    ("GET", "/api/v1/connectors/{name}"): LOOK,
    ("POST", "/api/v1/connectors/{name}/refresh"): ACT,
    ("POST", "/api/v1/connectors/{name}/activate"): ACT,
    ("POST", "/api/v1/connectors/{name}/deactivate"): ACT,
    ("GET", "/api/v1/connectors/{name}/values"): LOOK,
    ("GET", "/api/v1/connectors/{name}/values/template"): LOOK,
    ("GET", "/api/v1/connectors/{name}/values/export"): LOOK,
    ("GET", "/api/v1/connectors/{name}/values/diff"): LOOK,
    ("GET", "/api/v1/connectors/{name}/values/versions/{version}"): LOOK,
    ("POST", "/api/v1/connectors/{name}/values"): ACT,
    ("POST", "/api/v1/connectors/{name}/values/check"): ACT,
    ("POST", "/api/v1/connectors/{name}/values/marked"): ACT,
    ("POST", "/api/v1/connectors/{name}/values/rollback"): ACT,
    ("GET", "/api/v1/runs"): LOOK,
    ("GET", "/api/v1/runs/{id}"): LOOK,
    ("GET", "/api/v1/links"): LOOK,
    ("GET", "/api/v1/conflicts"): LOOK,
    ("POST", "/api/v1/conflicts/{id}/resolve"): ACT,
    ("GET", "/api/v1/failures"): LOOK,
    ("POST", "/api/v1/failures/retry"): ACT,
    ("POST", "/api/v1/failures/ignore"): ACT,
    ("POST", "/api/v1/failures/{id}/retry"): ACT,
    ("POST", "/api/v1/failures/{id}/ignore"): ACT,
    ("GET", "/api/v1/audit"): LOOK,
    ("GET", "/api/v1/groups"): LOOK,
    ("GET", "/api/v1/groups/{name}"): LOOK,
    ("PUT", "/api/v1/groups/{name}"): CONFIGURE,
}
"""Every route of `/api/v1` and the least role that may use it; None: open."""

PAGES: dict[tuple[str, str], Role] = {
    ("GET", "/"): LOOK,
    ("GET", "/connectors/{name}"): LOOK,
    ("POST", "/connectors/{name}/refresh"): ACT,
    ("POST", "/connectors/{name}/activate"): ACT,
    ("POST", "/connectors/{name}/deactivate"): ACT,
    ("GET", "/connectors/{name}/values"): LOOK,
    ("GET", "/connectors/{name}/values/template"): LOOK,
    ("GET", "/connectors/{name}/values/export"): LOOK,
    ("GET", "/connectors/{name}/values/diff"): LOOK,
    ("POST", "/connectors/{name}/values/check"): ACT,
    ("POST", "/connectors/{name}/values/upload"): ACT,
    ("POST", "/connectors/{name}/values/marked"): ACT,
    ("POST", "/connectors/{name}/values/rollback"): ACT,
    ("GET", "/runs"): LOOK,
    ("GET", "/runs/{id}"): LOOK,
    ("GET", "/conflicts"): LOOK,
    ("POST", "/conflicts/resolve"): ACT,
    ("GET", "/failures"): LOOK,
    ("POST", "/failures/decide"): ACT,
    ("GET", "/audit"): LOOK,
    ("POST", "/log-out"): LOOK,
}


def routes(served: Served) -> set[tuple[str, str]]:
    """(method, path) of every route of the application."""
    found: set[tuple[str, str]] = set()
    for route in served.app.routes:
        # FastAPI keeps included routers as one route each.
        each = route.effective_route_contexts() if hasattr(route, "effective_route_contexts") else [route]
        for one in each:
            found |= {(method, one.path) for method in (getattr(one, "methods", None) or set()) - {"HEAD"}}
    return found


def filled(path: str) -> str:
    return re.sub(r"\{(id|version)\}", "1", path).replace("{name}", NAME)


def test_the_tables_name_every_route(served: Served) -> None:
    found = {(m, p) for m, p in routes(served) if not p.startswith(("/open-metadata", "/servers"))}
    assert found == {*API, *PAGES, ("GET", "/log-in"), ("POST", "/log-in")}


@pytest.mark.parametrize(("method", "path"), API)
async def test_a_route_of_the_api_wants_its_role(served: Served, method: str, path: str) -> None:
    needed = API[method, path]
    for role in (None, *Role):
        async with served.client(role) as client:
            answer = await client.request(method, filled(path), json={})
        if needed is None or (role is not None and role >= needed):
            assert answer.status_code not in (401, 403), (role, answer.text)
        else:
            assert answer.status_code == (401 if role is None else 403), (role, answer.text)
            assert answer.json()["remedy"]


@pytest.mark.parametrize(("method", "path"), PAGES)
async def test_a_page_wants_a_log_in_and_its_role(served: Served, method: str, path: str) -> None:
    for role in Role:
        async with served.client(None) as browser:
            nobody = await browser.request(method, filled(path))
            assert (nobody.status_code, nobody.headers["location"].split("?")[0]) == (303, "/log-in")
            await log_in(browser, role)
            form = {"csrf": await csrf(browser)}
            answer = await browser.request(method, filled(path), data=form if method == "POST" else None)
        assert (answer.status_code == 403) is (role < PAGES[method, path]), (role, answer.text)


async def log_in(browser: httpx.AsyncClient, role: Role, name: str = "") -> httpx.Response:
    """Log in as a person does."""
    return await browser.post("/log-in", data={"token": TOKENS[role], "name": name, "next": "/"})


async def csrf(browser: httpx.AsyncClient) -> str:
    """The word that the forms of this log-in carry."""
    found = re.search(r'name="csrf" value="([^"]+)"', (await browser.get("/")).text)
    assert found
    return found[1]


async def test_no_path_of_egeria_answers_without_a_token(served: Served) -> None:
    async with served.client(None) as client:
        found = [(m, p) for m, p in routes(served) if p.startswith(("/open-metadata", "/servers"))]
        assert len(found) > 50
        for method, path in found:
            answer = await client.request(method, re.sub(r"\{\w+\}", "x", path))
            assert answer.status_code == 401, path


async def test_a_form_of_another_site_is_refused(served: Served) -> None:
    async with served.client(None) as browser:
        await log_in(browser, Role.OPERATOR)
        for word in ({}, {"csrf": "guess"}):
            answer = await browser.post(f"/connectors/{NAME}/deactivate", data=word)
            assert answer.status_code == 403
    assert served.service.active_names() == [NAME]


async def test_the_cookie_is_kept_from_scripts_and_other_sites(served: Served) -> None:
    async with served.client(None) as browser:
        answer = await log_in(browser, Role.MONITOR)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKENS[Role.MONITOR] not in cookie


async def test_after_logging_out_the_cookie_is_worth_nothing(served: Served) -> None:
    async with served.client(None) as browser:
        await log_in(browser, Role.MONITOR, "ann")
        kept = dict(browser.cookies)
        await browser.post("/log-out", data={"csrf": await csrf(browser)})
        browser.cookies.update(kept)
        assert (await browser.get("/")).status_code == 303
    assert [line["who"] for line in served.audited("log_out")] == ["monitor/ann"]


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_a_log_in_never_leads_to_another_site(served: Served, target: str) -> None:
    async with served.client(None) as browser:
        answer = await browser.post("/log-in", data={"token": TOKENS[Role.MONITOR], "next": target})
    assert answer.headers["location"] == "/"


async def test_wrong_tokens_are_told_but_cannot_fill_the_audit_log(served: Served) -> None:
    async with served.client(None, authorization="Bearer wrong") as client:
        for _ in range(30):
            assert (await client.get("/api/v1/status")).status_code == 401
    assert 0 < len(served.audited("log_in_refused")) <= 10


async def test_every_answer_has_the_headers_that_keep_browsers_honest(admin: httpx.AsyncClient) -> None:
    for path in ("/", "/log-in", "/api/v1/health", "/static/console.css", "/nowhere"):
        headers = (await admin.get(path)).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")


async def test_too_large_a_body_is_refused_whether_it_says_so_or_not(admin: httpx.AsyncClient) -> None:
    async def endless() -> object:
        for _ in range(64):
            yield b"#" * 65536

    for content in (b"#" * (3 * 1024 * 1024), endless()):
        answer = await admin.put("/api/v1/groups/world", content=content)  # type: ignore[arg-type]
        assert answer.status_code == 413
        assert answer.json()["what"] == "The body is larger than 2 MB"


def test_a_token_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    first = Tokens.load(tmp_path, {})
    assert first.made == tmp_path / "token"
    assert stat.S_IMODE(first.made.stat().st_mode) == 0o600
    again = Tokens.load(tmp_path, {})
    assert again.of == first.of
    assert again.role(first.made.read_text().strip()) is Role.ADMINISTRATOR
    assert first.of[Role.ADMINISTRATOR] not in repr(first)


def test_given_tokens_are_used_and_no_other_is_made(tmp_path: Path) -> None:
    tokens = Tokens.load(tmp_path, {"SYNCLINE_TOKEN_MONITOR": "m" * 20, "SYNCLINE_TOKEN": "a" * 20})
    assert (tokens.role("m" * 20), tokens.role("a" * 20)) == (Role.MONITOR, Role.ADMINISTRATOR)
    assert tokens.role("") is tokens.role("ä") is None
    assert not (tmp_path / "token").exists()


def test_two_roles_need_two_tokens(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="same token"):
        Tokens.load(tmp_path, {"SYNCLINE_TOKEN_MONITOR": "x" * 20, "SYNCLINE_TOKEN": "x" * 20})


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "example.org", "::"])
def test_paths_without_a_token_are_for_loopback_only(host: str) -> None:
    with pytest.raises(ConfigurationError, match="without-token"):
        Place(host, without_token=True)


@pytest.mark.parametrize(
    ("said", "who"),
    [
        ("ann", "operator/ann"),
        ("", "operator"),
        ("an\nn: root", "operator/ann root"),
        ("x" * 99, "operator/" + "x" * 64),
    ],
)
def test_what_a_caller_calls_themselves_cannot_break_a_line_of_the_log(said: str, who: str) -> None:
    assert Caller(Role.OPERATOR).named(said).who == who
