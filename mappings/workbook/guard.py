"""What is no workbook, or a dangerous one, is refused here, before any reader sees it (SPEC C5).

Rule of this file: nothing is unpacked before its size was looked at, nothing is believed of what a file says about
itself, and every refusal has a kind and words of its own.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from xml.parsers import expat

from mappings.workbook.findings import Refused

MAX_FILE = 64 * 2**20
"""Bytes of an uploaded file."""
MAX_UNPACKED = 256 * 2**20
"""Bytes that all parts of a workbook may unpack to; 100,000 rows of two columns are 15 MB."""
MAX_RATIO = 200
"""How many times larger than packed a part may be, if it is larger than FREE. Real sheets reach 10 to 60."""
FREE = 16 * 2**20
MAX_PARTS = 10_000
CHUNK = 2**16

EXTENSIONS = (".xlsx", ".xlsm", ".xls", ".ods", ".csv")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_XLS = ("Workbook".encode("utf-16-le"), "Book".encode("utf-16-le"))
_ODS = b"application/vnd.oasis.opendocument.spreadsheet"


@dataclass(frozen=True, slots=True)
class Safe:
    """A file that may be read. `format` is one of xlsx, xls, ods, csv; `package` its parts, for xlsx and ods."""

    format: str
    content: bytes
    name: str
    package: Package | None = None


def admit(content: bytes, name: str) -> Safe:
    """The file, if it is what its name says and safe to read. Raises Refused."""
    if not content.strip(b"\0\t\r\n "):
        raise Refused("empty_file", f"{name or 'The file'} is empty")
    if len(content) > MAX_FILE:
        raise Refused("too_large", f"{name} has {megabytes(len(content))}; at most {megabytes(MAX_FILE)} are read")
    extension = PurePath(name).suffix.lower()
    if extension not in EXTENSIONS:
        raise Refused("unknown_format", f"{name!r} does not end with one of {', '.join(EXTENSIONS)}")
    package = Package(content, name) if content.startswith(b"PK") else None
    found = _format(content, package, name)
    if found != {".xlsm": "xlsx"}.get(extension, extension[1:]):
        raise Refused("wrong_extension", f"{name} is called {extension}, and it is {_WORDS[found]}")
    if package is not None:
        package.look_over()
    return Safe(found, content, name, package)


_WORDS = {"xlsx": "a workbook of Excel 2007 or later", "xls": "a workbook of Excel 97", "csv": "a plain text",
          "ods": "an OpenDocument spreadsheet", "html": "a web page"}  # fmt: skip


def _format(content: bytes, package: Package | None, name: str) -> str:
    if package is not None:
        return package.format()
    if content.startswith(_OLE):
        if _ENCRYPTED in content:
            raise Refused("encrypted", f"{name} is protected by a password")
        if any(word in content for word in _XLS):
            return "xls"
        raise Refused("unknown_format", f"{name} is a file of Office 97, and no workbook")
    start = content[:1024].lstrip(b"\xef\xbb\xbf\r\n\t ").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<table")):
        return "html"
    if b"\0" in content and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Refused("unknown_format", f"{name} is no spreadsheet")
    return "csv"


class Package:
    """The parts of a zip file."""

    def __init__(self, content: bytes, name: str) -> None:
        self.name = name
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except Exception:  # as in `chunks`
            raise Refused("damaged", f"{name} is cut off or damaged: its table of contents cannot be read") from None
        self.parts = {info.filename: info for info in self._zip.infolist()}

    def format(self) -> str:
        if "xl/workbook.xml" in self.parts:
            return "xlsx"
        if "mimetype" in self.parts and self.read("mimetype", 100).startswith(_ODS):
            return "ods"
        if "xl/workbook.bin" in self.parts:
            raise Refused("unknown_format", f"{self.name} is a binary workbook (.xlsb)")
        raise Refused("unknown_format", f"{self.name} is a zip file, and no workbook")

    def look_over(self) -> None:
        """Refuse what its table of contents gives away. Raises Refused."""
        infos = self._zip.infolist()
        if len(infos) > MAX_PARTS or len(infos) != len(self.parts):
            raise Refused(
                "damaged", f"{self.name} has {len(infos):,} parts; no workbook has that many, or the same twice"
            )
        if any(info.flag_bits & 1 for info in infos):
            raise Refused("encrypted", f"{self.name} is protected by a password")
        for info in infos:
            if info.file_size > FREE and info.file_size > MAX_RATIO * max(1, info.compress_size):
                packed = f"from {info.compress_size:,} bytes to {megabytes(info.file_size)}"
                raise Refused("zip_bomb", f"{self.name} is a zip bomb: {info.filename} unpacks {packed}")
        total = sum(info.file_size for info in infos)
        if total > MAX_UNPACKED:
            largest = max(infos, key=lambda info: info.file_size)
            told = f"{megabytes(total)} ({largest.filename} alone to {megabytes(largest.file_size)})"
            raise Refused("too_large", f"{self.name} unpacks to {told}; at most {megabytes(MAX_UNPACKED)} are read")
        self._contents()

    def _contents(self) -> None:
        for part in self.parts:
            if part.startswith("xl/externalLinks/") and part.endswith(".xml"):
                raise Refused("external_links", f"{self.name} takes values from other files ({part})")
            if part == "META-INF/manifest.xml" and b"encryption-data" in self.read(part, FREE):
                raise Refused("encrypted", f"{self.name} is protected by a password")
            if part.endswith((".xml", ".rels")):
                self.parse(part, lambda _name, _attributes: True)

    def read(self, part: str, limit: int) -> bytes:
        """A small part as a whole. Raises Refused where it is not small."""
        return b"".join(self.chunks(part, limit))

    def chunks(self, part: str, limit: int = MAX_UNPACKED) -> Iterator[bytes]:
        """A part, piece by piece, as it really unpacks: what the table of contents says of its size may be a lie."""
        size = 0
        try:
            with self._zip.open(part) as stream:
                while piece := stream.read(CHUNK):
                    size += len(piece)
                    if size > limit:
                        raise Refused("zip_bomb", f"{self.name} is a zip bomb: {part} unpacks to more than it says")
                    yield piece
        except Refused:
            raise
        except Exception:  # the library has no error of its own for every way to be broken
            raise Refused("damaged", f"{self.name} is cut off or damaged: {part} cannot be unpacked") from None

    def parse(
        self,
        part: str,
        start: Callable[[str, dict[str, str]], object],
    ) -> None:
        """Run the XML of a part past `start`, until it is over or `start` answers True.

        Names come without their prefix. Raises Refused for a document type (entities come with it), and for no XML.
        """
        parser = expat.ParserCreate()
        parser.StartElementHandler = _stoppable(start)
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.XmlDeclHandler = self._refuse_encoding
        try:
            for number, piece in enumerate(self.chunks(part)):
                if number == 0 and b"\0" in piece[:4]:
                    self._refuse_encoding("", "UTF-16", 0)
                parser.Parse(piece)
            parser.Parse(b"", True)
        except _Stop:
            return
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise Refused("damaged", f"{self.name} is damaged: {part} is no XML ({error})") from None

    def _refuse_encoding(self, _version: str, encoding: str | None, _standalone: int) -> None:
        """The reader takes everything for UTF-8: what reads otherwise elsewhere was not looked at."""
        if encoding is not None and encoding.lower() not in ("utf-8", "us-ascii"):
            raise Refused("damaged", f"{self.name} is written in {encoding[:20]}; workbooks are written in UTF-8")

    def _refuse_doctype(self, *_: object) -> None:
        raise Refused(
            "external_entities", f"{self.name} declares a document type, by which a file could draw in others"
        )


class _Stop(Exception):
    """Enough was seen."""


def _stoppable(start: Callable[[str, dict[str, str]], object]) -> Callable[[str, dict[str, str]], None]:
    def handler(name: str, attributes: dict[str, str]) -> None:
        if start(name.rpartition(":")[2] if ":" in name else name, attributes) is True:
            raise _Stop

    return handler


def megabytes(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 2**30:,.1f} GB" if size >= 2**30 else f"{max(1, round(size / 2**20)):,} MB"
