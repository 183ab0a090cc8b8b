"""Files that want to do harm, or that are no workbooks: each is refused in words of its own (SPEC C5).

Rule of this file: every file is made here, small on disk, by libraries that do not read it. That none of them takes
long or much memory is seen in a process of its own that has little of both (.xls always has one).
"""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import xlwt
from hypothesis import given
from hypothesis import strategies as st

from mappings.workbook.guard import MAX_FILE
from tests.mappings.sheets import check, pairs, the, told, use, xlsx

GOOD = xlsx([["Jira", "DevOps"], ["Open", "New"]])
SHEET = "xl/worksheets/sheet1.xml"
XML = b'<?xml version="1.0" encoding="UTF-8"?>'
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def parts_of_good() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(GOOD)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def package(**changed: bytes | None) -> bytes:
    """The good workbook with other parts: `xl__name` is xl/name.xml; None leaves a part out."""
    parts = {
        name: zipfile.ZipFile(io.BytesIO(GOOD)).read(name) for name in zipfile.ZipFile(io.BytesIO(GOOD)).namelist()
    }
    for name, content in changed.items():
        path = name.replace("__", "/") + ".xml"
        parts.pop(path, None)
        if content is not None:
            parts[path] = content
    return zipped(parts)


def zipped(parts: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return target.getvalue()


def sheet(rows: bytes, before: bytes = b"", start: bytes = XML) -> bytes:
    """A workbook whose one sheet has this XML."""
    space = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    return package(xl__worksheets__sheet1=start + space + before + b"<sheetData>" + rows + b"</sheetData></worksheet>")


def streamed(name: str, piece: bytes, times: int) -> bytes:
    """The good workbook with one more part that unpacks to `times` pieces."""
    target = io.BytesIO(package(**{name.removesuffix(".xml").replace("/", "__"): None}))
    with (
        zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open(name, "w", force_zip64=True) as part,
    ):
        for _ in range(times):
            part.write(piece)
    return target.getvalue()


def lying() -> bytes:
    """A part that unpacks to more than the table of contents says."""
    content = bytearray(package(xl__sharedStrings=b"<sst>" + b" " * 30_000_000 + b"</sst>"))
    for offset, signature in ((22, b"PK\x03\x04"), (24, b"PK\x01\x02")):
        place = content.index(b"xl/sharedStrings.xml") if offset == 22 else content.rindex(b"xl/sharedStrings.xml")
        start = content.rindex(signature, 0, place)
        content[start + offset : start + offset + 4] = struct.pack("<I", 100)
    return bytes(content)


def noise(size: int) -> bytes:
    return random.Random(4).randbytes(size)


def spreadsheet(content: str) -> bytes:
    """An OpenDocument spreadsheet with these rows."""
    space = "urn:oasis:names:tc:opendocument:xmlns"
    names = "".join(f' xmlns:{name}="{space}:{name}:1.0"' for name in ("office", "table", "text"))
    table = f"<table:table table:name='status'>{content}</table:table>"
    body = f"<office:body><office:spreadsheet>{table}</office:spreadsheet></office:body>"
    return zipped(
        {
            "mimetype": b"application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": b"<manifest/>",
            "content.xml": f"<office:document-content{names}>{body}</office:document-content>".encode(),
        }
    )


CELL = "<table:table-cell office:value-type='string'{}><text:p>{}</text:p></table:table-cell>"

LAUGHS = (
    XML
    + b'<!DOCTYPE lolz [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "&%c;&%c;&%c;&%c;">' % (c + 1, c, c, c, c) for c in range(97, 121))
    + b"]>"
)

PASSWD = XML + b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><workbook>&e;</workbook>'
WIDE = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE s [<!ENTITY e "x">]><sst/>'
PNG = b"\x89PNG\r\n\x1a\n\0"
FAR_APART = b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
FAR_APART_ODS = (
    "<table:table-row table:number-rows-repeated='1048575'><table:table-cell/></table:table-row>"
    "<table:table-row><table:table-cell table:number-columns-repeated='16383'/>"
    + CELL.format("", "x")
    + "</table:table-row>"
)
REPEATED_ODS = (
    "<table:table-row table:number-rows-repeated='1048576'>"
    + CELL.format(" table:number-columns-repeated='16384'", "x")
    + "</table:table-row>"
)
LOCKED_ODS = {
    "mimetype": b"application/vnd.oasis.opendocument.spreadsheet",
    "content.xml": b"<x/>",
    "META-INF/manifest.xml": b"<manifest><encryption-data/></manifest>",
}
PARTS = {f"xl/{i}.txt": b"" for i in range(10_050)} | {"xl/workbook.xml": b""}


def shared_strings() -> bytes:
    return streamed("xl/sharedStrings.xml", b"<si><t>" + noise(2**16) + b"</t></si>" + bytes(2**22), 260)


def far_apart_xls() -> bytes:
    """A few kilobytes of which a reader makes sixteen million cells."""
    book, target = xlwt.Workbook(), io.BytesIO()
    for number in range(3):
        page = book.add_sheet(f"status {number}" if number else "status")
        page.write(0, 0, "x")
        page.write(65535, 255, "x")
    book.save(target)
    return target.getvalue()


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


Made = Callable[[], bytes]
CORPUS: dict[str, tuple[Made, str, str, str]] = {
    # what it is -> (how it is made, its name, the kind of the finding, some of its words)
    "nothing": (lambda: b"", "v.xlsx", "empty_file", "is empty"),
    "zeros": (lambda: bytes(5000), "v.xlsx", "empty_file", "is empty"),
    "too large": (lambda: b"PK\x03\x04" + bytes(MAX_FILE), "v.xlsx", "too_large", "at most 64 MB"),
    # not what it says
    "no extension": (lambda: GOOD, "values", "unknown_format", "does not end with"),
    "a picture": (lambda: PNG + noise(900), "v.png", "unknown_format", "does not end with"),
    "a picture in disguise": (lambda: PNG + noise(900), "v.xlsx", "unknown_format", "no spreadsheet"),
    "a workbook called .xls": (lambda: GOOD, "v.xls", "wrong_extension", "Excel 2007 or later"),
    "a workbook called .csv": (lambda: GOOD, "v.csv", "wrong_extension", "Excel 2007 or later"),
    "an .ods called .xlsx": (lambda: spreadsheet(""), "v.xlsx", "wrong_extension", "OpenDocument"),
    "text called .xlsx": (lambda: b"a,b\n1,2\n", "v.xlsx", "wrong_extension", "plain text"),
    "a web page called .xls": (lambda: b"<html><table></table>", "v.xls", "wrong_extension", "web page"),
    "a zip of something": (lambda: zipped({"readme.txt": b"hi"}), "v.xlsx", "unknown_format", "zip file"),
    "a binary workbook": (lambda: zipped({"xl/workbook.bin": b"x"}), "v.xlsx", "unknown_format", ".xlsb"),
    "a document of Office 97": (lambda: OLE + utf16("WordDocument"), "v.xls", "unknown_format", "no workbook"),
    # locked or broken
    "a password": (lambda: OLE + utf16("EncryptedPackage"), "v.xlsx", "encrypted", "password"),
    "an .ods with a password": (lambda: zipped(LOCKED_ODS), "v.ods", "encrypted", "password"),
    "cut off": (lambda: GOOD[: len(GOOD) // 2], "v.xlsx", "damaged", "cut off or damaged"),
    "cut off .xls": (lambda: OLE + utf16("Workbook"), "v.xls", "damaged", "cut off or damaged"),
    "noise in a zip": (lambda: GOOD[:200] + noise(len(GOOD) - 400) + GOOD[-200:], "v.xlsx", "damaged", "damaged"),
    "no XML": (lambda: package(xl__worksheets__sheet1=b"<a><b></a>"), "v.xlsx", "damaged", "is no XML"),
    "no relations": (lambda: zipped({"xl/workbook.xml": b"<workbook/>"}), "v.xlsx", "damaged", "damaged"),
    "a cell that is none": (
        lambda: sheet(b'<row r="1"><c r="A99999999999"><v>1</v></c></row>'), "v.xlsx", "damaged", "A99999999999"),
    "many parts": (lambda: zipped(PARTS), "v.xlsx", "damaged", "10,051 parts"),
    # more than it seems
    "a bomb": (lambda: streamed("xl/media/image.bin", bytes(2**20), 200), "v.xlsx", "zip_bomb", "zip bomb"),
    "1 GB of shared strings": (shared_strings, "v.xlsx", "too_large", "1.0 GB"),
    "a lie about its size": (lying, "v.xlsx", "damaged", "cannot be unpacked"),
    "an absurd dimension": (
        lambda: sheet(b"", b'<dimension ref="A1:XFD1048576"/>'), "v.xlsx", "too_many_cells", "16,384 columns"),
    "cells far apart": (lambda: sheet(FAR_APART), "v.xlsx", "too_many_cells", "1,048,576 rows"),
    "cells without a name": (
        lambda: sheet(b"<row>" + b"<c><v>1</v></c>" * 500_000 + b"</row>"), "v.xlsx", "too_many_cells", "columns"),
    "cells far apart in an .xls": (far_apart_xls, "v.xls", "too_many_cells", "to read"),
    "cells far apart in an .ods": (lambda: spreadsheet(FAR_APART_ODS), "v.ods", "too_many_cells", "span"),
    "repeated cells": (lambda: spreadsheet(REPEATED_ODS), "v.ods", "too_many_cells", "span"),
    "an endless line of text": (lambda: b"a" * 20_000_000, "v.csv", "damaged", "field larger"),
    "commas": (lambda: b"," * 3_000_000 + b"\n" * 3_000_000, "v.csv", "too_many_cells", "columns"),
    # reaching out
    "entities": (lambda: sheet(b"", start=LAUGHS), "v.xlsx", "external_entities", "document type"),
    "a file from outside": (lambda: package(xl__workbook=PASSWD), "v.xlsx", "external_entities", "document type"),
    "entities in UTF-16": (
        lambda: package(xl__sharedStrings=WIDE.encode("utf-16")), "v.xlsx", "damaged", "written in UTF-16"),
    "another alphabet": (
        lambda: sheet(b"", start=b'<?xml version="1.0" encoding="cp037"?>'), "v.xlsx", "damaged", "written in cp037"),
    "another encoding": (
        lambda: sheet(b"", start=b'<?xml version="1.0" encoding="iso-8859-1"?>'), "v.xlsx", "damaged", "iso-8859-1"),
    "links to other workbooks": (
        lambda: package(xl__externalLinks__externalLink1=b"<x/>"), "v.xlsx", "external_links", "other files"),
}  # fmt: skip


@pytest.mark.parametrize("what", CORPUS)
def test_a_hostile_file_is_refused_in_words_of_its_own(what: str) -> None:
    make, name, kind, words = CORPUS[what]
    checked = check(make(), name=name)
    (found,) = checked.findings
    assert (found.severity, found.kind) == ("error", kind)
    assert words in found.problem
    assert found.remedy.endswith(".")


CUTS = st.tuples(st.floats(0, 1), st.integers(0, 20), st.binary(max_size=6))
"""(where, as a part of the whole; how many bytes; what comes in their place)"""

BOUNDED = """
import resource, sys
limit = {megabytes} * 2**20
from mappings.workbook.reading import open_book
import pandas, python_calamine
from mappings.workbook.checking import check_book
from tests.mappings.sheets import use
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + limit, used + limit))
resource.setrlimit(resource.RLIMIT_CPU, ({seconds}, {seconds}))
found = list(check_book(open(sys.argv[1], "rb").read(), sys.argv[2], [use()]).findings)
print(found[0].kind)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of a process are Linux's here")
@pytest.mark.parametrize("what", [what for what, (_, name, _, _) in CORPUS.items() if not name.endswith(".xls")])
def test_a_hostile_file_takes_little_time_and_memory(what: str, tmp_path: Path) -> None:
    make, name, kind, _ = CORPUS[what]
    (tmp_path / "file").write_bytes(make())
    program = BOUNDED.format(megabytes=600, seconds=30)
    command = [sys.executable, "-c", program, str(tmp_path / "file"), name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, kind), done.stderr[-500:]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of a process are Linux's here")
def test_a_hundred_thousand_rows_take_little_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(xlsx([["l", "r"], *([f"left {i}", f"right {i} "] for i in range(100_000))]))
    program = BOUNDED.format(megabytes=300, seconds=30)
    command = [sys.executable, "-c", program, str(tmp_path / "file"), "v.xlsx"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "surrounding_spaces"), done.stderr[-500:]


@given(st.data())
def test_a_broken_workbook_is_refused_and_never_breaks_the_check(data: st.DataObject) -> None:
    parts = parts_of_good()
    broken = data.draw(st.sampled_from(["", SHEET, "xl/sharedStrings.xml", "xl/workbook.xml", "xl/styles.xml"]))
    content = bytearray(parts[broken] if broken else GOOD)
    for place, size, new in data.draw(st.lists(CUTS, min_size=1, max_size=4)):
        start = int(place * len(content))
        content[start : start + size] = new
    whole = zipped({**parts, broken: bytes(content)}) if broken else bytes(content)
    for finding in check(whole).findings:
        assert finding.problem


# -- and what only looks so ----------------------------------------------------------------------------------------


def test_formatted_cells_far_below_do_no_harm() -> None:
    content = sheet(
        b'<row r="1"><c r="A1" t="inlineStr"><is><t>l</t></is></c><c r="B1" t="inlineStr"><is><t>r</t></is></c></row>'
        b'<row r="2"><c r="A2" t="inlineStr"><is><t>a</t></is></c><c r="B2" t="inlineStr"><is><t>b</t></is></c></row>'
        b'<row r="1048576"><c r="XFD1048576" s="0"/></row>'
    )
    checked = check(content)
    assert told(checked) == []
    assert pairs(checked) == [("a", "b")]


def test_links_to_web_pages_and_mail_do_no_harm() -> None:
    def add(_: object, sheet: object) -> None:
        sheet.write_url("A2", "mailto:ada@example.com", string="ada@example.com")  # type: ignore[attr-defined]

    assert told(check(xlsx([["l", "r"], [None, "b"]], add))) == []


def test_macros_are_ignored() -> None:
    parts = {
        name: zipfile.ZipFile(io.BytesIO(GOOD)).read(name) for name in zipfile.ZipFile(io.BytesIO(GOOD)).namelist()
    }
    content = zipped({**parts, "xl/vbaProject.bin": noise(5000)})
    assert pairs(check(content, name="v.xlsm")) == [("Open", "New")]


def test_an_old_workbook_is_read() -> None:
    book, target = xlwt.Workbook(), io.BytesIO()
    page = book.add_sheet("status")
    for i, row in enumerate((("l", "r"), ("Open", "01"), (7, "New"))):
        for j, cell in enumerate(row):
            page.write(i, j, cell)
    book.save(target)
    checked = check(target.getvalue(), name="v.xls")
    assert pairs(checked) == [("Open", "01"), ("7", "New")]
    assert told(checked, "number_as_text") == [("warning", "number_not_text", "A3")]


def test_a_spreadsheet_of_other_programs_is_read() -> None:
    rows = "".join(
        f"<table:table-row>{CELL.format('', left)}{CELL.format('', right)}</table:table-row>"
        for left, right in (("l", "r"), ("Open", "New"))
    )
    assert pairs(check(spreadsheet(rows), name="v.ods")) == [("Open", "New")]


def test_a_refusal_never_holds_the_content_of_the_file() -> None:
    assert "root" not in str(the(check(CORPUS["a file from outside"][0](), use()), "external_entities"))
