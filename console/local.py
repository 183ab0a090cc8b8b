"""A refresh in this process, with a bar on the terminal and a good end on Ctrl-C (`--local`).

Rule of this file: the first Ctrl-C (or SIGTERM) lets the entities under way be finished, the second ends at once.
Either way nothing is lost: the ledger knows what was begun.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from console.output import Output
from flows.engine import refresh_connector
from flows.report import RefreshOptions, Report
from flows.runtime import Runtime

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def refresh_here(
    runtime: Runtime, names: Sequence[str], options: RefreshOptions, out: Output
) -> tuple[list[Report], int]:
    """Refresh these connectors one after the other; the reports, and the signal that cut it short (0: none)."""
    reports = []
    with finishing(runtime, out) as signals:
        for name in names:
            if signals:
                break
            with out.progress(name) as progress:
                reports.append(await refresh_connector(runtime, name, options, progress=progress))
    return reports, signals[0] if signals else 0


@contextmanager
def finishing(runtime: Runtime, out: Output) -> Iterator[list[int]]:
    """While this lasts, a signal asks the runtime to stop; the signals that came."""
    loop, came = asyncio.get_running_loop(), list[int]()

    def stop(number: int) -> None:
        came.append(number)
        runtime.stopping.set()
        out.say("Stopping: what is under way is finished first. Once more to end at once.")
        for each in _SIGNALS:
            loop.remove_signal_handler(each)

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        yield came
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
