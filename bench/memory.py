"""The most memory that a process needs for a first load, with few and with many entities.

Fair because the process is a new one each time, does nothing else, and the operating system says what it had at most
(its own code and libraries included). The trackers are other processes.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys

from bench.stage import Result, engine, refresh, tracker

MOST_MB = 250
GROWTH = 1.15
"""What counts as not growing: allocators round up."""


async def run(quick: bool) -> list[Result]:
    """Megabytes at two sizes."""
    sizes = (1_000, 10_000) if quick else (10_000, 100_000)
    peaks = [await asyncio.to_thread(_peak_of_child, size) for size in sizes]
    told = f"{peaks[1]:.0f} MB, {peaks[1] / peaks[0]:.2f} × the {peaks[0]:.0f} MB at {sizes[0]:,}"
    met = peaks[1] <= MOST_MB and peaks[1] <= GROWTH * peaks[0]
    return [Result(f"memory of a first load of {sizes[1]:,}", told, f"≤ {MOST_MB} MB, not growing", met)]


def _peak_of_child(size: int) -> float:
    with tracker(size) as left, tracker(0) as right:
        command = [sys.executable, "-m", "bench.memory", left, right]
        return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


async def _load(left: str, right: str) -> None:
    async with engine(left, right) as runtime:
        await refresh(runtime)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("left")
    parser.add_argument("right")
    given = parser.parse_args()
    asyncio.run(_load(given.left, given.right))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
