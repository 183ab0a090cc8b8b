"""A small REST tracker to measure against: `python -m bench.server`, in a process of its own.

Rule of this file: it is never what is measured. Tickets are kept as the bytes that go out, a page is a slice of them,
and latency is waited for without occupying the process. It counts the requests that it serves, by kind.

    GET  /tickets?since=&offset=&limit=   what changed at or after a time, oldest first, with the total
    GET  /tickets?ids=1,2                 these tickets
    GET  /tickets?marker=                 the tickets created with that marker
    POST /tickets                         create one
    PUT  /tickets/1                       change one; `If-Match` is honoured
    GET  /counts                          requests so far, not counting this one
"""

from __future__ import annotations

import argparse
import asyncio
import json
from bisect import bisect_left
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl

STATUSES = ("open", "in progress", "closed")
PRIORITIES = ("high", "medium", "low")
LABELS = ("billing", "api", "mobile", "docs", "search")
TICK = timedelta(microseconds=1)


class Tracker:
    """The tickets, sorted by their modified time."""

    def __init__(self, tickets: int) -> None:
        self.counts: Counter[str] = Counter()
        self.rows: dict[str, dict[str, Any]] = {}
        self.markers: dict[str, str] = {}
        self._times: list[str] = []
        self._pages: list[bytes] = []
        self._last = datetime.now(UTC) - timedelta(days=30)
        for number in range(1, tickets + 1):
            self._keep(specimen(number), self._last + timedelta(seconds=1))
        self._last = max(self._last, datetime.now(UTC) - timedelta(minutes=1))

    def listed(self, since: str, offset: int, limit: int) -> bytes:
        first = bisect_left(self._times, since)
        page = self._pages[first + offset : first + offset + limit]
        return b'{"total":%d,"tickets":[%b]}' % (len(self._times) - first, b",".join(page))

    def write(self, row: dict[str, Any], sent: dict[str, Any]) -> bytes:
        """Keep the ticket with what was sent, as it is now."""
        marker = sent.pop("marker", None)
        if marker:
            self.markers[marker] = row["id"]
        if row["id"] in self.rows:
            if {**row, **sent} == row:
                return json.dumps(row).encode()
            place = bisect_left(self._times, row["modified"])
            del self._times[place], self._pages[place]
        return self._keep({**row, **sent}, max(datetime.now(UTC), self._last + TICK))

    def _keep(self, row: dict[str, Any], at: datetime) -> bytes:
        self._last = at
        row |= {"version": row["version"] + 1, "modified": at.isoformat(timespec="microseconds")}
        row.setdefault("created", row["modified"])
        told = json.dumps(row).encode()
        self.rows[row["id"]] = row
        self._times.append(row["modified"])
        self._pages.append(told)
        return told

    def new(self) -> dict[str, Any]:
        blank = dict.fromkeys(("priority", "points", "due"))
        return {"id": str(len(self.rows) + 1), "version": 0, "description": "", "status": "open", "labels": [], **blank}

    def answer(self, method: str, path: str, query: dict[str, str], match: str, body: bytes) -> tuple[int, bytes]:
        """Status and body."""
        if path == "/counts":
            return 200, json.dumps(self.counts).encode()
        self.counts[{"GET": "reads", "POST": "creates", "PUT": "updates"}.get(method, "others")] += 1
        id = path.removeprefix("/tickets").strip("/")
        if method == "POST":
            return 201, self.write(self.new(), json.loads(body))
        if method == "PUT" and id in self.rows:
            if match and match != str(self.rows[id]["version"]):
                return 412, b"{}"
            return 200, self.write(self.rows[id], json.loads(body))
        if method == "GET" and not id:
            return 200, self._query(query)
        return 404, b"{}"

    def _query(self, query: dict[str, str]) -> bytes:
        if "ids" in query:
            ids = query["ids"].split(",")
        elif "marker" in query:
            ids = [self.markers[query["marker"]]] if query["marker"] in self.markers else []
        else:
            return self.listed(query.get("since", ""), int(query.get("offset", 0)), int(query["limit"]))
        found = [json.dumps(self.rows[id]).encode() for id in ids if id in self.rows]
        return b'{"total":%d,"tickets":[%b]}' % (len(found), b",".join(found))


def specimen(number: int) -> dict[str, Any]:
    """A ticket of common size, about 1 kB of JSON."""
    words = f"Customer {number} reports that the page does not load after the update of last night. "
    return {
        "id": str(number),
        "version": 0,
        "title": f"Page {number} does not load",
        "description": words * 8,
        "status": STATUSES[number % 3],
        "priority": PRIORITIES[number % 3],
        "labels": [LABELS[number % 5], LABELS[(number + 2) % 5]],
        "points": number % 13,
        "due": f"2027-01-{number % 28 + 1:02d}",
    }


class Connection(asyncio.Protocol):
    """HTTP/1.1 as much as a well-behaved client needs: keep-alive, bodies with a length, one request at a time."""

    def __init__(self, tracker: Tracker, latency: float) -> None:
        self.tracker, self.latency = tracker, latency
        self.received = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, rest = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        request, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self.received = rest[length:]
        asyncio.get_running_loop().call_later(self.latency, self.serve, request, headers, rest[:length])

    def serve(self, request: str, headers: dict[str, str], body: bytes) -> None:
        method, target, _ = request.split(" ")
        path, _, query = target.partition("?")
        match = headers.get("if-match", "")
        status, told = self.tracker.answer(method, path, dict(parse_qsl(query)), match, body)
        head = f"HTTP/1.1 {status} -\r\nContent-Length: {len(told)}\r\nDate: {formatdate(usegmt=True)}\r\n\r\n"
        self.transport.write(head.encode() + told)


async def serve(tickets: int, latency: float) -> None:
    """Serve until the process is ended. The port is the first line on stdout."""
    tracker = Tracker(tickets)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(tracker, latency), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tickets", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that each request takes")
    given = parser.parse_args()
    asyncio.run(serve(given.tickets, given.latency))
