"""Below HTTP: names, connections, TLS, proxies. Rule: every way not to get an answer has its own words and remedy."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from functools import cache
from urllib.parse import urlsplit

import httpx

from connectors.contract import SystemConfig
from connectors.errors import ConfigurationError, ConnectorError, Unavailable

CERTIFICATE_REMEDY = "Name the file of the certificate authority in `ca_bundle`, and check the host in `url`."
TLS_REMEDY = "Check that `url` has the right port, and https or http as the system has it."
PROXY_REMEDY = "Check `proxy`: address, port, log-in, and that it may reach this system."
DOWN_REMEDY = "Check that the system runs, and host and port in `url`. It is tried again by itself."
NAME_REMEDY = "Check the host name in `url`, and this machine's name server. It is tried again by itself."
SLOW_REMEDY = "It is tried again by itself; raise `timeout` if the system is slow."


def tls(config: SystemConfig) -> ssl.SSLContext:
    """Whom we trust, and the certificate that we show. Raises ConfigurationError naming the file that is at fault."""
    if not (config.ca_bundle or config.client_certificate):
        return _usual()
    try:
        context = (
            ssl.create_default_context(cafile=config.ca_bundle) if config.ca_bundle else httpx.create_ssl_context()
        )
    except OSError as error:  # ssl.SSLError is one
        raise _unusable("ca_bundle", config.ca_bundle, error, config) from None
    certificate = config.client_certificate
    if certificate is not None:
        try:
            context.load_cert_chain(certificate.file, certificate.key, password=lambda: b"")
        except (OSError, ValueError) as error:
            raise _unusable("client_certificate", certificate.file, error, config) from None
    return context


def explain(error: Exception, config: SystemConfig, place: str) -> ConnectorError:
    """The error of the HTTP library or the operating system as one of ours."""
    host = urlsplit(config.url).hostname or config.url
    causes = tuple(_chain(error))

    def unavailable(what: str, remedy: str, *, sent: bool) -> Unavailable:
        return Unavailable(f"{place}: {what}", remedy=remedy, sent=sent, system=config.identity())

    def misconfigured(what: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(f"{place}: {what}", remedy=remedy, system=config.identity())

    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return misconfigured(
                f"the certificate of {host} is not trusted ({cause.verify_message})", CERTIFICATE_REMEDY
            )
    if isinstance(error, httpx.ProxyError):
        return misconfigured(f"the proxy does not let us through ({error})", PROXY_REMEDY)
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return misconfigured("this is no address or request that can be sent", "Check `url`.")
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return unavailable(f"{_door(config, host)} did not take the connection in time", DOWN_REMEDY, sent=False)
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return unavailable(f"no answer within {config.timeout:g} s", SLOW_REMEDY, sent=True)
    if isinstance(error, httpx.ConnectError):
        if any(isinstance(cause, ssl.SSLError) for cause in causes):
            return misconfigured(f"{host} does not speak TLS with us", TLS_REMEDY)
        if any(isinstance(cause, socket.gaierror) for cause in causes):
            return unavailable(f"the name of {_door(config, host)} is not known", NAME_REMEDY, sent=False)
        remedy = PROXY_REMEDY if config.proxy else DOWN_REMEDY
        return unavailable(f"{_door(config, host)} refused the connection", remedy, sent=False)
    if isinstance(error, httpx.RemoteProtocolError | httpx.DecodingError):
        return unavailable(f"{host} broke off, or what answers is no web server", DOWN_REMEDY, sent=True)
    return unavailable(f"the connection to {host} broke", DOWN_REMEDY, sent=True)


@cache
def _usual() -> ssl.SSLContext:
    """The authorities that everybody trusts: reading them costs more than a request."""
    return httpx.create_ssl_context()


def _door(config: SystemConfig, host: str) -> str:
    """Whom we really connect to."""
    return f"the proxy {urlsplit(config.proxy).hostname}" if config.proxy else host


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _unusable(key: str, path: str | None, error: Exception, config: SystemConfig) -> ConfigurationError:
    why = "there is no such file" if isinstance(error, FileNotFoundError) else "it holds no usable PEM"
    return ConfigurationError(
        f"{key} {path} cannot be used: {why}",
        remedy=f"Mend the path in `{key}`, or the file.",
        system=config.identity(),
    )
