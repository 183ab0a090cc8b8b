"""The HTTP seam: what is repeated, what is raised, what never shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from pydantic import Field, SecretStr

from connectors.contract import ApiKey, SystemConfig
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
from connectors.rest import Http

SECRET = "s3cr3t-of-the-house"
AT_ONCE = (0.0, 0.0, 0.0)

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Config(SystemConfig):
    credentials: ApiKey = Field(ApiKey(api_key=SecretStr(SECRET)))


class Script:
    """A system that answers by a script: one answer per request, the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await request.aread()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)

    def http(self, url: str = "http://tracker.example/app", **more: float) -> Http:
        config = Config.model_validate({"kind": "test", "url": url, **more})
        return Http(config, transport=httpx.MockTransport(self), pauses=AT_ONCE)


def ok(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"path": request.url.path}, request=request)


class KeyAuth(httpx.Auth):
    def auth_flow(self, request: httpx.Request):  # type: ignore[no-untyped-def]
        request.headers["X-Key"] = SECRET
        request.headers["Authorization"] = f"Bearer {SECRET}"
        yield request


class TestRequests:
    async def test_a_path_is_below_the_address_of_the_system(self) -> None:
        script = Script(ok)
        assert await script.http().get_json("/issues.json") == {"path": "/app/issues.json"}

    async def test_parameters_that_are_none_are_left_out(self) -> None:
        script = Script(ok)
        await script.http().get_json("issues.json", a=1, b=None)
        assert str(script.requests[0].url) == "http://tracker.example/app/issues.json?a=1"

    async def test_parameters_join_those_that_the_path_has(self) -> None:
        script = Script(ok)
        await script.http().get_json("issues.json?x=1", a=1)
        assert dict(script.requests[0].url.params) == {"x": "1", "a": "1"}

    async def test_a_view_adds_its_log_in_and_headers_and_shares_the_counter(self) -> None:
        script = Script(ok)
        http = script.http()
        await http.using(auth=KeyAuth(), headers={"X-More": "1"}).get_json("a")
        await http.get_json("b")
        first, second = script.requests
        assert (first.headers["X-Key"], first.headers["X-More"]) == (SECRET, "1")
        assert "X-Key" not in second.headers
        assert "X-More" not in second.headers
        assert http.requests == 2

    async def test_cookies_are_not_kept(self) -> None:
        """A session would outlive the log-in that it came from."""
        script = Script(httpx.Response(200, json={}, headers={"set-cookie": "session=1"}))
        http = script.http()
        await http.get_json("a")
        await http.get_json("b")
        assert "cookie" not in script.requests[1].headers

    async def test_the_clock_of_the_system_is_read_from_its_answers(self) -> None:
        ahead = datetime.now(UTC) + timedelta(hours=1)
        script = Script(httpx.Response(200, json={}, headers={"date": format_datetime(ahead, usegmt=True)}))
        http = script.http()
        await http.get_json("a")
        assert http.server_time == ahead.replace(microsecond=0)
        assert http.clock_offset == pytest.approx(3600, abs=30)

    @pytest.mark.parametrize("url", ["", "tracker", "ftp://tracker", "http://", "http://tracker/?key=1"])
    async def test_an_address_that_is_none_is_a_matter_of_configuration(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="`url`"):
            await Script(ok).http(url).get_json("a")

    def test_it_works_in_one_event_loop_after_another(self) -> None:
        http = Script(ok).http()
        for _ in range(2):
            assert asyncio.run(http.get_json("a")) == {"path": "/app/a"}


class TestRepeating:
    GONE_QUIET = httpx.ReadTimeout("no answer")
    REFUSED = httpx.ConnectError("refused")

    @pytest.mark.parametrize(
        ("first", "method", "requests"),
        [
            pytest.param(GONE_QUIET, "GET", 2, id="a read whose answer got lost"),
            pytest.param(GONE_QUIET, "POST", 1, id="a write whose answer got lost"),
            pytest.param(REFUSED, "POST", 2, id="a write that never left"),
            pytest.param(httpx.Response(500), "GET", 2, id="a read that failed there"),
            pytest.param(httpx.Response(503), "POST", 1, id="a write that may have been acted on"),
            pytest.param(httpx.Response(429, headers={"retry-after": "0"}), "POST", 2, id="a write turned away"),
            pytest.param(httpx.Response(503, headers={"retry-after": "0"}), "POST", 2, id="a write at maintenance"),
            pytest.param(httpx.Response(404), "GET", 1, id="a read that will never succeed"),
            pytest.param(httpx.Response(422), "POST", 1, id="a write that is refused"),
        ],
    )
    async def test_a_request_is_repeated_only_where_that_is_safe(
        self, first: httpx.Response | Exception, method: str, requests: int
    ) -> None:
        script = Script(first, ok)
        try:
            await script.http().request(method, "a", json={})
        except ConnectorError:
            assert requests == 1
        assert len(script.requests) == requests

    async def test_whoever_knows_that_a_write_does_no_harm_twice_says_so(self) -> None:
        script = Script(self.GONE_QUIET, ok)
        await script.http().request("PUT", "a", repeatable=True)
        assert len(script.requests) == 2

    async def test_patience_ends_after_the_given_number_of_attempts(self) -> None:
        script = Script(self.REFUSED)
        with pytest.raises(Unavailable):
            await script.http().get_json("a")
        assert len(script.requests) == 1 + len(AT_ONCE)

    async def test_what_may_have_arrived_once_stays_uncertain_however_the_last_attempt_ended(self) -> None:
        script = Script(self.GONE_QUIET, self.REFUSED)
        with pytest.raises(Unavailable) as failed:
            await script.http().request("PUT", "a", repeatable=True)
        assert failed.value.sent

    @pytest.mark.parametrize(("error", "sent"), [(REFUSED, False), (httpx.ConnectTimeout("slow"), False)])
    async def test_only_a_request_that_never_left_counts_as_not_sent(self, error: Exception, sent: bool) -> None:
        with pytest.raises(Unavailable) as failed:
            await Script(error).http().request("POST", "a")
        assert failed.value.sent is sent

    async def test_a_streamed_body_is_not_sent_twice(self) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield b"once"

        script = Script(httpx.Response(429, headers={"retry-after": "0"}), ok)
        with pytest.raises(Unavailable):
            await script.http().request("POST", "a", content=body())
        assert len(script.requests) == 1


class TestPressure:
    @pytest.mark.parametrize("form", ["seconds", "date"])
    async def test_a_long_pause_is_told_to_the_caller_and_spares_the_system_from_all_others(self, form: str) -> None:
        date = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
        script = Script(httpx.Response(429, headers={"retry-after": "7200" if form == "seconds" else date}), ok)
        http = script.http()
        with pytest.raises(Unavailable) as failed:
            await http.get_json("a")
        assert failed.value.retry_after == pytest.approx(7200, abs=60)
        with pytest.raises(Unavailable) as spared:
            await http.using(headers={"X-Other": "1"}).get_json("b")
        assert not spared.value.sent
        assert len(script.requests) == 1

    async def test_never_more_requests_at_the_same_time_than_allowed(self) -> None:
        now, most = 0, 0

        async def system(request: httpx.Request) -> httpx.Response:
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1
            return ok(request)

        config = Config(kind="test", url="http://tracker.example", max_concurrency=3)
        transport = httpx.MockTransport(system)
        left, right = Http(config, transport=transport), Http(config, transport=transport)
        await asyncio.gather(*(http.get_json("a") for http in (left, right) for _ in range(20)))
        assert most == 3

    async def test_a_system_that_does_not_answer_is_spared_for_a_while(self) -> None:
        script = Script(httpx.ConnectError("refused"))
        http = script.http()
        for _ in range(10):
            with pytest.raises(Unavailable):
                await http.get_json("a")
        asked = len(script.requests)
        with pytest.raises(Unavailable, match="spared") as spared:
            await http.get_json("a")
        assert len(script.requests) == asked
        assert spared.value.retry_after

    async def test_one_entity_on_which_the_system_fails_does_not_close_the_door_for_the_others(self) -> None:
        script = Script(*[httpx.Response(500)] * 40, ok)
        http = script.http()
        for _ in range(40):
            with pytest.raises(Unavailable):
                await http.request("POST", "bad")
        assert await http.get_json("good")


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (400, Rejected),
            (401, AuthenticationError),
            (403, Forbidden),
            (404, NotFound),
            (405, ConfigurationError),
            (407, ConfigurationError),
            (409, Changed),
            (410, NotFound),
            (412, Changed),
            (418, Rejected),
            (422, Rejected),
            (429, Unavailable),
            (500, Unavailable),
            (501, ConfigurationError),
            (503, Unavailable),
            (599, Unavailable),
        ],
    )
    async def test_every_status_has_its_error_with_the_system_s_words_and_a_remedy(
        self, status: int, error: type[ConnectorError]
    ) -> None:
        with pytest.raises(error, match=f"POST /app/a: .*{status}: The cat sat on it") as failed:
            await Script(httpx.Response(status, html="<p>The cat</p> sat on it")).http().request("POST", "a")
        assert type(failed.value) is error
        assert failed.value.remedy or error in (NotFound, Changed)

    async def test_an_expected_status_is_answered_untouched(self) -> None:
        assert (await Script(httpx.Response(404)).http().request("GET", "a", expect={404})).status_code == 404

    @pytest.mark.parametrize("body", ["<html>Please log in</html>", "", "{", "\x00\xff"])
    async def test_garbage_instead_of_json_is_no_traceback(self, body: str) -> None:
        http = Script(httpx.Response(200, text=body)).http()
        with pytest.raises(ConfigurationError, match="no JSON"):
            await http.get_json("a")
        with pytest.raises(Unavailable, match="no JSON"):  # a write may have been done
            http.json(await http.request("POST", "a"))

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(401, text=f"Bearer {SECRET} is wrong"),
            httpx.Response(200, text=f"<html>{SECRET}"),
            httpx.Response(500, text=SECRET),
            httpx.ConnectError("refused"),
            httpx.ReadTimeout("slow"),
            httpx.Response(302, headers={"location": f"http://other.example/?key={SECRET}"}),
        ],
    )
    async def test_no_error_carries_a_secret(self, answer: Answer) -> None:
        http = Script(answer).http(f"http://user:{SECRET}@tracker.example").using(auth=KeyAuth())
        with pytest.raises(ConnectorError) as failed:
            await http.get_json("a", key=SECRET)
        error: BaseException | None = failed.value
        while error is not None:
            assert SECRET not in f"{error} {error!r} {vars(error).get('system')}"
            error = error.__cause__ or error.__context__


class TestRedirects:
    async def test_a_read_follows_on_its_host_with_the_log_in(self) -> None:
        script = Script(httpx.Response(301, headers={"location": "/app/b"}), ok)
        assert await script.http().using(auth=KeyAuth()).get_json("a") == {"path": "/app/b"}
        assert script.requests[1].headers["X-Key"] == SECRET

    @pytest.mark.parametrize(
        "location", ["http://other.example/", "https://tracker.example/", "http://tracker.example:81/"]
    )
    async def test_another_host_is_never_followed_with_credentials(self, location: str) -> None:
        script = Script(httpx.Response(302, headers={"location": location}), ok)
        with pytest.raises(ConfigurationError, match="redirects"):
            await script.http().using(auth=KeyAuth()).get_json("a")
        assert len(script.requests) == 1

    async def test_a_write_is_not_sent_on(self) -> None:
        script = Script(httpx.Response(307, headers={"location": "/app/b"}), ok)
        with pytest.raises(ConfigurationError, match="redirects"):
            await script.http().request("POST", "a")

    async def test_a_circle_ends(self) -> None:
        with pytest.raises(ConfigurationError, match="circle"):
            await Script(httpx.Response(302, headers={"location": "/app/a"})).http().get_json("a")

    async def test_an_address_on_another_host_is_not_asked_with_our_credentials(self) -> None:
        script = Script(ok)
        http = script.http().using(auth=KeyAuth(), headers={"X-More": SECRET})
        with pytest.raises(ConfigurationError, match="another host"):
            await http.get_json("http://other.example/a")
        assert [chunk async for chunk in http.download("http://other.example/a")]
        assert SECRET not in str(script.requests[0].headers.raw)


class TestDownloads:
    async def test_a_download_comes_in_chunks(self) -> None:
        http = Script(httpx.Response(200, content=b"x" * 300_000)).http()
        assert b"".join([chunk async for chunk in http.download("file")]) == b"x" * 300_000

    async def test_a_download_moves_to_another_host_without_the_log_in(self) -> None:
        script = Script(
            httpx.Response(302, headers={"location": "http://files.example/f"}), httpx.Response(200, text="f")
        )
        http = script.http().using(auth=KeyAuth(), headers={"X-More": "1"})
        assert [chunk async for chunk in http.download("file")] == [b"f"]
        assert not {"x-key", "x-more", "authorization"} & script.requests[1].headers.keys()

    async def test_a_download_that_fails_before_its_first_chunk_is_begun_again(self) -> None:
        script = Script(httpx.Response(503, headers={"retry-after": "0"}), httpx.Response(200, text="f"))
        assert [chunk async for chunk in script.http().download("file")] == [b"f"]

    async def test_a_missing_file_is_not_found(self) -> None:
        with pytest.raises(NotFound):
            _ = [chunk async for chunk in Script(httpx.Response(404)).http().download("file")]
