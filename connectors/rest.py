"""The one HTTP seam. Rule: whatever goes wrong on the wire leaves here as an error of `connectors.errors`.

A request is repeated only where that is safe: it may be repeated by its nature, it certainly never reached the
system, or the system says that it did not act on it. No error carries a secret, a query or a header.
"""

from __future__ import annotations

import asyncio
import json as jsonlib
import random
import re
from collections.abc import AsyncIterable, AsyncIterator, Container, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from itertools import count
from typing import Any, Self
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

import httpx
from pydantic import BaseModel, SecretStr

from connectors.budget import Budget, Spared, budget_of
from connectors.contract import SystemConfig
from connectors.errors import ConfigurationError, ConnectorError, Unavailable
from connectors.status import NOT_ANSWERING, not_acted_on, retry_after, status_error
from connectors.wire import explain, tls

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PAUSES = (0.25, 0.5, 1.0)
"""Seconds between the attempts, each less a random half so that callers spread."""
PATIENCE = 60.0
"""Seconds after which no further attempt begins, whatever the system asks for."""
MOST_REDIRECTS = 5


class _Shared:
    """What all views of one Http have in common: connections, budget, counters, the system's clock."""

    def __init__(self, config: SystemConfig, transport: httpx.AsyncBaseTransport | None) -> None:
        self.config = config
        self.transport = transport
        self.budget: Budget = budget_of(config, transport)
        self.secrets = tuple(_secrets(config))
        self.requests = 0
        self.server_time: datetime | None = None
        self.clock_offset = 0.0
        # Connections belong to the event loop that opened them.
        self.clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    def client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        client = self.clients.get(loop)
        if client is None or client.is_closed:
            client = self.clients[loop] = self._connect()
        return client

    def _connect(self) -> httpx.AsyncClient:
        config = self.config
        try:
            return httpx.AsyncClient(
                transport=self.transport,
                verify=tls(config) if self.transport is None else True,
                proxy=config.proxy if self.transport is None else None,
                timeout=httpx.Timeout(config.timeout, connect=min(10.0, config.timeout / 2), pool=None),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=config.max_concurrency),
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                trust_env=False,  # what the configuration says holds, not what a shell happened to export
            )
        except (ValueError, httpx.InvalidURL):
            raise ConfigurationError(
                "The proxy is not an address that can be used",
                remedy="Write `proxy` as http://host:port, https://host:port or socks5://host:port.",
                system=config.identity(),
            ) from None

    def heard(self, response: httpx.Response, began: datetime) -> None:
        """Learn from an answer: is the system well, does it want a pause, what is its time."""
        if response.status_code in NOT_ANSWERING:
            self.budget.failed()
        else:
            self.budget.breaker.succeeded()
        if not_acted_on(response):
            self.budget.pause(retry_after(response) or PAUSES[0])
        try:
            at = parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
        except (KeyError, ValueError):
            return
        ours = began + (datetime.now(UTC) - began) / 2
        self.server_time = at
        # The header names whole seconds: on average the system's clock is half a second further.
        self.clock_offset = (at - ours).total_seconds() + 0.5

    def scrub(self, text: str, request: httpx.Request | None = None) -> str:
        """The text without any secret of the configuration, nor the log-in that the request carried."""
        sent = request.headers.get("authorization", "").rpartition(" ")[2] if request else ""
        for secret in (*self.secrets, sent):
            text = text.replace(secret, "***") if secret else text
        return text


class Http:
    """Requests to one system. A connector gets one, and makes views of it with `using`.

    `requests` counts what was sent; `server_time` is the system's clock at its last answer (aware, UTC);
    `clock_offset` is the system's clock minus ours, in seconds. A `transport` is for tests and doubles; `pauses` are
    the seconds between attempts.
    """

    def __init__(
        self,
        config: SystemConfig,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self.config = config
        self._pauses = tuple(pauses)
        self._shared = _Shared(config, transport)
        self._auth: httpx.Auth | None = None
        self._headers: dict[str, str] = {}
        self._base = config.url

    def using(
        self,
        *,
        auth: httpx.Auth | None = None,
        headers: Mapping[str, str] | None = None,
        base_url: str | None = None,
    ) -> Http:
        """A view with another log-in, further headers or another address: same connections, budget and counters."""
        view = Http.__new__(Http)
        view.config, view._shared, view._pauses = self.config, self._shared, self._pauses
        view._auth = auth or self._auth
        view._headers = {**self._headers, **(headers or {})}
        view._base = self._base if base_url is None else base_url
        return view

    @property
    def requests(self) -> int:
        return self._shared.requests

    @property
    def server_time(self) -> datetime | None:
        return self._shared.server_time

    @property
    def clock_offset(self) -> float:
        return self._shared.clock_offset

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: str | bytes | AsyncIterable[bytes] | None = None,
        data: Mapping[str, Any] | None = None,
        files: Any = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        expect: Container[int] = (),
    ) -> httpx.Response:
        """Send one request and answer the response. `path` is below the base address, or a full address on its host.

        `repeatable`: sending it twice does no harm (GET, HEAD and OPTIONS by default). Statuses in `expect` are
        answered untouched; every other one from 400 on raises by the table of `connectors.status`. Parameters that
        are None are left out.
        """
        body = {"json": json, "content": content, "data": data, "files": files}
        request = self._build(method, path, params, headers, **body)
        again = method in SAFE_METHODS if repeatable is None else repeatable
        streamed = isinstance(content, AsyncIterable) or files is not None
        return await self._send(request, again=again, streamed=streamed, expect=expect)

    async def get_json(self, path: str, **params: Any) -> Any:
        """The JSON at `path`. Raises like `request`, and where the answer is no JSON like `json`."""
        return self.json(await self.request("GET", path, params=params))

    def json(self, response: httpx.Response) -> Any:
        """The answer's JSON. A web page instead of it is a wrong address when we read, and uncertain when we wrote."""
        try:
            return jsonlib.loads(response.content)
        except ValueError:
            pass
        what = f"{_place(response.request)} answered no JSON: {self._words(response) or 'nothing'}"
        remedy = "Check `url`; a log-in page or a proxy may stand between."
        if response.request.method in SAFE_METHODS:
            raise ConfigurationError(what, remedy=remedy, system=self.config.identity())
        raise Unavailable(what, remedy=remedy, system=self.config.identity())

    async def download(
        self, path: str, *, params: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[bytes]:
        """The content at `path` in chunks. Another host than the system's is asked without our credentials."""
        until = self._shared.budget.clock() + PATIENCE
        for attempt in count(1):
            begun = False
            try:
                request = self._build("GET", path, params, headers, elsewhere=True)
                async with self._exchange(request, until, limited=False) as response:
                    if response.status_code >= 400:
                        await response.aread()
                        raise self._error(response)
                    async for chunk in response.aiter_bytes():
                        begun = True
                        yield chunk
                    return
            except Unavailable as failure:
                if begun or isinstance(failure, Spared):
                    raise
                await self._pause(failure, attempt, until)

    async def aclose(self) -> None:
        """Close the connections of this event loop. A later request opens new ones."""
        client = self._shared.clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _build(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        *,
        elsewhere: bool = False,
        **body: Any,
    ) -> httpx.Request:
        try:
            base = httpx.URL(self._base)
            url = httpx.URL(path) if "://" in path else httpx.URL(f"{self._base.rstrip('/')}/{path.lstrip('/')}")
        except httpx.InvalidURL:
            base = url = httpx.URL("")
        if url.scheme not in ("http", "https") or not url.host or base.query or base.fragment:
            raise self._misconfigured("The address of the system is not an http:// or https:// address alone")
        ours = _origin(url) == _origin(base)
        if not ours and not elsewhere:
            raise self._misconfigured(f"The system names an address on another host: {url.host}")
        wanted = {name: value for name, value in (params or {}).items() if value is not None}
        return self._shared.client().build_request(
            method,
            url.copy_merge_params(wanted) if wanted else url,
            headers={**self._headers, **(headers or {})} if ours else None,
            extensions={"elsewhere": elsewhere},
            **body,
        )

    async def _send(
        self, request: httpx.Request, *, again: bool, streamed: bool, expect: Container[int]
    ) -> httpx.Response:
        """Attempts, until one succeeds or a further one would not be safe. A streamed body takes as long as it takes,
        and is sent once."""
        until = self._shared.budget.clock() + PATIENCE
        reached = False
        for attempt in count(1):
            untouched = False
            try:
                async with self._exchange(request, until, limited=not streamed) as response:
                    await response.aread()
                if response.status_code < 400 or response.status_code in expect:
                    return response
                untouched = not_acted_on(response) and not streamed
                raise self._error(response)
            except Unavailable as failure:
                retry = again or untouched or not failure.sent
                reached = failure.sent = reached or failure.sent  # an earlier attempt may have arrived
                if isinstance(failure, Spared) or not retry:
                    raise
                await self._pause(failure, attempt, until)
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def _exchange(self, request: httpx.Request, until: float, *, limited: bool) -> AsyncIterator[httpx.Response]:
        """One attempt: a place in the budget, the request, its redirects. Raises errors of ours alone."""
        budget, config = self._shared.budget, self.config
        limit: AbstractAsyncContextManager[Any] = asyncio.timeout(config.timeout) if limited else nullcontext()
        try:
            async with budget.turn(until - budget.clock()):
                try:
                    async with limit:
                        response = await self._follow(request)
                        try:
                            yield response
                        finally:
                            await response.aclose()
                except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
                    failure = explain(error, config, _place(request))
                    if isinstance(failure, Unavailable):
                        budget.failed()
                    raise failure from None
        except Unavailable as failure:
            failure.system = failure.system or config.identity()
            raise

    async def _follow(self, request: httpx.Request) -> httpx.Response:
        """Send, and follow the redirects of reads: on the same host with credentials, elsewhere never with them."""
        shared = self._shared
        home = httpx.URL(self._base)
        for _ in range(MOST_REDIRECTS):
            ours = _origin(request.url) == _origin(home)
            began = datetime.now(UTC)
            shared.requests += 1
            response = await shared.client().send(request, auth=self._auth if ours else httpx.Auth(), stream=True)
            shared.heard(response, began)
            following = response.next_request
            if following is None:
                return response
            await response.aclose()
            stays = _origin(following.url) == _origin(home)
            if request.method not in SAFE_METHODS or not (stays or request.extensions["elsewhere"]):
                raise self._misconfigured(f"The system redirects to {following.url.scheme}://{following.url.host}")
            bare = shared.client().build_request("GET", following.url, extensions=request.extensions)
            request = following if stays else bare
        raise self._misconfigured("The system redirects in a circle")

    def _error(self, response: httpx.Response) -> ConnectorError:
        return status_error(response, _place(response.request), self._words(response), self.config.identity())

    async def _pause(self, failure: Unavailable, attempt: int, until: float) -> None:
        """Wait before the next attempt, or raise the failure where there will be none."""
        if attempt > len(self._pauses):
            raise failure
        wanted = max(self._pauses[attempt - 1] * random.uniform(0.5, 1.0), failure.retry_after or 0.0)
        if self._shared.budget.clock() + wanted > until:
            raise failure
        await asyncio.sleep(wanted)

    def _words(self, response: httpx.Response) -> str:
        """The first words of an answer, without markup and secrets."""
        text = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", response.text[:4000], flags=re.DOTALL | re.IGNORECASE)
        return self._shared.scrub(" ".join(text.split()), response.request)[:200]

    def _misconfigured(self, what: str) -> ConfigurationError:
        remedy = "Write the address that people open in a browser into `url`, with http:// or https://."
        return ConfigurationError(what, remedy=remedy, system=self.config.identity())


def _place(request: httpx.Request) -> str:
    """A request as people may see it: no user, no query."""
    return f"{request.method} {request.url.path}"


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _secrets(model: BaseModel) -> Iterator[str]:
    """Every secret of a configuration, as it may show in an answer."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _secrets(value)
        elif isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, str) and "@" in value:
            yield unquote(urlsplit(value).password or "")
            yield urlsplit(value).password or ""
