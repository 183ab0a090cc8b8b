"""What a value table of 100,000 rows costs to look up and to build, against a table of 100 rows and a plain dict.

Fair because the same values are looked up in the same order, and the dict is filled from the same pairs in both
directions: less than this no two-way table can do.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from bench.stage import Result, Watch
from mappings.config import Side
from mappings.values import ValueTable

LOOK_UPS = 100_000
MOST = 3.0
"""Look-ups in the large table may cost this much more: it no longer fits into the processor's cache."""


async def run(quick: bool) -> list[Result]:
    """Seconds for as many look-ups in each table, and for building the large one."""
    size = 10_000 if quick else 100_000
    watch = Watch()
    for _ in range(3):
        _look_up(100, "small", watch)
        _look_up(size, "large", watch)
    growth = watch.seconds("large") / watch.seconds("small")
    each = watch.seconds("large") / LOOK_UPS * 1e6
    built = watch.seconds("large built") / watch.seconds("large dict")
    return [
        Result(
            f"look-up in a value table of {size:,} rows, over one of 100",
            f"{growth:.2f} × ({each:.2f} µs)",
            f"O(1): ≤ {MOST} ×",
            growth <= MOST,
        ),
        Result(f"building that table, over two dicts of {size:,}", f"{built:.1f} ×"),
    ]


def _look_up(size: int, name: str, watch: Watch) -> None:
    pairs = [(f"Value {number}", f"V-{number}") for number in range(size)]
    with watch.time(f"{name} dict"):
        dicts = dict(pairs), {right: left for left, right in pairs}
    with watch.time(f"{name} built"):
        table = ValueTable(pairs)
        assert table.to(Side.LEFT, "V-1") == "Value 1"  # it is built when it is first asked
    asked: Sequence[str] = Random(1).choices([left for left, _ in pairs], k=LOOK_UPS)
    assert table.to(Side.RIGHT, asked[0]) == dicts[0][asked[0]]
    with watch.time(name):
        for text in asked:
            table.to(Side.RIGHT, text)
