"""What a refresh costs that finds nothing, with few and with many linked pairs.

Fair because it is the same refresh with the same configuration, on trackers that really hold so many tickets. Not
in it: every five minutes a slice of all pairs is read again (`deletes.check_every`), which grows with their number.
"""

from __future__ import annotations

from bench.linked import link_all, pairs_of
from bench.stage import Result, Watch, counts, engine, refresh, tracker

ROUNDS = 15
MOST_REQUESTS = 2


async def run(quick: bool) -> list[Result]:
    """Requests, and seconds over those at ten links."""
    sizes = (10, 1_000, 10_000) if quick else (10, 1_000, 100_000)
    found = [await _at(size) for size in sizes]
    fewest, quickest = found[0]
    return [
        Result(
            f"refresh with nothing changed at {size:,} links",
            f"{requests} requests; {seconds / quickest:.2f} × the time at {sizes[0]} ({seconds * 1000:.0f} ms)",
            f"≤ {MOST_REQUESTS} requests, whatever the number",
            requests <= MOST_REQUESTS and requests == fewest,
        )
        for size, (requests, seconds) in zip(sizes, found, strict=True)
    ]


async def _at(links: int) -> tuple[float, float]:
    """Requests and seconds of one refresh."""
    watch = Watch()
    with tracker(links) as left, tracker(links) as right:
        async with engine(left, right, start_polling="now") as runtime:
            link_all(runtime, pairs_of(runtime, links))
            for _ in range(2):  # the first ones still find out where to begin
                await refresh(runtime)
            before = counts(left)["reads"] + counts(right)["reads"]
            for _ in range(ROUNDS):
                with watch.time("ours"):
                    await refresh(runtime)
            made = counts(left)["reads"] + counts(right)["reads"] - before
    return made / ROUNDS, watch.seconds("ours")
