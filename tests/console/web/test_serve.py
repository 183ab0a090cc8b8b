"""The web side as the daemon serves it: a real socket, a token that is named, an end that is waited for."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

import httpx
import pytest

from connectors.errors import ConfigurationError
from console.serve import Place, console, is_loopback
from tests.flows.world import World


@pytest.fixture(autouse=True)
def _no_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SYNCLINE_TOKEN", "SYNCLINE_TOKEN_OPERATOR", "SYNCLINE_TOKEN_MONITOR"):
        monkeypatch.delenv(name, raising=False)


async def test_it_serves_while_it_is_entered_and_names_its_token(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "syncline.console"):
        async with console(Place(port=0))(world.runtime) as url:
            token = (world.folder / ".syncline" / "token").read_text().strip()
            async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, trust_env=False) as client:
                assert (await client.get(f"{url}/api/v1/status")).json()["connectors"][0]["name"] == "tickets"
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"{url}/api/v1/health")
    assert str(world.folder / ".syncline" / "token") in caplog.text
    assert token not in caplog.text


async def test_a_port_that_is_taken_is_told_with_what_to_do(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = Place(port=taken.getsockname()[1])
        with pytest.raises(ConfigurationError, match="--port"):
            async with console(place)(world.runtime):
                pass


async def test_a_certificate_that_is_none_is_told(world: World, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("nothing")
    with pytest.raises(ConfigurationError, match="certificate"):
        async with console(Place(port=0, certificate=tmp_path / "cert.pem"))(world.runtime):
            pass


def test_a_key_needs_its_certificate(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--tls-certificate"):
        Place(key=tmp_path / "key.pem")


@pytest.mark.parametrize(
    ("host", "so"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("localhost", True),
     ("0.0.0.0", False), ("localhost.example.org", False), ("", False)],
)  # fmt: skip
def test_what_only_this_machine_reaches(host: str, so: bool) -> None:
    assert is_loopback(host) is so
