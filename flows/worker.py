"""An in-process Prefect worker: it runs refreshes inside this long-lived process.

Rule of this file: a run costs what its work costs. A subprocess per run needs more than a second of CPU before it
begins; here a run is a task on this event loop. `prefect worker start --type syncline` starts one too.
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import anyio
from prefect import Flow, State
from prefect.client.schemas.objects import FlowRun
from prefect.context import AsyncClientContext, SyncClientContext
from prefect.events.worker import EventsWorker
from prefect.exceptions import Abort, ObjectNotFound
from prefect.flow_engine import run_flow_async
from prefect.logging.handlers import APILogHandler
from prefect.states import Pending
from prefect.utilities.engine import propose_state
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from flows.refresh import refresh
from flows.sweep import CLAIM
from ledger.lease import this_owner

RUNS_AT_ONCE = 32
"""Refreshes wait for systems most of the time; each system's budget bounds what they do at once."""

LAST_WORDS = 5.0
"""Seconds that a cancelled run gets to report its end."""


class SynclineWorkerResult(BaseWorkerResult):
    """How a run ended, as far as the worker is concerned: Prefect itself holds the run's state."""


class SynclineWorker(BaseWorker[BaseJobConfiguration, BaseVariables, SynclineWorkerResult]):
    """Polls its work pool and runs each refresh as a task of this event loop.

    Runs must not be on the main thread: there Prefect's engine would take over SIGTERM for each of them.
    """

    type = "syncline"
    job_configuration = BaseJobConfiguration
    job_configuration_variables = BaseVariables
    _description = "Runs Syncline's refreshes inside one long-lived process."
    _display_name = "Syncline"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["limit"] = kwargs.get("limit") or RUNS_AT_ONCE
        kwargs["prefetch_seconds"] = 0
        super().__init__(*args, **kwargs)
        self._accepting = True
        self._owner = this_owner()
        self._ended = asyncio.Event()
        self._running: dict[UUID, asyncio.Task[Any]] = {}
        self._flow_names: dict[UUID, str] = {}

    async def serve(self, stopping: asyncio.Event, grace: float) -> None:
        """Work until `stopping` is set, then take no more runs and give those in flight `grace` seconds.

        Raises what ends Prefect's polling: a server that stays away.
        """
        # One client for all runs: Prefect would make one per run, which costs more than a run that finds nothing,
        # and leave it open.
        with SyncClientContext.get_or_create():
            async with AsyncClientContext.get_or_create():
                await self._serve(stopping, grace)

    async def _serve(self, stopping: asyncio.Event, grace: float) -> None:
        async with asyncio.TaskGroup() as tasks:
            polling = tasks.create_task(self.start(printer=self._logger.info))
            stopped = tasks.create_task(stopping.wait())
            await asyncio.wait({polling, stopped}, return_when=asyncio.FIRST_COMPLETED)
            self._accepting = False
            with anyio.move_on_after(grace):
                await self._until_idle()
            stopped.cancel()
            polling.cancel()
        await self._say_the_rest()

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        return await super().get_and_submit_flow_runs() if self._accepting else []

    async def run(self, flow_run: FlowRun, *_args: Any, **_kwargs: Any) -> SynclineWorkerResult:
        """Run one refresh here, to its end."""
        await self._run_here(flow_run)
        return SynclineWorkerResult(status_code=0, identifier=str(flow_run.id))

    async def _submit_run(self, flow_run: FlowRun) -> None:
        """Claim a run and run it. Prefect's own way prepares infrastructure with a handful of requests per run."""
        try:
            if self._accepting and await self._claim(flow_run):
                await self._run_here(flow_run)
        except Exception:
            # Raised from here it would end the worker, and with it every other run.
            self._logger.exception("%s was not run; it is tried again.", flow_run.name)
        finally:
            self._release_limit_slot(flow_run.id)
            self._submitting_flow_run_ids.discard(flow_run.id)
            if self._cancelling_observer is not None:
                self._cancelling_observer.remove_in_flight_flow_run_id(flow_run.id)
            self._ended.set()

    async def _until_idle(self) -> None:
        while self._submitting_flow_run_ids:
            self._ended.clear()
            await self._ended.wait()

    async def _claim(self, flow_run: FlowRun) -> bool:
        """Whether the run is ours: Prefect lets only one worker make a scheduled run pending."""
        claim: State[Any] = Pending(message=f"{CLAIM}{self._owner}")
        try:
            return (await propose_state(self.client, claim, flow_run_id=flow_run.id)).is_pending()
        except (Abort, ObjectNotFound):
            return False

    async def _run_here(self, flow_run: FlowRun) -> None:
        flow: Flow[..., Any] = refresh.with_options(name=await self._flow_name(flow_run.flow_id))
        # Without its deployment the engine does not watch the run for suspension, with a thread, an event loop and a
        # websocket of its own: a refresh cannot be suspended.
        alone = flow_run.model_copy(update={"deployment_id": None})
        running = asyncio.create_task(run_flow_async(flow, alone, flow_run.parameters, return_type="state"))
        self._running[flow_run.id] = running
        try:
            await asyncio.wait({running})
        finally:
            await self._end(running)
            del self._running[flow_run.id]

    async def _end(self, running: asyncio.Task[Any]) -> None:
        """Cancel a run that has not ended, and let it tell Prefect so."""
        running.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait({running}, timeout=LAST_WORDS)
        if running.done() and not running.cancelled() and (error := running.exception()):
            self._logger.error("A run ended unexpectedly.", exc_info=error)

    async def _say_the_rest(self) -> None:
        """Logs and events are sent in the background: what is not sent before the server stops is lost."""
        with anyio.move_on_after(LAST_WORDS):
            await APILogHandler.aflush()
            if asyncio.iscoroutine(rest := EventsWorker.drain_all()):
                await rest

    async def _flow_name(self, flow_id: UUID) -> str:
        if flow_id not in self._flow_names:
            self._flow_names[flow_id] = (await self.client.read_flow(flow_id)).name
        return self._flow_names[flow_id]

    async def _cancel_run(self, flow_run_id: UUID) -> None:
        """Somebody cancelled the run: it ends at its next await, its intents stay in the ledger."""
        running = self._running.get(flow_run_id)
        if running is None:
            return
        await self._end(running)
        try:
            flow_run = await self.client.read_flow_run(flow_run_id)
        except ObjectNotFound:
            return
        await self._mark_flow_run_as_cancelled(flow_run, {"message": "Cancelled. What was written so far is recorded."})
