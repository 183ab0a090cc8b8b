"""One of the demo's two trackers, and the people who work in it.

Rule of this file: whatever happens here is done as a person of the tracker would do it, under that person's log-in.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.data import KEYWORDS, PEOPLE, TICKETS, Person, Ticket
from demo.trackers import Tracker, start_tracker


@dataclass(frozen=True, slots=True)
class Shape:
    """What a Roundup template calls things."""

    template: str
    ticket: str
    assignee: str
    keywords: str
    role: str


SHAPES = {
    "support": Shape("classic", "issue", "assignedto", "keyword", "User"),
    "engineering": Shape("devel", "bug", "assignee", "keywords", "User, Developer"),
}


@dataclass(slots=True)
class Desk:
    """A running tracker. `tickets`: title -> id of those that were reported here."""

    name: str
    tracker: Tracker
    password: str
    tickets: dict[str, str] = field(default_factory=dict)
    _ids: dict[Person, str] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, name: str, password: str) -> Desk:
        """Start a tracker in `folder`, with its people, keywords and tickets."""
        desk = cls(name, start_tracker(folder, SHAPES[name].template, admin_password=password), password)
        try:
            desk._fill()
        except BaseException:
            desk.close()
            raise
        return desk

    def close(self) -> None:
        self.tracker.stop()

    @property
    def shape(self) -> Shape:
        return SHAPES[self.name]

    def add(self, ticket: Ticket) -> str:
        """Somebody reports a ticket; answers its id."""
        values: dict[str, Any] = {
            "title": ticket.title,
            "messages": [self._write(ticket.by, ticket.text)],
            "status": ticket.status,
            "priority": ticket.priority,
            self.shape.keywords: list(ticket.keywords),
        }
        if ticket.to is not None:
            values[self.shape.assignee] = self._ids[ticket.to]
        id = str(self.tracker.rest("POST", self.shape.ticket, values, as_user=self._login(ticket.by))["id"])
        self.tickets[ticket.title] = id
        for person, text in ticket.talk:
            self.comment(id, person, text, status=ticket.status)
        return id

    def edit(self, id: str, by: Person, **values: Any) -> None:
        """Somebody edits a ticket."""
        self.tracker.rest("PUT", f"{self.shape.ticket}/{id}", values, as_user=self._login(by))

    def assign(self, id: str, by: Person, to: Person) -> None:
        """Somebody hands a ticket to somebody."""
        self.edit(id, by, **{self.shape.assignee: self._ids[to]})

    def comment(self, id: str, by: Person, text: str, **values: str) -> None:
        """Somebody comments on a ticket. `values` keeps what the tracker would move by itself."""
        now = self.tracker.rest("GET", f"{self.shape.ticket}/{id}")["attributes"]
        messages = [message["id"] for message in now["messages"]]
        self.edit(id, by, messages=[*messages, self._write(by, text)], **values)

    def url(self, id: str) -> str:
        return f"{self.tracker.url}{self.shape.ticket}{id}"

    def _fill(self) -> None:
        self.tracker.add_user("syncline", "Syncline", "syncline@example.org", self.password, "Admin")
        for person in PEOPLE:
            login, role = person.login(self.name), self.shape.role
            self._ids[person] = self.tracker.add_user(login, person.name, person.email, self.password, role)
        known = {keyword["name"] for keyword in self.tracker.rest("GET", "keyword?@fields=name")["collection"]}
        for keyword in KEYWORDS:
            if keyword not in known:
                self.tracker.add("keyword", name=keyword)
        for ticket in TICKETS[self.name]:
            self.add(ticket)

    def _write(self, by: Person, text: str) -> str:
        """A message that belongs to no ticket yet; answers its id."""
        now = time.strftime("%Y-%m-%d.%H:%M:%S", time.gmtime())
        values = {"content": text, "author": self._ids[by], "date": now}
        return str(self.tracker.rest("POST", "msg", values, as_user=self._login(by))["id"])

    def _login(self, person: Person) -> str:
        return f"{person.login(self.name)}:{self.password}"
