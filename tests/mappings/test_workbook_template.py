"""Templates and marked-up copies: what comes out goes in again, is text alone, and shows its findings."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.config import ValuesFrom
from mappings.workbook.checking import merged
from mappings.workbook.content import TableRows, Use
from mappings.workbook.findings import KINDS, CellFinding, Refused
from mappings.workbook.marked import FINDINGS, mark_up
from mappings.workbook.template import MATCHED, make_template
from tests.mappings.sheets import check, pairs, told, use, xlsx

LIVE = use(left=("Open", "Done", "Later"), right=("New", "Done", "Closed"))
DANGEROUS = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "=HYPERLINK(1)", "'quoted", "a\x07b")


def made(given: Use, table: TableRows | None = None) -> bytes:
    return make_template(merged([given]), {given.key: table} if table else {})


def opened(content: bytes, sheet: str = "status") -> Any:
    return openpyxl.load_workbook(io.BytesIO(content))[sheet]


def texts(sheet: Any) -> list[tuple[Any, ...]]:
    return [tuple(cell or "" for cell in row) for row in sheet.iter_rows(values_only=True)]


def test_a_template_has_the_values_of_both_systems_and_pairs_of_equal_name() -> None:
    assert texts(opened(made(LIVE))) == [
        ("jira: status", "devops: State", "Way back", "Coverage"),
        ("Done", "Done", "", MATCHED),
        ("Open", "", "", "no counterpart yet in devops"),
        ("Later", "", "", "no counterpart yet in devops"),
        ("", "New", "", "no counterpart yet in jira"),
        ("", "Closed", "", "no counterpart yet in jira"),
    ]


def test_a_template_keeps_what_is_mapped_with_the_way_back() -> None:
    table = TableRows((("Open", "New"), ("Later", "New"), ("Gone", "Done"), ("", "Closed")), {"New": "Later"})
    assert texts(opened(made(LIVE, table)))[1:] == [
        ("Open", "New", "", "mapped"),
        ("Later", "New", "x", "mapped"),
        ("Gone", "Done", "", "jira has no such value"),
        ("(empty)", "Closed", "", "mapped"),
        ("Done", "", "", "no counterpart yet in devops"),
    ]


def test_a_template_nobody_touched_has_no_error() -> None:
    checked = check(made(LIVE), LIVE)
    assert pairs(checked) == [("Done", "Done")]
    assert {severity for severity, _, _ in told(checked)} == {"warning"}
    assert {kind for _, kind, _ in told(checked)} == {"blank"}


def test_cells_offer_the_live_values() -> None:
    content = made(LIVE)
    offered = {str(one.sqref)[:2]: one.formula1 for one in opened(content).data_validations.dataValidation}
    assert offered == {"A2": "=_lists!$A$1:$A$4", "B2": "=_lists!$B$1:$B$4", "C2": '"x"'}
    lists = opened(content, "_lists")
    assert [cell.value for cell in lists["A"]] == ["Open", "Done", "Later", "(empty)"]
    assert lists.sheet_state == "hidden"


def test_the_header_stays_in_sight() -> None:
    sheet = opened(made(LIVE))
    assert sheet.freeze_panes == "A2"
    assert sheet.column_dimensions["A"].width > 20


@pytest.mark.parametrize(
    "source",
    [
        {},
        {"left": "A", "right": "B", "back": {"left": "D", "right": "C"}},
        {"left": "E", "right": "C"},
        {"left": "Jira status", "right": "State", "back": {"left": "Back to", "right": "From"}},
        {"left": "Jira status", "right": "A", "back": {"left": "Jira status", "right": "B"}},
    ],
)
def test_the_columns_stand_where_the_mapping_looks_for_them(source: Any) -> None:
    given = use(ValuesFrom.model_validate({"sheet": "status", **source}), left=("a", "b"), right=("c", "d"))
    back = {} if source and "back" not in source else {"c": "b"}
    table = TableRows((("a", "c"), ("b", "c" if back else "d")), back)
    checked = check(made(given, table), given)
    assert [(severity, kind) for severity, kind, _ in told(checked) if severity == "error"] == []
    (found,) = checked.tables.values()
    assert (found.pairs, dict(found.back)) == (table.pairs, back)


@pytest.mark.parametrize("text", DANGEROUS)
def test_no_cell_is_a_formula(text: str) -> None:
    given = use(left=(text,), right=("b",))
    content = made(given, TableRows(((text, "b"),)))
    for sheet in openpyxl.load_workbook(io.BytesIO(content)):
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type != "f"
                if isinstance(cell.value, str) and cell.value.startswith(("=", "+", "-", "@", "\t")):
                    assert cell.quotePrefix
    assert pairs(check(content, given)) == [(text.replace("\x07", "\ufffd").strip(), "b")] or text == "\tx"


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12).filter(
            lambda text: text.casefold() != "(empty)"
        ),
        st.sampled_from(("x", "y", "z", "0", "1.0")),
        min_size=1,
        max_size=8,
    )
)
def test_any_table_comes_back_as_it_was(rows: dict[str, str]) -> None:
    table = TableRows(tuple(rows.items()), {right: left for left, right in rows.items()})
    given = use(to="right")
    (found,) = check(made(given, table), given).tables.values()
    assert found == table


def test_two_tables_are_two_sheets() -> None:
    uses = [use(), use(ValuesFrom(sheet="users"))]
    book = openpyxl.load_workbook(io.BytesIO(make_template(merged(uses), {})))
    assert book.sheetnames == ["How to", "status", "users", "_lists"]


def test_a_name_that_no_sheet_can_have_is_refused() -> None:
    with pytest.raises(ValueError, match="no sheet can be called 'a/b'"):
        make_template([use(ValuesFrom(sheet="a/b"))], {})


# -- marked-up copies ----------------------------------------------------------------------------------------------


def test_findings_are_comments_and_colours_and_a_sheet_that_lists_them() -> None:
    content = xlsx([["l", "r"], ["a ", "b"], ["a", "c"]])
    found = list(check(content).findings)
    book = openpyxl.load_workbook(io.BytesIO(mark_up(content, "v.xlsx", found)))
    sheet = book["status"]
    assert "has spaces around it" in sheet["A2"].comment.text
    assert "becomes 'b' in row 2" in sheet["A3"].comment.text
    assert sheet["A3"].fill.fgColor.rgb != sheet["A2"].fill.fgColor.rgb
    assert sheet["B2"].comment is None
    assert [row[3] for row in texts(book[FINDINGS])] == ["kind", "surrounding_spaces", "ambiguous"]
    assert book.sheetnames[0] == FINDINGS


@pytest.mark.parametrize(("content", "name"), [(b"l;r\na;b\na;c\n", "status.csv")])
def test_other_formats_are_marked_up_as_xlsx(content: bytes, name: str) -> None:
    found = list(check(content, name=name).findings)
    sheet = opened(mark_up(content, name, found))
    assert texts(sheet) == [("l", "r"), ("a", "b"), ("a", "c")]
    assert "becomes" in sheet["A3"].comment.text


def test_the_copy_holds_no_formula() -> None:
    content = xlsx(
        [["l", "r"]], lambda _, sheet: (sheet.write_formula("A2", "=1+1", None, "x"), sheet.write("B2", "=2"))
    )
    sheet = opened(mark_up(content, "v.xlsx", list(check(content).findings)))
    assert texts(sheet) == [("l", "r"), ("x", "=2")]
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)


def test_a_finding_in_a_merged_cell_does_no_harm() -> None:
    content = xlsx([["l", "r"], ["a", None], ["b", None]], lambda _, sheet: sheet.merge_range("B2:B3", "x"))
    finding = CellFinding.of("note", "duplicate", "x", sheet="status", cell="B3")
    assert mark_up(content, "v.xlsx", [*check(content).findings, finding])


def test_a_file_that_cannot_be_opened_has_no_copy() -> None:
    with pytest.raises(Refused):
        mark_up(b"", "v.xlsx", [])


def test_every_kind_has_a_general_remedy_in_a_sentence() -> None:
    assert all(remedy.endswith(".") for remedy in KINDS.values())
