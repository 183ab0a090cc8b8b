"""How close fetch, map and filter of new tickets come to a bare loop that only reads and parses the same pages.

Fair because both read the same tracker with the same page size and as many requests in flight, in turns; the engine
runs as a dry run, so it translates and plans every ticket, which the bare loop does not.
"""

from __future__ import annotations

from bench.stage import ROUNDS, Result, Watch, bare_read, engine, refresh, tracker

TARGET = 0.8


async def run(quick: bool) -> list[Result]:
    """Entities per second of ours, over those of the bare loop, at three latencies."""
    tickets = 2_000 if quick else 20_000
    return [await _at(latency, tickets) for latency in (0.0, 0.02, 0.1)]


async def _at(latency: float, tickets: int) -> Result:
    watch = Watch()
    with tracker(tickets, latency) as left, tracker(0, latency) as right:
        async with engine(left, right) as runtime:
            for _ in range(ROUNDS):
                with watch.time("bare"):
                    assert await bare_read(left) == tickets
                with watch.time("ours"):
                    report = await refresh(runtime, dry_run=True)
                assert sum(report.total.sided["created"].values()) == tickets
    ratio = watch.seconds("bare") / watch.seconds("ours")
    what = f"fetch, map and filter of {tickets:,} at {latency * 1000:.0f} ms, over a bare loop"
    told = f"{ratio:.2f} × ({watch.seconds('ours'):.2f} s to {watch.seconds('bare'):.2f} s)"
    # Without latency there is nothing to wait for: it shows what the mapping itself costs, and has no target.
    return Result(what, told, f"≥ {TARGET} ×", ratio >= TARGET) if latency else Result(what, told)
