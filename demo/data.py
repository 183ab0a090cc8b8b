"""The people and the forty tickets of the demo. Made up for it; any likeness to your own inbox is typical.

Rule of this file: data only. Each ticket is born in one of the two trackers and knows only that one's words.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account in both trackers: another log-in in each, the same e-mail address."""

    name: str
    support: str
    engineering: str
    email: str

    def login(self, desk: str) -> str:
        return self.support if desk == "support" else self.engineering


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as its tracker has it. `by` reported it; `to` works on it; `talk`: (who, comment)."""

    title: str
    text: str
    status: str
    priority: str
    by: Person
    to: Person | None = None
    keywords: tuple[str, ...] = ()
    talk: tuple[tuple[Person, str], ...] = ()


MARIA = Person("Maria Keller", "maria", "mkeller", "maria.keller@example.org")
TOM = Person("Tom Okafor", "tom", "t.okafor", "tom.okafor@example.org")
INES = Person("Ines Duarte", "ines", "ines", "ines.duarte@example.org")
JONAS = Person("Jonas Wik", "jonas.w", "jwik", "jonas.wik@example.org")
PRIYA = Person("Priya Nair", "pnair", "priya", "priya.nair@example.org")
PEOPLE = (MARIA, TOM, INES, JONAS, PRIYA)

KEYWORDS = ("vpn", "printing", "mail", "login", "network", "backup", "mobile", "storage", "patch")

SUPPORT = (
    Ticket("VPN drops every forty minutes on Wi-Fi", "Three people in the Lisbon office lose the tunnel at regular "
           "intervals. On cable it holds.", "chatting", "bug", MARIA, PRIYA, ("vpn", "network"),
           ((TOM, "Same in Porto since Monday."), (MARIA, "Logs of two laptops are on the share."))),
    Ticket("Printer on floor 3 jams on duplex", "Single-sided works. Trays were cleaned twice.", "unread", "bug", TOM,
           None, ("printing",)),
    Ticket("Password reset mail arrives an hour late", "Users give up and call us instead.", "in-progress", "urgent",
           MARIA, INES, ("mail", "login"), ((INES, "The queue is fine, the relay is not."),)),
    Ticket("Calendar shows meetings one hour off", "Only invitations from outside, since the clocks changed.",
           "unread", "bug", INES, JONAS, ("mail",)),
    Ticket("New starter needs access to the finance share", "Starts on the first. Manager has agreed.", "resolved",
           "feature", TOM, TOM, ("storage", "login")),
    Ticket("Phone app asks for the PIN at every start", "After the last update. Android only.", "need-eg", "bug", MARIA,
           JONAS, ("mobile", "login"), ((JONAS, "Which Android version is it?"),)),
    Ticket("Nightly backup of the file server took nine hours", "It used to take four. Nothing else has changed.",
           "testing", "critical", INES, PRIYA, ("backup", "storage")),
    Ticket("Search finds nothing in archived mail", "Worked last week for the same folders.", "unread", "bug", TOM,
           None, ("mail",)),
    Ticket("Meeting room screen stays black", "The cable was changed. Room 2.14.", "deferred", "wish", MARIA),
    Ticket("Two accounts for the same person after a name change", "Both get mail, only one may log in.", "chatting",
           "urgent", TOM, INES, ("login", "mail"), ((TOM, "She is back on Thursday and needs one of them."),)),
    Ticket("Scanner sends empty PDF files", "Pages are counted, nothing is on them.", "unread", "bug", INES, None,
           ("printing",)),
    Ticket("Guest Wi-Fi hands out no addresses", "From about eleven o'clock on every working day.", "in-progress",
           "critical", MARIA, JONAS, ("network",), ((JONAS, "The lease time was a week. It is a day now."),)),
    Ticket("Please add dark mode to the ticket form", "Night shift would be grateful.", "unread", "wish", TOM),
    Ticket("Web mail logs me out while I write", "Twenty minutes, then the draft is gone.", "testing", "urgent", MARIA,
           PRIYA, ("mail", "login"), ((PRIYA, "Drafts are kept now. The time-out is next."),)),
    Ticket("Umlauts are lost in exported lists", "Müller becomes M?ller in the monthly list.", "unread", "bug", INES,
           JONAS),
    Ticket("Tablet cannot open attachments", "It says that the file is damaged. On a laptop it opens.", "need-eg",
           "bug", TOM, JONAS, ("mobile", "mail")),
    Ticket("Shared mailbox is full", "It refuses mail from customers since this morning.", "done-cbb", "critical",
           MARIA, INES, ("mail", "storage")),
    Ticket("Label printer prints one millimetre too low", "Every tenth label has to be thrown away.", "deferred",
           "bug", TOM, None, ("printing",)),
    Ticket("Wrong language after log-in", "Portuguese for everybody in the Berlin office.", "in-progress", "feature",
           INES, PRIYA, ("login",)),
    Ticket("Old laptop still shows up in the device list", "It was returned in spring.", "resolved", "wish", MARIA,
           TOM),
    Ticket("Video calls freeze on the train", "Audio goes on. Only with the VPN.", "unread", "feature", TOM, None,
           ("vpn", "mobile")),
    Ticket("Cannot restore a single file from backup", "Only whole folders can be chosen.", "chatting", "urgent", INES,
           PRIYA, ("backup",), ((INES, "The auditor asks for exactly this."), (PRIYA, "It is possible by hand."))),
    Ticket("Door badge works, computer log-in does not", "Since the badge was renewed.", "unread", "bug", MARIA, None,
           ("login",)),
    Ticket("Newsletter lands in everybody's junk mail", "Ours, that is.", "testing", "feature", TOM, INES, ("mail",)),
    Ticket("Network drive disconnects after sleep", "Comes back when opened twice.", "unread", "bug", INES, JONAS,
           ("network", "storage")),
    Ticket("Where is the form for home office equipment?", "The link in the handbook is dead.", "resolved", "wish",
           MARIA, TOM),
)  # fmt: skip

ENGINEERING = (
    Ticket("Tunnel keep-alive is lost when the access point roams", "The client waits for an answer to the old "
           "address.", "open", "urgent", PRIYA, PRIYA, ("vpn",)),
    Ticket("Session cookies outlive the session", "Found while reading the log-in code.", "new", "immediate", JONAS,
           INES, ("login",), ((INES, "Confirmed. A fix is under way."),)),
    Ticket("Mail relay retries in bursts", "All queued mail goes out in the same second and is turned away.", "open",
           "high", INES, INES, ("mail",), ((PRIYA, "Spread it over the minute?"), (INES, "That is the plan."))),
    Ticket("Backup index is rebuilt every night", "It need not be. This is where the hours go.", "open", "high", PRIYA,
           PRIYA, ("backup",)),
    Ticket("List export ignores the encoding that was asked for", "Latin-1 whatever one chooses.", "new", "normal",
           JONAS, JONAS),
    Ticket("Time zone data is from last year", "Explains a few strange calendars.", "pending", "high", JONAS, JONAS,
           ("mail", "mobile")),
    Ticket("Printer driver: heavy paper and duplex exclude each other", "The vendor knows. No date.", "pending",
           "normal", PRIYA, None, ("printing",)),
    Ticket("Address pool of the guest network is too small", "254 addresses, 400 phones.", "closed", "high", JONAS,
           JONAS, ("network",)),
    Ticket("Write a test for accounts that were renamed", "Twice this year is enough.", "new", "low", INES, None,
           ("login",)),
    Ticket("Attachment viewer on tablets reads beyond the end", "Only with files of exactly 64 kB.", "open", "urgent",
           JONAS, PRIYA, ("mobile",), ((JONAS, "I have a file that shows it every time."),)),
    Ticket("Let the storage report tell quotas", "Mailboxes fill up without a warning.", "new", "normal", INES, None,
           ("storage", "mail")),
    Ticket("Remove the old search index", "Nothing reads it any more, except perhaps the archive.", "pending", "low",
           PRIYA, INES, ("mail",)),
    Ticket("Language falls back to the first in the alphabet", "Of the country codes, that is.", "open", "normal",
           PRIYA, PRIYA),
    Ticket("Badge numbers with a leading zero are cut", "A number is not a text, again.", "closed", "high", INES,
           INES, ("login",), ((INES, "Released this morning."),)),
)  # fmt: skip

TICKETS = {"support": SUPPORT, "engineering": ENGINEERING}
