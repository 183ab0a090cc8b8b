"""How fast links get into the ledger and are found there, against plain SQLite doing the same with the same rows.

Fair because both write the same columns in batches of a thousand with a commit each, to a file in the same folder, with
the same durability; the plain one prepares its rows beforehand, keeps one index instead of seven, and checks no lease.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.linked import link_all, pairs_of
from bench.stage import NAME, Result, Watch, engine
from ledger.codec import link_row
from ledger.model import Link
from mappings.config import Side

AT_ONCE = 1000


async def run(quick: bool) -> list[Result]:
    """Links per second of ours over those of the plain database, and look-ups."""
    size = 5_000 if quick else 50_000
    watch = Watch()
    async with engine("http://127.0.0.1:1", "http://127.0.0.1:2") as runtime:
        links = list(pairs_of(runtime, size))
        with TemporaryDirectory() as folder:
            _plain(Path(folder) / "plain.db", links, watch)
        with watch.time("ours"):
            link_all(runtime, links)
        wanted = [f"ticket/{number}" for number in range(1, size, size // 100)]
        for _ in range(5):
            with watch.time("found"):
                assert len(runtime.ledger.links_of(NAME, Side.LEFT, wanted)) == len(wanted)
    share = watch.seconds("plain") / watch.seconds("ours")
    told = f"{size / watch.seconds('ours'):,.0f} links/s, {share:.2f} × plain SQLite"
    found = f"{watch.seconds('found') * 1000:.1f} ms for {len(wanted)}"
    return [
        Result(f"{size:,} links into the ledger", told),
        Result(f"links found by entity among {size:,}", found),
    ]


def _plain(path: Path, links: Sequence[Link], watch: Watch) -> None:
    rows = [{k: _bare(v) for k, v in link_row(link).items()} for link in links]
    names = list(rows[0])
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    database.execute(f"CREATE TABLE links (id INTEGER PRIMARY KEY, {', '.join(names)})")
    database.execute("CREATE UNIQUE INDEX links_left ON links (left_ident, connector, left_system)")
    places = ", ".join(f":{name}" for name in names)
    left = iter(rows)
    with watch.time("plain"):
        while chunk := list(islice(left, AT_ONCE)):
            with database:
                database.executemany(f"INSERT INTO links ({', '.join(names)}) VALUES ({places})", chunk)
    database.close()


def _bare(value: object) -> object:
    return value if value is None or isinstance(value, str | int) else json.dumps(value, default=str)
