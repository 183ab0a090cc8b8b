"""Every finding of SPEC C3: a small workbook each, made by another library, and what is said about it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.schema import FieldType
from mappings.config import Side, ValuesFrom
from mappings.workbook.checking import check_book
from mappings.workbook.findings import SHOWN
from tests.mappings.sheets import Rows, check, pairs, the, told, use, xlsx

HEADER = ["Jira", "DevOps", "Way back"]
LEFT = ("Open", "Done", "1")
RIGHT = ("New", "Closed", "2")
LIVE = use(left=LEFT, right=RIGHT)
UNKNOWN = use()
ONE_WAY = use(to="right")
NUMBERS = use(types=(FieldType.NUMBER, FieldType.NUMBER))
FULL: Rows = [HEADER, ["Open", "New"], ["Done", "Closed"], ["1", "2"]]


def rows(*cells: list[Any]) -> bytes:
    return xlsx([HEADER, *cells])


def test_a_table_that_covers_both_systems_has_no_finding() -> None:
    checked = check(xlsx(FULL), LIVE)
    assert told(checked) == []
    assert pairs(checked) == [("Open", "New"), ("Done", "Closed"), ("1", "2")]


CASES: list[tuple[str, bytes, Any, list[tuple[str, str, str]]]] = [
    # the values
    ("the same pair twice", rows(["a", "b"], ["c", "d"], ["a", "b"]), UNKNOWN, [("warning", "duplicate", "A4")]),
    ("one value becomes two", rows(["a", "b"], ["a", "c"]), UNKNOWN, [("error", "ambiguous", "A3")]),
    ("one value becomes two, only backwards", rows(["a", "b"], ["a", "c"]), use(to="left"), []),
    ("two become one, no way back", rows(["a", "c"], ["b", "c"]), UNKNOWN, [("error", "no_way_back", "B3")]),
    ("two become one, one way only", rows(["a", "c"], ["b", "c"]), ONE_WAY, []),
    ("two become one, way back marked", rows(["a", "c"], ["b", "c", "x"]), UNKNOWN, []),
    ("two marks", rows(["a", "c", "x"], ["b", "c", "yes"]), UNKNOWN, [("error", "two_ways_back", "A3")]),
    ("no mark", rows(["a", "b", "perhaps"]), UNKNOWN, [("error", "unknown_mark", "C2")]),
    ("case of a live value", xlsx([*FULL, ["OPEN", "New"]]), use(left=LEFT, right=RIGHT, to="right"),
     [("warning", "case_differs", "A5")]),
    ("case within the column", rows(["a", "b"], ["A", "c"]), UNKNOWN, [("warning", "case_differs", "A3")]),
    ("no such value", xlsx([*FULL, ["Opne", "3"]]), LIVE,
     [("warning", "unknown_value", "A5"), ("warning", "unknown_value", "B5")]),
    ("a live value without row", xlsx(FULL[:3]), LIVE, [("warning", "unmapped_value", "")] * 2),
    ("a live value without row that need not wait", xlsx(FULL[:3]), use(left=LEFT, right=RIGHT, holds=False), []),
    ("half a row", xlsx([*FULL[:3], ["1", None], [None, "2"]]), LIVE,
     [("warning", "blank", "B4"), ("warning", "blank", "A5")]),
    ("half a row that need not flow", rows(["a", "b"], [None, "c"]), ONE_WAY, [("note", "blank", "A3")]),
    ("only a header", rows(), UNKNOWN, [("warning", "no_rows", "")]),
    ("an empty sheet", xlsx([]), UNKNOWN, [("error", "no_rows", "")]),
    ("a lone column", xlsx([["a"], ["b"]]), UNKNOWN, [("error", "missing_column", "")]),
    ("a live value as header", xlsx(FULL[1:]), use(left=LEFT, right=RIGHT, holds=False),
     [("warning", "header_is_value", "A1"), ("warning", "header_is_value", "B1")]),
    # how they are written
    ("spaces around", rows(["a ", " b"]), UNKNOWN,
     [("warning", "surrounding_spaces", "A2"), ("warning", "surrounding_spaces", "B2")]),
    ("nothing but spaces", rows(["a", "b"], ["  ", None]), UNKNOWN, [("warning", "surrounding_spaces", "A3")]),
    ("a space that does not break", rows(["in\u00a0work", "b"]), UNKNOWN, [("warning", "non_breaking_space", "A2")]),
    ("a space without width", rows(["Open\u200b", "b"]), UNKNOWN, [("warning", "non_breaking_space", "A2")]),
    ("a number in the place of a text", rows([1, "b"]), UNKNOWN, [("warning", "number_not_text", "A2")]),
    ("a number that is a live value", xlsx([*FULL[:3], [1, 2]]), LIVE,
     [("note", "number_not_text", "A4"), ("note", "number_not_text", "B4")]),
    ("a number in a field of numbers", rows([1, 2]), NUMBERS, []),
    ("a text in a field of numbers", rows(["1", 2]), NUMBERS, [("warning", "number_as_text", "A2")]),
    ("texts that look like numbers", rows(["1", "b"]), UNKNOWN, [("note", "number_as_text", "A2")]),
    ("numbers and texts mixed", rows(["1", "b"], [2, "c"]), UNKNOWN,
     [("warning", "number_as_text", "A2"), ("warning", "number_not_text", "A3")]),
    ("a leading zero that no system has", xlsx([*FULL, ["01", "New"]]), use(left=LEFT, right=RIGHT, to="right"),
     [("warning", "number_as_text", "A5"), ("warning", "unknown_value", "A5")]),
    ("a date", rows([date(2026, 5, 1), "b"]), UNKNOWN, [("warning", "date", "A2")]),
    ("a date in a field of dates", rows([date(2026, 5, 1), "b"]), use(types=(FieldType.DATE, FieldType.TEXT)), []),
    ("a truth", rows([True, "b"]), UNKNOWN, [("warning", "boolean", "A2")]),
    ("a truth in a field of truths", rows([True, "b"]), use(types=(FieldType.BOOLEAN, FieldType.TEXT)), []),
    ("a system that was not asked", xlsx(FULL), use(asked=False), [("warning", "system_not_asked", "")] * 2),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "asked", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_findings(content: bytes, asked: Any, expected: list[tuple[str, str, str]]) -> None:
    assert told(check(content, asked), *(() if "number_as_text" in str(expected) else ("number_as_text",))) == expected


# -- what only the file shows --------------------------------------------------------------------------------------


def more(work: Callable[[Any, Any], None], *pairs: list[Any]) -> bytes:
    return xlsx([HEADER, *pairs], work)


def test_a_formula_without_a_saved_result_is_an_error() -> None:
    # XlsxWriter always saves a result; other libraries do not.
    content = more(lambda _, sheet: sheet.write_formula("B2", '="b"&"c"', None, 7), ["a", None])
    checked = check(edited(content, b"<v>7</v>", b""))
    assert told(checked, "no_rows") == [("error", "formula_without_value", "B2")]


def edited(content: bytes, before: bytes, after: bytes) -> bytes:
    """The workbook with something else in the XML of its sheets."""
    old, new = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as target:
        for part in old.namelist():
            target.writestr(part, old.read(part).replace(before, after))
    return new.getvalue()


def test_a_formula_with_a_result_is_read_as_its_result() -> None:
    checked = check(more(lambda _, sheet: sheet.write_formula("B2", '="b"&"c"', None, "bc"), ["a", None]))
    assert told(checked) == []
    assert pairs(checked) == [("a", "bc")]


def test_a_formula_whose_result_is_the_empty_text_is_a_blank_cell() -> None:
    content = more(lambda _, sheet: sheet.write_formula("B2", '=LEFT("b",0)', None, "7"), ["a", None])
    checked = check(edited(content, b"<v>7</v>", b"<v></v>"))
    assert told(checked, "no_rows") == [("warning", "blank", "B2")]


def test_a_cell_that_shows_an_error_is_an_error() -> None:
    checked = check(more(lambda _, sheet: sheet.write_formula("B2", "=NA()", None, "#N/A"), ["a", None]))
    assert told(checked, "no_rows") == [("error", "error_value", "B2")]


def test_hidden_rows_count_and_are_told() -> None:
    checked = check(more(lambda _, sheet: sheet.set_row(2, None, None, {"hidden": True}), ["a", "b"], ["c", "d"]))
    assert told(checked) == [("warning", "hidden_row", "A3")]
    assert pairs(checked) == [("a", "b"), ("c", "d")]


def test_hidden_rows_without_values_are_nobodys_business() -> None:
    assert told(check(more(lambda _, sheet: sheet.set_row(7, None, None, {"hidden": True}), ["a", "b"]))) == []


def test_merged_cells_in_the_columns_of_a_table_are_an_error() -> None:
    checked = check(more(lambda _, sheet: sheet.merge_range("B2:B3", "x"), ["a", None], ["b", None]))
    assert told(checked) == [("error", "merged_cells", "B2")]


@pytest.mark.parametrize("where", ["D2:F9", "A1:B1"])
def test_merged_cells_elsewhere_do_not_matter(where: str) -> None:
    assert told(check(more(lambda _, sheet: sheet.merge_range(where, "Title"), ["a", "b"]))) == []


def test_leading_zeros_that_a_format_shows_are_read_and_told() -> None:
    def add(book: Any, sheet: Any) -> None:
        sheet.write_number("A2", 7, book.add_format({"num_format": "0000"}))

    checked = check(more(add, [None, "b"]))
    assert pairs(checked) == [("0007", "b")]
    assert the(checked, "number_not_text").problem == "the cell holds the number 7, no text; it is read as '0007'"


# -- how cells are read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("01", "01"),
        ("1.0", "1.0"),
        ("nan", "nan"),
        ("NULL", "NULL"),
        ("No", "No"),
        (1, "1"),
        (1.0, "1"),
        (1.5, "1.5"),
        (0.1 + 0.2, "0.3"),
        (1e20, "100000000000000000000"),
        (-3, "-3"),
        (True, "true"),
        (date(2026, 5, 1), "2026-05-01"),
        (datetime.fromisoformat("2026-05-01T12:30"), "2026-05-01T12:30:00"),
        (" in  work ", "in  work"),
        ("in\u00a0work", "in work"),
        ("(empty)", ""),
        ("(Empty)", ""),
        ("=1+1", "=1+1"),
        ("Zürich – 東京 🚲", "Zürich – 東京 🚲"),
    ],
)
def test_a_cell_is_read_as_the_text_that_it_shows(cell: Any, text: str) -> None:
    assert pairs(check(rows([cell, "b"]))) == [(text, "b")]


def test_a_value_exactly_as_the_system_has_it_is_never_odd() -> None:
    odd = (" Open ", "in\u00a0work", "007", "TRUE")
    checked = check(rows(*([text, text] for text in odd)), use(left=odd, right=odd))
    assert told(checked) == []
    assert pairs(checked) == [(text, text) for text in odd]


def test_numbers_are_one_value_however_they_are_written_in_a_field_of_numbers() -> None:
    checked = check(rows(["1.0", "a"], [1, "b"]), use(types=(FieldType.NUMBER, FieldType.TEXT)))
    assert ("error", "ambiguous", "A3") in told(checked)


def test_emails_meet_in_any_case() -> None:
    users = use(types=(FieldType.USER, FieldType.USER))
    checked = check(rows(["Ada@Example.com", "a@b.de"], ["ada@example.com", "a@b.de"]), users)
    assert told(checked) == [("warning", "duplicate", "A3")]
    assert [(user.side, user.cell, user.text) for user in checked.users] == [
        (Side.LEFT, "A2", "Ada@Example.com"),
        (Side.RIGHT, "B2", "a@b.de"),
    ]


def test_of_many_findings_of_a_kind_the_first_are_listed_and_all_are_counted() -> None:
    checked = check(rows(*([f"a{i} ", f"b{i}"] for i in range(SHOWN + 50))))
    listed = list(checked.findings)
    assert len(listed) == SHOWN + 1
    assert listed[-1].problem == "50 more like this (surrounding_spaces)"
    assert checked.findings.count("warning") == SHOWN + 50


def test_every_finding_tells_a_person_what_to_do() -> None:
    for name, content, asked, _ in CASES:
        for finding in check(content, asked).findings:
            assert finding.remedy.endswith((".", "?")), (name, finding)
            assert not finding.problem.endswith("."), (name, finding)


def test_progress_is_told_while_a_large_sheet_is_read() -> None:
    heard: list[tuple[str, int]] = []
    check_book(rows(*([f"a{i}", f"b{i}"] for i in range(30))), "v.xlsx", [use()], lambda *word: heard.append(word))
    assert heard == [("read", 31), ("checked", 31)]


VALUES = st.sampled_from(("a", "A", "b", "1", "1.0", "(empty)"))
ROWS = st.lists(st.tuples(VALUES, VALUES, st.sampled_from(("", "x"))), max_size=8)


@given(ROWS, st.sampled_from(("both", "left", "right")), st.sampled_from((None, FieldType.NUMBER)))
def test_a_table_without_error_never_has_to_guess(given_rows: Any, to: str, type: FieldType | None) -> None:
    asked = use(to=to, types=(type, type))
    checked = check(rows(*map(list, given_rows)), asked)
    if not checked.refused:
        (found,) = checked.tables.values()
        table = found.table(asked)
        for side in asked.to:
            assert table.lossy(side.other) == {}
            for text in table.values_of_pairs(side.other):
                assert table.to(side, text) is not None


# -- which columns -------------------------------------------------------------------------------------------------

USERS: Rows = [
    ["People", None, None, None, None],
    [None] * 5,
    ["Nr", "Jira e-mail", "ADO", "Back ADO", "Back Jira"],
    [1, "ada@x", "ada@y", "all@y", "ada@x"],
    [2, "bob@x", "ada@y", "ada@y", "bob@x"],
]


@pytest.mark.parametrize(
    ("source", "expected", "back"),
    [
        ({"left": "Jira e-mail", "right": "ADO"}, [("ada@x", "ada@y"), ("bob@x", "ada@y")], {}),
        ({"left": "jira  E-Mail", "right": "C"}, [("ada@x", "ada@y"), ("bob@x", "ada@y")], {}),
        ({"left": "B", "right": "C"}, [("ada@x", "ada@y"), ("bob@x", "ada@y")], {}),
        ({"left": "ADO", "right": "Jira e-mail"}, [("ada@y", "ada@x"), ("ada@y", "bob@x")], {}),
        (
            {"left": "Jira e-mail", "right": "ADO", "back": {"left": "E", "right": "Back ADO"}},
            [("ada@x", "ada@y"), ("bob@x", "ada@y")],
            {"all@y": "ada@x", "ada@y": "bob@x"},
        ),
    ],
)
def test_columns_by_header_or_letter_in_any_workbook(source: Any, expected: Any, back: Any) -> None:
    asked = use(ValuesFrom(sheet="users", **source), types=(FieldType.USER, FieldType.USER))
    checked = check(xlsx({"other": [], "users": USERS}), asked)
    (table,) = checked.tables.values()
    assert (list(table.pairs), dict(table.back)) == (expected, back)


def test_the_same_columns_backwards_need_one_way_back_for_each_value() -> None:
    source = ValuesFrom.model_validate(
        {"sheet": "status", "left": "A", "right": "B", "back": {"left": "A", "right": "B"}}
    )
    checked = check(rows(["a", "c"], ["b", "c"]), use(source))
    assert told(checked) == [("error", "no_way_back", "B3")]


def test_other_columns_for_the_way_back_that_contradict_each_other_are_an_error() -> None:
    source = ValuesFrom.model_validate(
        {"sheet": "status", "left": "A", "right": "B", "back": {"left": "D", "right": "C"}}
    )
    checked = check(xlsx([["l", "r", "rb", "lb"], ["a", "b", "b", "a"], ["c", "d", "b", "c"]]), use(source))
    assert told(checked) == [("error", "two_ways_back", "D3")]


@pytest.mark.parametrize(
    ("source", "kind", "remedy"),
    [
        ({"sheet": "Statuses"}, "missing_sheet", "Did you mean status?"),
        ({"sheet": "status", "left": "Jirra", "right": "B"}, "missing_column", "Did you mean Jira?"),
        ({"sheet": "status", "left": "ADO", "right": "B"}, "missing_column", "Headers: Jira, DevOps, Way back."),
        ({"sheet": "status", "left": "A", "right": "Z"}, "missing_column", "Headers: Jira, DevOps, Way back."),
    ],
)
def test_what_is_not_there_is_an_error_with_the_nearest_names(source: Any, kind: str, remedy: str) -> None:
    found = the(check(xlsx(FULL), use(ValuesFrom.model_validate(source))), kind)
    assert (found.severity, found.remedy) == ("error", remedy)


def test_a_header_that_stands_twice_is_an_error() -> None:
    source = ValuesFrom(sheet="status", left="Jira", right="DevOps")
    assert the(check(xlsx([["Jira", "DevOps", "Jira"], ["a", "b", "c"]]), use(source)), "ambiguous_column").cell == "A1"


# -- text files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"l,r\nOpen,New\n",
        b"l;r\r\nOpen;New\r\n",
        b"l\tr\nOpen\tNew",
        b'\xef\xbb\xbf"l","r"\n"Open","New"\n',
        "l;r\nOpen;New\n".encode("utf-16"),
    ],
)
def test_text_files_with_any_separator_are_read(content: bytes) -> None:
    assert pairs(check(content, name="status.csv")) == [("Open", "New")]


def test_text_files_of_windows_are_read() -> None:
    assert pairs(check("l;r\nGrün;Größe\n".encode("cp1252"), name="x.csv")) == [("Grün", "Größe")]


def test_a_text_file_keeps_every_text_as_written() -> None:
    checked = check(b"l,r\n01,1.0\nTRUE,2026-05-01\n", name="x.csv")
    assert told(checked) == []
    assert pairs(checked) == [("01", "1.0"), ("TRUE", "2026-05-01")]
