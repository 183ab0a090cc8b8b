"""When things go wrong: the right class of error for every answer, no secret anywhere, nothing written twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr

from connectors.conformance.subject import Subject, as_text, token
from connectors.contract import Closes, Connector
from connectors.entity import Entity
from connectors.errors import (
    AuthenticationError,
    Changed,
    ConfigurationError,
    ConnectorError,
    Forbidden,
    NotFound,
    Rejected,
    Unavailable,
)

LONG_PAUSE = 7200
"""Seconds of Retry-After: so long that nobody waits for them within a call."""

Answer = httpx.Response | httpx.HTTPError
Tamper = Callable[[httpx.Request], Awaitable[httpx.Response | None]]


def _answers(secret: str) -> dict[str, Answer]:
    """What a system may answer. Careless systems repeat what they were sent, log-ins too."""
    echo = {"message": f"You sent {secret}"}
    numbers = (401, 403, 404, 409, 412, 422, 500, 503)
    return {
        **{str(number): httpx.Response(number, json=echo) for number in numbers},
        "429": httpx.Response(429, json=echo, headers={"Retry-After": str(LONG_PAUSE)}),
        "garbage": httpx.Response(200, text=f"<html><body>Please log in, {secret}</body></html>"),
        "half an answer": httpx.Response(200, text='{"data": {"id": ', headers={"Content-Type": "application/json"}),
        "time-out": httpx.ReadTimeout(f"no answer to {secret}"),
        "refused": httpx.ConnectError(f"no way to {secret}"),
    }


ON_UPDATE: dict[str, tuple[type[ConnectorError], ...]] = {
    "401": (AuthenticationError,),
    "403": (Forbidden,),
    "404": (NotFound,),
    "409": (Changed,),
    "412": (Changed,),
    "422": (Rejected,),
    "429": (Unavailable,),
    "500": (Unavailable,),
    "503": (Unavailable,),
    "garbage": (Unavailable, ConfigurationError),
    "half an answer": (Unavailable, ConfigurationError),
    "time-out": (Unavailable,),
    "refused": (Unavailable, ConfigurationError),
}
"""The answer to the write itself, when all reads went well."""

ON_CHECK: dict[str, tuple[type[ConnectorError], ...]] = {
    "401": (AuthenticationError,),
    "403": (AuthenticationError, ConfigurationError),
    "404": (ConfigurationError,),
    "429": (Unavailable,),
    "500": (Unavailable,),
    "garbage": (Unavailable, ConfigurationError),
    "half an answer": (Unavailable, ConfigurationError),
    "time-out": (Unavailable,),
    "refused": (Unavailable, ConfigurationError),
}
"""The answer to everything, when a person tests the connection."""


class FailureRules:
    """Errors, with and without HTTP."""

    @pytest.mark.parametrize("answer", ON_UPDATE)
    async def test_each_answer_to_a_write_has_its_class_of_error(self, subject: Subject, answer: str) -> None:
        field = await subject.text_field()
        made = await subject.make()
        text = as_text(field, f"Failing {token()}")
        async with failing(subject, answer, writes_only=True) as connector:
            with pytest.raises(ConnectorError) as failed:
                await connector.update(made, {field.name: text}, expected=made.version)
        self._assert_error(subject, failed.value, ON_UPDATE[answer], answer)

    @pytest.mark.parametrize("answer", ON_CHECK)
    async def test_each_answer_to_a_check_has_its_class_of_error(self, subject: Subject, answer: str) -> None:
        async with failing(subject, answer, writes_only=False) as connector:
            with pytest.raises(ConnectorError) as failed:
                await connector.check()
        self._assert_error(subject, failed.value, ON_CHECK[answer], answer)

    @pytest.mark.parametrize("answer", ["401", "429", "500", "time-out", "garbage"])
    async def test_nothing_is_gone_because_the_system_failed(self, subject: Subject, answer: str) -> None:
        made = await subject.make()
        async with failing(subject, answer, writes_only=False) as connector:
            with pytest.raises((AuthenticationError, ConfigurationError, Unavailable)) as failed:
                await connector.read([made.ref])
        subject.assert_no_secret(failed.value)

    async def test_what_may_not_be_seen_is_forbidden_and_not_gone(self, subject: Subject) -> None:
        made = await subject.make()
        async with failing(subject, "403", writes_only=False) as connector:
            try:
                answer = (await connector.read([made.ref]))[made.ref]
            except (AuthenticationError, ConfigurationError, Forbidden) as refused:
                answer = Forbidden(str(refused))
        assert isinstance(answer, Forbidden)

    @pytest.mark.parametrize("nth", [1, 2, 3])
    async def test_a_create_whose_answer_is_lost_is_not_done_twice(self, subject: Subject, nth: int) -> None:
        """The request arrived and was acted upon; the connector cannot know, and must not simply try again."""
        field = await subject.text_field()
        text = as_text(field, f"Once {token()}")
        sample = {**await subject.sample(), field.name: text}
        async with over(subject, LosingAnswers(subject, nth)) as connector:
            try:
                await connector.create(subject.scope, subject.entity_type, sample, marker=f"syncline-{token()}")
            except Unavailable as lost:
                subject.assert_no_secret(lost)
        assert len([e for e in await subject.changed(None) if e.fields[field.name] == text]) <= 1

    async def test_no_secret_shows_in_the_connector_or_its_errors(self, subject: Subject) -> None:
        connector = subject.connector
        made = await subject.make()
        subject.assert_no_secret(connector, getattr(connector, "config", None), made, made.extra)
        nobody, other = Entity(subject.unknown(made.ref), {}, "0"), await subject.other()
        attempts: list[Callable[[], Awaitable[object]]] = [
            lambda: connector.schema(subject.scope, f"{subject.entity_type}x"),
            lambda: connector.create(subject.scope, f"{subject.entity_type}x", {}, marker=None),
            lambda: connector.update(nobody, other, expected=None),
        ]
        for attempt in attempts:
            with pytest.raises(ConnectorError) as failed:
                await attempt()
            subject.assert_no_secret(failed.value)

    def _assert_error(
        self, subject: Subject, error: ConnectorError, expected: tuple[type[ConnectorError], ...], answer: str
    ) -> None:
        assert isinstance(error, expected), f"{answer} became {type(error).__name__}: {error}"
        assert error.message
        if answer == "429" and isinstance(error, Unavailable):
            assert error.retry_after == LONG_PAUSE
        if answer == "time-out" and isinstance(error, Unavailable):
            assert error.sent, "a request that timed out may have been acted upon"
        subject.assert_no_secret(error)


class Tampering(httpx.AsyncBaseTransport):
    """The real way to the system, with somebody on it who may answer instead (`None` lets a request pass)."""

    def __init__(self, inner: httpx.AsyncBaseTransport, tamper: Tamper) -> None:
        self.inner, self.tamper = inner, tamper

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self.tamper(request)
        return answer if answer is not None else await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


class LosingAnswers(httpx.AsyncBaseTransport):
    """The answer to the nth write gets lost on its way back."""

    def __init__(self, subject: Subject, nth: int) -> None:
        self.inner, self.reads, self.nth = subject.transport(), subject.reads, nth

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        if not self.reads(request):
            self.nth -= 1
            if self.nth == 0:
                await response.aread()
                await response.aclose()
                raise httpx.ReadTimeout("the answer was lost", request=request)
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()


@asynccontextmanager
async def over(subject: Subject, transport: httpx.AsyncBaseTransport) -> AsyncIterator[Connector]:
    """The connector under test over this transport; both are closed afterwards."""
    connector = subject.over(transport) if subject.over else pytest.skip("this connector speaks no HTTP")
    try:
        yield connector
    finally:
        if isinstance(connector, Closes):
            await connector.close()
        await transport.aclose()


def failing(subject: Subject, answer: str, *, writes_only: bool) -> AbstractAsyncContextManager[Connector]:
    """The connector where every request (or every write) gets this answer."""

    async def tamper(request: httpx.Request) -> httpx.Response | None:
        if writes_only and subject.reads(request):
            return None
        chosen = _answers(_secret_of(subject))[answer]
        if isinstance(chosen, httpx.HTTPError):
            chosen.request = request
            raise chosen
        return chosen

    return over(subject, Tampering(subject.transport(), tamper))


def _secret_of(subject: Subject) -> str:
    """One real secret, for careless systems to repeat."""
    credentials = getattr(getattr(subject.connector, "config", None), "credentials", None)
    found = (
        [v.get_secret_value() for v in vars(credentials).values() if isinstance(v, SecretStr)] if credentials else []
    )
    return next(iter([*subject.secrets, *found]), "nothing")
