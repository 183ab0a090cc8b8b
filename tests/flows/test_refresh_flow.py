"""The flow and its tasks, as far as no server is needed: how a run ends, and what Prefect may repeat."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from prefect.client.schemas.objects import TaskRun
from prefect.states import Completed, Failed

from connectors.errors import AuthenticationError, ConnectorError, Rejected, Unavailable
from flows import named
from flows.refresh import refresh, state_of
from flows.report import Report, TargetReport
from flows.tasks import STAGES, fetch, only_unavailable

RUN = TaskRun(task_key="fetch", dynamic_key="0")


@pytest.mark.parametrize(
    ("outcome", "message", "name", "told"),
    [
        ("done", "", "Completed", "bugs: nothing changed"),
        ("skipped", "refresh in progress", "Skipped", "refresh in progress"),
        ("coalesced", "it goes round once more", "Coalesced", "it goes round once more"),
        ("failed", "no answer", "Failed", "bugs: no answer"),
    ],
)
def test_a_run_ends_as_its_report_says(outcome: str, message: str, name: str, told: str) -> None:
    state = state_of(Report("bugs", "run", datetime(2026, 11, 21, tzinfo=UTC), outcome=outcome, message=message))
    assert (state.name, state.message) == (name, told)
    assert state.is_failed() is (outcome == "failed")


def test_an_unreachable_system_is_named_once() -> None:
    report = Report("bugs", "run", datetime(2026, 11, 21, tzinfo=UTC), outcome="failed", message="falcon: no answer")
    report.targets.append(TargetReport("falcon", error="no answer", unreachable=True))
    assert state_of(report).message == "bugs: falcon: no answer"


@pytest.mark.parametrize(
    ("error", "repeated"),
    [
        (Unavailable("no answer"), True),
        (AuthenticationError("wrong password"), False),
        (Rejected("refused"), False),
        (ConnectorError("odd"), False),
        (ValueError("ours"), False),
    ],
)
def test_only_a_system_that_does_not_answer_is_asked_again(error: Exception, repeated: bool) -> None:
    assert only_unavailable(fetch, RUN, Failed(data=error)) is repeated


def test_a_state_without_an_error_is_not_repeated() -> None:
    assert not only_unavailable(fetch, RUN, Completed())


def test_prefect_repeats_reading_and_never_writing() -> None:
    assert {name: task.retries > 0 for name, task in STAGES.items()} == {
        "fetch": True,
        "map": False,
        "filter": False,
        "write": False,
    }


def test_a_connector_has_a_flow_of_its_own_name() -> None:
    assert getattr(named, "support-engineering").name == "support-engineering"
    assert getattr(named, "support-engineering").fn is refresh.fn
    with pytest.raises(AttributeError):
        getattr(named, "No Connector")
