"""What the first load of an empty system costs, against a bare loop that posts the same tickets.

Fair because both post to trackers alike, at the same latency and with as many requests in flight. The bare loop has its
tickets in memory; ours reads and translates them, and keeps intents, links and audit log on disk.
"""

from __future__ import annotations

from collections import Counter

from bench.server import specimen
from bench.stage import Result, Watch, bare_create, counts, engine, refresh, tracker

MOST_TIME, MOST_READS = 1.25, 0.02


async def run(quick: bool) -> list[Result]:
    """Seconds of ours over those of the bare loop, and requests for each create as the trackers count them."""
    tickets = 1_000 if quick else 10_000
    return [*await _at(0.02, tickets), (await _at(0.0, tickets))[0]]


async def _at(latency: float, tickets: int) -> list[Result]:
    watch = Watch()
    rows = [{k: v for k, v in specimen(n).items() if k not in ("id", "version")} for n in range(1, tickets + 1)]
    with tracker(0, latency) as alone, watch.time("bare"):
        await bare_create(alone, rows)
    with tracker(tickets, latency) as left, tracker(0, latency) as right:
        async with engine(left, right) as runtime:
            with watch.time("ours"):
                report = await refresh(runtime)
            assert sum(report.total.sided["created"].values()) == tickets
        served = Counter(counts(left)) + Counter(counts(right))
    ratio = watch.seconds("ours") / watch.seconds("bare")
    what = f"first load of {tickets:,} at {latency * 1000:.0f} ms, over a bare loop of creates"
    told = f"{ratio:.2f} × ({watch.seconds('ours'):.1f} s to {watch.seconds('bare'):.1f} s)"
    # Without latency there is nothing to wait for: it shows what the engine itself costs, and has no target.
    time = Result(what, told, f"≤ {MOST_TIME} ×", ratio <= MOST_TIME) if latency else Result(what, told)
    return [time, _requests(tickets, served)]


def _requests(tickets: int, served: Counter[str]) -> Result:
    writes, reads = (served["creates"] + served["updates"]) / tickets, served["reads"] / tickets
    told = f"{writes:.2f} writes, {reads:.1%} reads"
    target = f"1 write, ≤ {MOST_READS:.0%} reads"
    return Result("first load: requests for each create", told, target, writes == 1 and reads <= MOST_READS)
