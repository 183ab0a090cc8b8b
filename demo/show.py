"""`syncline demo`: what Syncline does, on two real trackers, in a minute.

Rule of this file: every step says in a sentence what happens and why it matters, and what it shows is read from the
trackers and the ledger at that moment. Nothing is staged but the people.
"""

from __future__ import annotations

import asyncio
import importlib.util
import shlex
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from connectors.entity import Entity
from connectors.errors import ConfigurationError, Unavailable
from console.tables import table
from demo.agreement import Comparison, compare
from demo.data import INES, JONAS, MARIA, PEOPLE, PRIYA, TOM, Ticket
from demo.desk import Desk
from demo.stage import NAME, Stage, stage
from demo.teller import Teller
from flows.runtime import default_ledger
from ledger.store import Ledger, this_owner

PATIENCE = 300.0
"""Seconds that one step may take on a slow machine."""
SHOWN = 6
"""Pairs of each origin in the first table."""

MERGED = "VPN drops every forty minutes on Wi-Fi"
DISPUTED = "Printer on floor 3 jams on duplex"
DISCUSSED = "Mail relay retries in bursts"
NEW_HERE = Ticket("Invoice program closes without a word", "Since lunch. Four people so far.", "unread", "critical",
                  TOM, None, ("login",))  # fmt: skip
NEW_THERE = Ticket("Certificate of the mail relay ends on Friday", "The new one is ordered, and not installed.", "open",
                   "urgent", INES, JONAS, ("mail",))  # fmt: skip
RESOLVES = 20
"""Attempts to resolve the conflict: one that meets a refresh is told to try again."""
NAMES = {"left": "support", "right": "engineering", "both": "both"}

Run = dict[str, Any]


def show(folder: Path, *, once: bool) -> int:
    """Run the demo in `folder`; answers the exit code: 0 if both sides agree at the end of the show, else 1.

    `once`: end after the show, else stay up until Ctrl-C. Raises ConfigurationError and Unavailable.
    """
    if importlib.util.find_spec("roundup") is None:
        raise ConfigurationError("The demo needs Roundup, a tracker", remedy="pip install 'syncline[demo]'")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    teller = Teller()
    teller.title("Syncline keeps two trackers in agreement")
    with ExitStack() as everything:
        with teller.busy("Two Roundup trackers start, and five people fill them with forty tickets"):
            made = everything.enter_context(stage(folder))
        ledger = everything.enter_context(Ledger.open(default_ledger(folder)))
        agree = _Show(teller, made, ledger).run()
        if not once:
            teller.say("Ctrl-C ends everything.", "dim")
        try:
            while not once:
                time.sleep(1)
                made.require_daemon()
        except KeyboardInterrupt:
            pass
        with teller.busy("Daemon, Prefect server and trackers end"):
            everything.close()
    return 0 if agree else 1


class _Show:
    """The steps, in their order."""

    def __init__(self, teller: Teller, made: Stage, ledger: Ledger) -> None:
        self.teller, self.made, self.ledger = teller, made, ledger

    def run(self) -> bool:
        """Whether both sides agree at the end."""
        self.first_refresh()
        runs = self.edits()
        self.outcome(runs)
        self.settle()
        agree = self.agreement()
        self.addresses()
        return agree

    def first_refresh(self) -> None:
        self.teller.step(
            "The first refresh: every ticket gets a twin",
            "The support desk has issues with eight statuses, engineering has bugs with four; people have another "
            "log-in here and there. One YAML file of forty lines says how the two fit together.",
        )
        with self.teller.busy("The daemon starts a Prefect server and deploys the integration connector"):
            self.made.start_daemon()
            (first,) = self._until(lambda runs: len(runs) >= 1, set())
        created, comments = first["created"], first["comments"]
        self.teller.say(
            f"Done in {first['seconds']:.1f} s: {created['right']} bugs made from issues, {created['left']} issues "
            f"from bugs, {comments['left'] + comments['right']} comments carried over with author and time."
        )
        pairs = self._compare().pairs
        self._pairs(pairs[:SHOWN] + pairs[-SHOWN:], len(pairs))

    def edits(self) -> list[Run]:
        """People edit both sides; answers the refreshes that this led to."""
        self.teller.step(
            "People work on both sides, at the same time",
            "Nobody tells Syncline. It refreshes on the schedule that Prefect keeps, here every five seconds.",
        )
        seen = {run["run"] for run in self.ledger.runs(NAME)}
        with self._between_refreshes():
            self._edit(self.made.support, self.made.engineering)
        self.teller.show(
            table(
                ("where", "who", "does what", "and then?"),
                [
                    ("support", "Maria", f"makes “{MERGED}” critical", "different fields of one pair: both survive"),
                    ("engineering", "Priya", "hands the same ticket to Jonas", ""),
                    ("support", "Tom", f"renames “{DISPUTED}”", "the same field, differently: a conflict"),
                    ("engineering", "Priya", "renames it too, to something else", ""),
                    ("support", "Tom", f"reports “{NEW_HERE.title}”", "a twin in engineering"),
                    ("engineering", "Ines", f"reports “{NEW_THERE.title}”", "a twin at the support desk"),
                    ("engineering", "Ines", f"comments on “{DISCUSSED}”", "the desk reads it, in her name"),
                ],
                "",
            )
        )
        with self.teller.busy("Waiting for the next refresh"):
            return self._until(_all_arrived, seen)

    def _edit(self, support: Desk, engineering: Desk) -> None:
        left, right = self._twins(MERGED)
        support.edit(left, MARIA, priority="critical")
        engineering.assign(right, PRIYA, JONAS)
        left, right = self._twins(DISPUTED)
        support.edit(left, TOM, title="Printer on floor 3 jams, but only with recycled paper")
        engineering.edit(right, PRIYA, title="Duplex unit of the floor 3 printer needs firmware 2.4")
        _, right = self._twins(DISCUSSED)
        engineering.comment(right, INES, "Spread over the minute since noon. Please tell us if mail is late again.")
        support.add(NEW_HERE)
        engineering.add(NEW_THERE)

    def outcome(self, runs: list[Run]) -> None:
        """What these refreshes did, from their own plans."""
        self.teller.step(
            "The next refresh: merge, halt, create, comment",
            "Each side is compared with what both last agreed on: that tells an edit from an echo, and a conflict from "
            "an edit that has only not arrived yet.",
        )
        titles = {
            (side, entity.ref.id): str(entity.fields["title"])
            for pair in self._compare().pairs
            for side, entity in zip(("left", "right"), pair, strict=True)
        }
        plans = [row for run in runs for row in (self.ledger.run(run["run"]) or {}).get("plan", ())]
        rows = [_explained(row, titles) for row in plans]
        for side in ("left", "right"):
            if count := sum(run["comments"][side] for run in runs):
                rows.append((NAMES[side], DISCUSSED, f"{count} comment, by its author", "new on the other side"))
        self.teller.show(table(("where", "ticket", "what Syncline did", "because"), rows, "Nothing was to be done."))

    def settle(self) -> None:
        """A person resolves the conflict, on the command line."""
        self.teller.step(
            "The conflict waits for a person, and nothing else waits for it",
            "Neither side was overwritten, however often it refreshes. The forty-one other pairs go on.",
        )
        self._call("conflicts", NAME)
        (conflict,) = self.ledger.conflicts(NAME, state="open")
        words = ("conflicts", "resolve", str(conflict.id), "--take", "right", "--reason", "Engineering opened it")
        for _ in range(RESOLVES):
            if self._call(*words) == 0:
                return
            time.sleep(1)

    def agreement(self) -> bool:
        """Whether both sides agree, in every ticket, field and comment."""
        self.teller.step(
            "Do they agree?", "Every ticket is read from both trackers and compared, past Syncline's memory."
        )
        seen = {run["run"] for run in self.ledger.runs(NAME)}
        with self.teller.busy("Reading both trackers"):
            self._until(lambda runs: any(not _wrote(run) for run in runs), seen)
            now = self._compare()
        for difference in now.differences:
            self.teller.say(difference, "red")
        if now.differences:
            self.teller.say("The two sides do not agree.", "bold red")
            return False
        touched = {self._twins(title)[0] for title in (MERGED, DISPUTED, DISCUSSED, NEW_HERE.title, NEW_THERE.title)}
        self._pairs([pair for pair in now.pairs if pair[0].ref.id in touched], len(now.pairs))
        self.teller.say(
            f"{len(now.pairs)} pairs: every field and every comment agrees, and the next refresh wrote nothing.",
            "bold green",
        )
        return True

    def addresses(self) -> None:
        """Where to look for oneself."""
        self.teller.step("Look for yourself", "Edit a ticket in a browser: five seconds later its twin has it.")
        rows = [
            ("support desk", self.made.support.tracker.url, ", ".join(person.support for person in PEOPLE)),
            ("engineering", self.made.engineering.tracker.url, ", ".join(person.engineering for person in PEOPLE)),
            ("Prefect", self.made.prefect_url, "runs, schedule, reports"),
        ]
        self.teller.show(table(("", "address", "log in as"), rows, ""))
        self.teller.say(f"The password is {self.made.password} for everybody.")
        self.teller.say(f"Try: {self._shown('status')}   or   {self._shown('audit', NAME)}")

    def _call(self, *words: str) -> int:
        """Run a command before everybody's eyes; answers its exit code."""
        self.teller.command(self._shown(*words))
        return subprocess.run(self.made.command(*words), env=self.made.environment(), check=False).returncode

    def _shown(self, *words: str) -> str:
        return shlex.join(["syncline", "--config", str(self.made.folder), *words])

    # -- looking ---------------------------------------------------------------------------------------------------

    def _until(self, enough: Callable[[list[Run]], bool], seen: set[str]) -> list[Run]:
        """The refreshes after those already seen, oldest first, once they are enough. Raises Unavailable."""
        deadline = time.monotonic() + PATIENCE
        while True:
            runs = [run for run in reversed(self.ledger.runs(NAME)) if run["run"] not in seen]
            if enough(runs):
                return runs
            self.made.require_daemon()
            if time.monotonic() > deadline:
                raise Unavailable(f"No refresh did it within {PATIENCE:.0f} s", remedy="See daemon.log in the folder.")
            time.sleep(0.2)

    @contextmanager
    def _between_refreshes(self) -> Iterator[None]:
        """No refresh begins meanwhile: one that saw only the first of two edits would rightly find no conflict."""
        deadline = time.monotonic() + PATIENCE
        while (lease := self.ledger.acquire(NAME, this_owner(), PATIENCE)) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        try:
            yield
        finally:
            if lease is not None:
                self.ledger.release(lease)

    def _compare(self) -> Comparison:
        return asyncio.run(compare(self.made.folder, NAME))

    def _twins(self, title: str) -> tuple[str, str]:
        """The ids of a ticket on the left and on the right."""
        left, right = (desk.tickets.get(title) for desk in (self.made.support, self.made.engineering))
        (link,) = [one for one in self.ledger.links(NAME) if one.left.ref.id == left or one.right.ref.id == right]
        return link.left.ref.id, link.right.ref.id

    def _pairs(self, pairs: Sequence[tuple[Entity, Entity]], of: int) -> None:
        heads = ("issue", "title", "status", "priority", "works on it", "bug", "status", "priority", "works on it")
        rows = [
            (left.ref.id, left.fields["title"], *_brief(left, "assignedto"), right.ref.id, *_brief(right, "assignee"))
            for left, right in pairs
        ]
        self.teller.show(table(heads, rows, ""))
        self.teller.say(f"… and {of - len(rows)} more pairs.")


def _brief(entity: Entity, assignee: str) -> tuple[str, str, str]:
    to = entity.fields[assignee]
    return str(entity.fields["status"]), str(entity.fields["priority"]), str(getattr(to, "username", None) or "-")


def _all_arrived(runs: list[Run]) -> bool:
    """Whether everything that people did on both sides has been dealt with."""
    done: Counter[str] = Counter()
    for run in runs:
        for word in ("created", "updated", "comments"):
            done.update({f"{word} {side}": n for side, n in run[word].items()})
        done["halted"] += run["halted"]
    wanted = ("created left", "created right", "updated left", "updated right", "comments left", "halted")
    return all(done[word] for word in wanted)


def _wrote(run: Run) -> bool:
    """Whether a refresh wrote anything to a system."""
    return any(sum(run[word].values()) for word in ("created", "updated", "deleted", "comments"))


def _explained(row: Run, titles: Mapping[tuple[str, str], str]) -> tuple[str, str, str, str]:
    """A row of a plan in words: where, which ticket, what, because."""
    where, fields = NAMES[row["side"]], row["fields"]
    match row["action"]:
        case "create":
            return where, fields["title"], "creates its twin", "it is new on the other side"
        case "update":
            told = "; ".join(f"{name} is {value} now" for name, value in fields.items())
            return where, titles.get((row["side"], row["entity"]), ""), told, "only the other side had changed it"
        case "halt":
            named = ", ".join(name.partition("=")[0] for name in fields)
            because = "both sides changed it, to different values"
            return where, titles.get(("left", row["entity"]), ""), f"halts this pair for its {named}", because
    return where, row["entity"], row["action"], row["reason"]
