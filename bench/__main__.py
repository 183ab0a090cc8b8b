"""`make bench`, or `python -m bench [--quick] [names…]`: runs the benchmarks and prints target, measured, verdict."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
from importlib import import_module

from bench.stage import Result

NAMES = ("fetch", "first_load", "unchanged", "memory", "ledger", "values", "worker")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Speed and memory, as ratios within one run.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"which: {', '.join(NAMES)} (all)")
    parser.add_argument("--quick", action="store_true", help="fewer entities: an impression within a minute")
    given = parser.parse_args()
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there is {', '.join(NAMES)}")
    results: list[Result] = []
    for name in given.names or NAMES:
        print(f"{name} …", file=sys.stderr)
        results += asyncio.run(import_module(f"bench.{name}").run(given.quick))
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores\n")
    print(table(results))


def table(results: list[Result]) -> str:
    """As Markdown."""
    rows = [(r.what, r.target, r.measured, r.verdict) for r in results]
    head = [("what", "target", "measured", "verdict"), ("---",) * 4]
    return "\n".join(f"| {' | '.join(row)} |" for row in [*head, *rows])


if __name__ == "__main__":
    main()
