"""Names, TLS, proxies and time-outs on real sockets: every way not to get an answer has its own words and remedy."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.contract import SystemConfig
from connectors.errors import ConfigurationError, ConnectorError, Unavailable
from connectors.rest import Http

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on loopback; yields its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    await writer.drain()


async def complain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What a web server without TLS says to a TLS greeting."""
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never silent for long, never finished."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


@dataclass
class Authority:
    """A certificate authority with a server's and a client's certificate, as PEM files."""

    ca: str
    server: str
    client: str

    def context(self, *, wants_client: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca)
        context.load_cert_chain(self.server)
        context.verify_mode = ssl.CERT_REQUIRED if wants_client else ssl.CERT_NONE
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("certificates")
    ca_key = ec.generate_private_key(ec.SECP256R1())
    paths = {}
    for name in ("ca", "server", "client"):
        key = ca_key if name == "ca" else ec.generate_private_key(ec.SECP256R1())
        subject, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, "ca"))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(days=1))
            .not_valid_after(datetime.now(UTC) + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=name == "ca", path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
            .sign(ca_key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        paths[name] = str(folder / f"{name}.pem")
        Path(paths[name]).write_bytes(pem)
    return Authority(**paths)


async def ask(url: str, **more: object) -> object:
    config = SystemConfig.model_validate({"kind": "wire", "url": url, "timeout": 20, **more})
    async with Http(config, pauses=()) as http:
        return await http.get_json("/")


async def failure(url: str, **more: object) -> ConnectorError:
    with pytest.raises(ConnectorError) as failed:
        await ask(url, **more)
    return failed.value


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class TestNoAnswer:
    async def test_nobody_listens(self) -> None:
        error = await failure(f"http://127.0.0.1:{closed_port()}")
        assert isinstance(error, Unavailable)
        assert not error.sent
        assert "refused the connection" in error.message
        assert "`url`" in error.remedy

    async def test_nobody_knows_the_name(self) -> None:
        error = await failure("http://no-such-host.invalid")
        assert isinstance(error, Unavailable)
        assert not error.sent
        assert "name" in error.message
        assert "host name" in error.remedy

    async def test_somebody_listens_and_says_nothing(self) -> None:
        async with listening(silence) as port:
            error = await failure(f"http://127.0.0.1:{port}", timeout=0.2)
        assert isinstance(error, Unavailable)
        assert error.sent
        assert "no answer within 0.2 s" in error.message
        assert "`timeout`" in error.remedy

    async def test_an_answer_that_never_ends_is_cut_off(self) -> None:
        async with listening(drip) as port:
            error = await failure(f"http://127.0.0.1:{port}", timeout=0.3)
        assert isinstance(error, Unavailable)
        assert "no answer within" in error.message

    async def test_what_answers_is_no_web_server(self) -> None:
        async with listening(babble) as port:
            error = await failure(f"http://127.0.0.1:{port}")
        assert isinstance(error, Unavailable)
        assert error.sent
        assert "no web server" in error.message


class TestTls:
    async def test_a_certificate_of_an_unknown_authority_is_a_matter_of_configuration(
        self, authority: Authority
    ) -> None:
        async with listening(answer, authority.context()) as port:
            error = await failure(f"https://127.0.0.1:{port}")
        assert isinstance(error, ConfigurationError)
        assert "certificate of 127.0.0.1 is not trusted" in error.message
        assert "`ca_bundle`" in error.remedy

    async def test_a_private_authority_is_trusted_where_it_is_named(self, authority: Authority) -> None:
        async with listening(answer, authority.context()) as port:
            assert await ask(f"https://127.0.0.1:{port}", ca_bundle=authority.ca) == {}

    async def test_a_certificate_for_another_host_is_not_trusted(self, authority: Authority) -> None:
        async with listening(answer, authority.context()) as port:
            error = await failure(f"https://localhost:{port}", ca_bundle=authority.ca)
        assert isinstance(error, ConfigurationError)
        assert "not trusted" in error.message

    async def test_a_client_certificate_is_shown(self, authority: Authority) -> None:
        async with listening(answer, authority.context(wants_client=True)) as port:
            url, shown = f"https://127.0.0.1:{port}", {"file": authority.client}
            assert await ask(url, ca_bundle=authority.ca, client_certificate=shown) == {}
            assert await failure(url, ca_bundle=authority.ca)

    async def test_https_where_there_is_only_http(self) -> None:
        async with listening(complain) as port:
            error = await failure(f"https://127.0.0.1:{port}")
        assert isinstance(error, ConfigurationError)
        assert "https or http" in error.remedy

    @pytest.mark.parametrize("key", ["ca_bundle", "client_certificate"])
    @pytest.mark.parametrize("content", [None, "no PEM at all"], ids=["missing", "garbage"])
    async def test_a_file_that_is_no_certificate_is_named(self, tmp_path: Path, key: str, content: str | None) -> None:
        file = tmp_path / "our.pem"
        if content is not None:
            file.write_text(content)
        error = await failure("https://127.0.0.1:1", **{key: {"file": str(file)} if "client" in key else str(file)})
        assert isinstance(error, ConfigurationError)
        assert str(file) in error.message
        assert key in error.remedy


class Proxy:
    """Takes note of who is asked for, and answers itself: `how` is http or socks5, `says` what it does about it."""

    def __init__(self, how: str, says: bytes = b"") -> None:
        self.how, self.says = how, says
        self.asked: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.how == "socks5":
            await reader.readexactly((await reader.readexactly(2))[1])
            writer.write(b"\x05\x00")
            _, _, _, kind = await reader.readexactly(4)
            length = (await reader.readexactly(1))[0] if kind == 3 else 4
            self.asked.append((await reader.readexactly(length + 2))[:-2])
            writer.write(b"\x05\x00\x00\x01" + bytes(6))
            await answer(reader, writer)
            return
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.split(b"\r\n")[0])
        if self.says:
            writer.write(self.says)
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()


class TestProxies:
    async def test_requests_go_through_an_http_proxy(self) -> None:
        proxy = Proxy("http")
        async with listening(proxy) as port:
            assert await ask("http://tracker.invalid", proxy=f"http://127.0.0.1:{port}") == {}
        assert proxy.asked == [b"GET http://tracker.invalid/ HTTP/1.1"]

    async def test_requests_go_through_a_socks_proxy(self) -> None:
        proxy = Proxy("socks5")
        async with listening(proxy) as port:
            assert await ask("http://tracker.invalid", proxy=f"socks5://127.0.0.1:{port}") == {}
        assert proxy.asked == [b"tracker.invalid"]

    async def test_a_proxy_that_wants_a_log_in_is_a_matter_of_configuration(self) -> None:
        proxy = Proxy("http", b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        async with listening(proxy) as port:
            for url in ("http://tracker.invalid", "https://tracker.invalid"):
                error = await failure(url, proxy=f"http://me:my-secret@127.0.0.1:{port}")
                assert isinstance(error, ConfigurationError)
                assert "proxy" in error.message
                assert "`proxy`" in error.remedy
                assert "my-secret" not in f"{error}{error!r}"

    async def test_a_proxy_that_is_down_is_told_from_a_system_that_is(self) -> None:
        error = await failure("http://tracker.invalid", proxy=f"http://127.0.0.1:{closed_port()}")
        assert isinstance(error, Unavailable)
        assert "the proxy 127.0.0.1 refused" in error.message

    async def test_a_proxy_address_that_is_none_is_named(self) -> None:
        error = await failure("http://tracker.invalid", proxy="gopher://x")
        assert isinstance(error, ConfigurationError)
        assert "`proxy`" in error.remedy
