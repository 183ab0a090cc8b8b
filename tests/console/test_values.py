"""`syncline values …`: files in and out, exit codes, and the same JSON everywhere."""

from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import pytest

from tests.console.desk import NAME, Desk
from tests.mappings.sheets import Rows, xlsx

GOOD: Rows = [["ours", "theirs"], ["new", "new"], ["open", "open"], ["closed", "closed"]]
DOUBTFUL: Rows = [*GOOD, ["newly", "new"]]
WRONG: Rows = [*GOOD, ["new", "closed"]]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Tickets whose status is mapped by a workbook."""
    fields = [{"left": "title", "right": "title"}]
    fields += [{"left": "status", "right": "status", "values_from": {"sheet": "status"}, "direction": "left_to_right"}]  # type: ignore[dict-item]
    entities = [{"left": "ticket", "right": "ticket", "fields": fields}]
    return Desk(tmp_path, {"workbook": "status.xlsx", "entities": entities})


def put(desk: Desk, rows: Rows, name: str = "mine.xlsx") -> str:
    (desk.folder / name).write_bytes(xlsx({"status": rows}))
    return name


def test_a_template_goes_through_check_and_upload(desk: Desk) -> None:
    assert desk.answer("values", "template", NAME, "-o", "t.xlsx")["file"] == "t.xlsx"
    checked = desk.answer("values", "check", NAME, "t.xlsx")
    assert (checked["errors"], checked["warnings"], checked["version"], checked["findings"]) == (0, 0, None, [])
    assert desk.answer("values", "upload", NAME, "t.xlsx")["version"] == 1
    assert desk.answer("refresh", NAME, "--local")["values"] == "1"


@pytest.mark.parametrize("command", ["check", "upload"])
def test_errors_refuse_with_1_and_every_finding_says_where_and_what_to_do(desk: Desk, command: str) -> None:
    told = desk.answer("values", command, NAME, put(desk, WRONG), code=1)
    assert (told["errors"], told["version"]) == (1, None)
    assert told["findings"] == [
        {
            "sheet": "status",
            "cell": "A5",
            "severity": "error",
            "kind": "ambiguous",
            "problem": "'new' becomes 'new' in row 2 and 'closed' here",
            "remedy": "Keep one row for this value.",
        }
    ]
    assert desk.answer("values", "list", NAME) == []


def test_warnings_want_a_confirmation(desk: Desk) -> None:
    file = put(desk, DOUBTFUL)
    assert desk.answer("values", "check", NAME, file, code=3)["warnings"] == 1
    assert desk.answer("values", "upload", NAME, file, code=3)["version"] is None
    assert desk.answer("values", "upload", NAME, file, "--confirm-warnings")["version"] == 1


def test_the_history_is_listed_compared_and_taken_back(desk: Desk) -> None:
    desk.answer("values", "upload", NAME, put(desk, GOOD))
    desk.answer("values", "upload", NAME, put(desk, [GOOD[0], ["new", "closed"], *GOOD[2:]]))
    assert desk.answer("values", "rollback", NAME, "1")["version"] == 3
    listed = desk.answer("values", NAME)
    assert [(one["version"], one["origin"], one["copy_of"], one["in_force"]) for one in listed] == [
        (1, "upload", None, False),
        (2, "upload", None, False),
        (3, "rollback", 1, True),
    ]
    assert [(one["value"], one["before"], one["after"]) for one in desk.answer("values", "diff", NAME, "2")] == [
        ("new", "closed", "new")
    ]
    assert desk.answer("values", "show", NAME, "2")["tables"]["status"]["pairs"][0] == ["new", "closed"]


def test_an_export_can_be_uploaded_again(desk: Desk) -> None:
    desk.answer("values", "upload", NAME, put(desk, GOOD))
    desk.answer("values", "export", NAME, "-o", "out.xlsx")
    told = desk.answer("values", "upload", NAME, "out.xlsx")
    assert (told["version"], told["diff"]) == (2, [])


def test_a_marked_up_copy_is_written(desk: Desk) -> None:
    desk.run("values", "check", NAME, put(desk, WRONG), "--marked-up", "marked.xlsx")
    book = openpyxl.load_workbook(io.BytesIO((desk.folder / "marked.xlsx").read_bytes()))
    assert "becomes 'new'" in book["status"]["A5"].comment.text


def test_people_read_what_is_wrong_and_what_happens_next(desk: Desk) -> None:
    done = desk.run("values", "upload", NAME, put(desk, WRONG))
    assert "status!A5" in done.out
    assert "mine.xlsx cannot be used (1 errors, 0 warnings). What is in force stays so." in done.out
    for words in (("list",), ("show",), ("diff", "1")):
        desk.run("values", "upload", NAME, put(desk, GOOD))
        assert desk.run("values", words[0], NAME, *words[1:]).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", NAME, "nowhere.xlsx"), "cannot be read"),
        (("rollback", NAME, "7"), "no version 7"),
        (("export", NAME), "no version of its value tables yet"),
        (("show", "nobody"), "nobody"),
    ],
)
def test_what_is_not_there_is_a_usage_error(desk: Desk, words: tuple[str, ...], said: str) -> None:
    done = desk.run("values", *words)
    assert done.code == 2
    assert said in done.err


def test_check_looks_into_the_workbook_beside_the_configuration(desk: Desk) -> None:
    assert [one["code"] for one in desk.answer("check", code=3)] == ["missing_workbook"]
    put(desk, GOOD, "status.xlsx")
    assert desk.answer("check") == []
    put(desk, [*GOOD, ["done ", "closed"]], "status.xlsx")
    assert [one["code"] for one in desk.answer("check", code=3)] == ["doubtful_workbook"]
    put(desk, WRONG, "status.xlsx")
    (found,) = desk.answer("check", code=2)
    assert found["code"] == "bad_workbook"
    assert found["problem"] == "status.xlsx: status!A5: 'new' becomes 'new' in row 2 and 'closed' here"


def test_check_online_holds_the_workbook_against_both_systems(desk: Desk) -> None:
    put(desk, GOOD[:3], "status.xlsx")
    (found,) = desk.answer("check", "--online", code=3)
    assert (found["code"], "'closed'" in found["problem"]) == ("unmapped_value", True)
