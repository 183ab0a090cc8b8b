"""The command line: its exit codes, its words, and JSON that is JSON alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.memory import ALICE, BOB
from ledger.lease import this_owner
from ledger.store import Ledger
from tests.console.desk import NAME, Desk, clean


class TestRefresh:
    def test_local_brings_both_sides_into_agreement_and_says_what_it_wrote(self, desk: Desk) -> None:
        desk.make("Boiler leaks")
        report = desk.answer("refresh", NAME, "--local")
        assert (report["connector"], report["outcome"], report["created"]) == (NAME, "done", {"left": 0, "right": 1})
        assert len(desk.living(desk.right)) == 1

    def test_people_get_a_table(self, desk: Desk) -> None:
        desk.make()
        done = desk.run("refresh", NAME, "--local")
        assert done.code == 0
        assert "tickets: done" in done.out
        assert "created" in done.out
        assert not done.err

    def test_all_answers_an_array_of_the_active_ones(self, desk: Desk) -> None:
        assert [report["connector"] for report in desk.answer("refresh", "--all", "--local")] == [NAME]
        desk.answer("deactivate", NAME)
        assert desk.answer("refresh", "--all", "--local") == []

    def test_a_dry_run_writes_nothing_and_needs_no_daemon(self, desk: Desk) -> None:
        desk.make()
        report = desk.answer("refresh", NAME, "--dry-run")
        assert (report["dry_run"], report["created"]["right"]) == (True, 1)
        assert desk.living(desk.right) == []

    def test_a_halted_pair_wants_a_person(self, desk: Desk) -> None:
        desk.dispute()
        assert desk.answer("refresh", NAME, "--local", code=3)["halted"] == 1

    def test_a_failed_entity_ends_with_1_and_does_not_stop_its_neighbour(self, desk: Desk) -> None:
        desk.limit_titles(20)
        desk.make("A title that is much too long for the right side")
        desk.make("Boiler leaks")
        report = desk.answer("refresh", NAME, "--local", code=1)
        assert (report["failed"], report["created"]["right"]) == (1, 1)

    def test_while_another_refresh_runs_it_is_busy(self, desk: Desk) -> None:
        desk.answer("links")
        with Ledger.open(f"sqlite:///{desk.folder}/.syncline/ledger.db") as ledger:
            assert ledger.acquire(NAME, this_owner(), 60)
            assert desk.answer("refresh", NAME, "--local", code=5)["outcome"] == "coalesced"

    def test_without_daemon_and_prefect_it_says_how_to_go_on(self, desk: Desk) -> None:
        done = desk.typed("refresh", NAME)
        assert done.code == 4
        assert "No Prefect server is known" in done.err
        assert "--local" in done.err

    def test_a_prefect_server_that_does_not_answer_is_named(self, desk: Desk) -> None:
        done = desk.typed("refresh", NAME, PREFECT_API_URL="http://127.0.0.1:9/api")
        assert done.code == 4
        assert "http://127.0.0.1:9/api does not answer" in done.err

    def test_a_deactivated_connector_is_refused_unless_it_is_refreshed_here(self, desk: Desk) -> None:
        desk.answer("deactivate", NAME)
        done = desk.run("refresh", NAME)
        assert done.code == 2
        assert f"syncline activate {NAME}" in done.err
        assert desk.answer("refresh", NAME, "--local")["outcome"] == "done"

    def test_ctrl_c_ends_it_with_130_and_the_report_of_what_was_done(self, desk: Desk) -> None:
        for n in range(40):
            desk.make(f"Ticket {n}")
        desk.write(ours={**desk.system(desk.left), "latency": 0.4, "max_page": 1})
        words = [sys.executable, "-m", "cli", "refresh", NAME, "--local", "--json"]
        with subprocess.Popen(words, cwd=desk.folder, env=clean(), stdout=-1, stderr=-1, text=True) as process:
            until(lambda: bool(desk.living(desk.right)) or process.poll() is not None)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        assert "what is under way is finished first" in err
        made = json.loads(out)["created"]["right"]
        assert made == len(desk.living(desk.right)) < 40


class TestPlan:
    def test_it_tells_action_side_entity_fields_and_reason(self, desk: Desk) -> None:
        ref = desk.make("Boiler leaks")
        (row,) = desk.answer("plan", NAME)
        assert (row["action"], row["side"], row["entity"], row["fields"]["title"]) == (
            "create", "right", ref.id, "Boiler leaks",
        )  # fmt: skip
        assert row["reason"]
        assert desk.living(desk.right) == []

    def test_it_can_be_asked_about_one_entity(self, desk: Desk) -> None:
        desk.make("Boiler leaks")
        other = desk.make("Door squeaks")
        rows = desk.answer("plan", NAME, "--entity", f"left:{other.id}")
        assert [row["fields"]["title"] for row in rows] == ["Door squeaks"]

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (("--entity", "12"), "left:ID"),
            (("--since", "yesterday"), "2026-11-21"),
        ],
    )
    def test_what_is_no_entity_and_no_moment_is_a_usage_error(
        self, desk: Desk, words: tuple[str, ...], told: str
    ) -> None:
        done = desk.run("plan", NAME, *words)
        assert done.code == 2
        assert told in done.err

    def test_an_unknown_target_is_named(self, desk: Desk) -> None:
        done = desk.run("plan", NAME, "--target", "nowhere")
        assert done.code == 2
        assert "nowhere" in done.err


class TestConflicts:
    def test_people_see_both_values_who_and_where_and_the_command_that_settles_it(self, desk: Desk) -> None:
        left, right = desk.dispute()
        done = desk.run("conflicts", NAME)
        assert done.code == 0
        for told in ("title", "Boiler leaks", "Boiler leaks badly", "Valve 7 leaks", ALICE.name, BOB.name):
            assert str(told) in done.out
        for url in (f"{desk.left.url}/ticket/{left.id}", f"{desk.right.url}/ticket/{right.id}"):
            assert url in done.out
        assert "syncline conflicts resolve 1 --take left" in done.out

    @pytest.mark.parametrize(
        ("decision", "becomes"),
        [
            (("--take", "right"), "Valve 7 leaks"),
            (("--take", "left"), "Boiler leaks badly"),
            (("--value", "title=Boiler: valve 7 leaks"), "Boiler: valve 7 leaks"),
        ],
    )
    def test_resolving_writes_exactly_the_chosen_value_on_both_sides(
        self, desk: Desk, decision: tuple[str, ...], becomes: str
    ) -> None:
        left, right = desk.dispute()
        (conflict,) = desk.answer("conflicts")
        desk.answer("conflicts", "resolve", conflict["id"], *decision, "--reason", "we looked")
        assert [system.row(ref).fields["title"] for system, ref in ((desk.left, left), (desk.right, right))] == [
            becomes,
            becomes,
        ]
        assert desk.answer("conflicts") == []
        assert [one["state"] for one in desk.answer("conflicts", "--state", "all")] == ["resolved"]
        assert "we looked" in [line["reason"] for line in desk.answer("audit", NAME)]

    def test_a_decision_on_stale_values_is_refused_and_nothing_is_written(self, desk: Desk) -> None:
        left, right = desk.dispute()
        desk.left.edit(left, {"title": "It is the pump"}, by=ALICE)
        done = desk.run("conflicts", "resolve", "1", "--take", "right")
        assert done.code == 1
        assert "was edited since" in done.err
        assert desk.right.row(right).fields["title"] == "Valve 7 leaks"

    @pytest.mark.parametrize("words", [("1",), ("1", "--take", "both"), ("1", "--value", "title")])
    def test_no_decision_is_a_usage_error(self, desk: Desk, words: tuple[str, ...]) -> None:
        assert desk.run("conflicts", "resolve", *words).code == 2

    def test_an_unknown_number_is_refused(self, desk: Desk) -> None:
        done = desk.run("conflicts", "resolve", "99", "--take", "left")
        assert done.code == 1
        assert "there is no conflict 99" in done.err


class TestFailures:
    def test_one_is_listed_ignored_and_retried(self, desk: Desk) -> None:
        desk.limit_titles(20)
        left = desk.make("A title that is much too long for the right side")
        desk.answer("refresh", NAME, "--local", code=1)
        (failure,) = desk.answer("failures")
        assert (failure["entity"], failure["state"]) == (f"left:{left.id}", "open")
        assert "too long" in desk.run("failures", NAME).out
        assert desk.answer("failures", "ignore", failure["id"], "--reason", "a test") == {"ignored": 1}
        assert desk.answer("failures") == []
        desk.limit_titles(255)
        (report,) = desk.answer("failures", "retry", failure["id"])
        assert (report["created"]["right"], report["failed"]) == (1, 0)

    @pytest.mark.parametrize("words", [("retry",), ("ignore", "1", "--all")])
    def test_either_numbers_or_all(self, desk: Desk, words: tuple[str, ...]) -> None:
        assert desk.run("failures", *words).code == 2


class TestWhatIsRemembered:
    def test_links_are_listed_and_chosen_by_state(self, desk: Desk) -> None:
        left, right = desk.pair()
        (link,) = desk.answer("links", NAME)
        assert (link["left"]["id"], link["right"]["id"], link["state"]) == (left.id, right.id, "agreed")
        assert desk.answer("links", "--state", "halted") == []
        assert desk.run("links", "--state", "fine").code == 2

    def test_every_write_is_in_the_audit_log(self, desk: Desk) -> None:
        desk.pair()
        assert "create" in [line["what"] for line in desk.answer("audit", NAME)]
        assert len(desk.answer("audit", "--limit", "1")) == 1

    def test_activity_is_audited_with_the_person_who_said_so(self, desk: Desk) -> None:
        assert desk.answer("deactivate", NAME)["changed"] is True
        assert desk.answer("deactivate", NAME)["changed"] is False
        assert desk.answer("activate", NAME)["active"] is True
        lines = desk.answer("audit", NAME)
        assert [line["what"] for line in lines] == ["deactivate", "activate"]
        assert all(line["who"] not in ("", "syncline") for line in lines)

    def test_status_tells_of_every_connector_without_a_daemon_too(self, desk: Desk) -> None:
        told = desk.answer("status")
        assert told["daemon"] is None
        assert [connector["name"] for connector in told["connectors"]] == [NAME]
        assert "No daemon runs" in desk.run("status").out

    def test_an_unknown_connector_is_named_with_the_nearest(self, desk: Desk) -> None:
        for command in ("links", "conflicts", "failures", "audit", "deactivate"):
            done = desk.run(command, "tikets")
            assert (done.code, "Did you mean tickets?" in done.err) == (2, True), command

    def test_stopping_what_does_not_run_is_no_error(self, desk: Desk) -> None:
        assert desk.answer("stop") == {"stopped": False}


class TestEveryCommand:
    @pytest.mark.parametrize(
        "words",
        [
            ("--json", "--config", "{folder}", "links"),
            ("links", "--config={folder}/group.yaml", "--json"),
            ("conflicts", "list", NAME, "--json", "--config", "{folder}"),
        ],
    )
    def test_takes_the_common_options_before_and_after_its_name(self, desk: Desk, words: tuple[str, ...]) -> None:
        words = tuple(word.format(folder=desk.folder) for word in words)
        done = desk.typed(*words, folder=Path("/"))
        assert (done.code, done.out) == (0, "[]\n"), done.err

    def test_takes_configuration_and_ledger_from_the_environment(self, desk: Desk) -> None:
        folder, ledger = desk.folder, desk.folder / "elsewhere" / "ledger.db"
        done = desk.typed("links", "--json", SYNCLINE_CONFIG=str(folder), SYNCLINE_LEDGER=f"sqlite:///{ledger}")
        assert (done.code, done.out) == (0, "[]\n")
        assert ledger.exists()
        assert not (folder / ".syncline").exists()

    def test_says_what_is_missing_where_there_is_no_configuration(self, desk: Desk) -> None:
        done = desk.run("links", "--config", "nowhere")
        assert done.code == 2
        assert "nowhere" in done.err
        assert "--config" in done.err
        assert not (desk.folder / ".syncline").exists()

    def test_says_it_where_the_ledger_is_no_ledger(self, desk: Desk) -> None:
        done = desk.run("links", "--ledger", "mysql://nobody:hidden@127.0.0.1/x")
        assert done.code == 2
        assert "cannot hold a ledger" in done.err
        assert "hidden" not in done.err

    def test_tells_a_traceback_only_when_asked(self, desk: Desk) -> None:
        for words, shown in ((("plan", "nope"), False), (("plan", "nope", "-v"), True)):
            assert ("Traceback" in desk.run(*words).err) is shown

    def test_answers_json_alone_also_when_it_logs(self, desk: Desk) -> None:
        desk.make()
        done = desk.typed("refresh", NAME, "--local", "--json", "-v")
        assert json.loads(done.out)["outcome"] == "done"

    def test_shows_what_systems_hold_as_text(self, desk: Desk) -> None:
        desk.make("[red]Boiler[/red] \x1b[31mleaks")
        told = desk.run("plan", NAME).out
        assert "[red]Boiler[/red]" in told
        assert "\x1b" not in told

    def test_does_not_wait_for_prefect_where_it_needs_none(self, desk: Desk) -> None:
        for command in (("--help",), ("check",), ("links",), ("plan", NAME), ("refresh", NAME, "--local")):
            done = desk.typed(*command, PYTHONPROFILEIMPORTTIME="1")
            assert done.code == 0, done.err[-2000:]
            imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.err.splitlines()}
            assert "console" in imported
            assert "prefect" not in imported


def until(true: Callable[[], bool]) -> None:
    """Wait until it is so; the time limit of the test is the end of patience."""
    while not true():
        time.sleep(0.05)
