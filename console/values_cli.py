"""`syncline values …`: value mappings in Excel (SPEC C).

Rule of this file: it reads and writes the files that the command names, and hands on to `flows.upload`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from console.given import EVERYWHERE, Given, Name, given, group, who

if TYPE_CHECKING:
    from flows.runtime import Runtime
    from flows.upload import UploadResult

T = TypeVar("T")

app = group("Value mappings in Excel: make a template, check and upload workbooks, go back.")

Workbook = Annotated[Path, typer.Argument(metavar="FILE", help="The workbook: .xlsx, .xlsm, .xls, .ods or .csv.")]
Target = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it (.xlsx).")]
Marked = Annotated[
    Path | None, typer.Option("--marked-up", metavar="FILE", help="Also write a copy with the findings in its cells.")
]
Version = Annotated[int, typer.Argument(metavar="VERSION", help="Its number, as `values list` shows.")]
MaybeVersion = Annotated[
    int | None, typer.Argument(metavar="VERSION", help="Its number; without one, the version in force.")
]


@app.command(epilog=EVERYWHERE)
def template(context: typer.Context, name: Name, output: Target = None) -> None:
    """Write a workbook to fill in: a sheet per look-up or user field, with the live values of both systems.

    Example: syncline values template support-engineering -o values.xlsx
    """
    from flows import upload

    content = _asked(given(context), lambda runtime: upload.template(runtime, name))
    _write(given(context), output or Path(f"{name}.xlsx"), content)


@app.command(epilog=EVERYWHERE)
def check(context: typer.Context, name: Name, file: Workbook, marked_up: Marked = None) -> None:
    """Say what is wrong with a workbook, cell by cell, and what it would change. Nothing is stored.

    Ends with 0 where it is clean, 1 where it would be refused, 3 where warnings want a confirmation.

    Example: syncline values check support-engineering values.xlsx --marked-up findings.xlsx
    """
    from flows import upload

    call, content = given(context), _content(file)
    with call.out.progress(f"{name}: {file.name}") as progress:
        result = _asked(
            call, lambda runtime: upload.check_workbook(runtime, name, content, file.name, progress=progress)
        )
    _answer(call, file, content, result, marked_up)


@app.command("upload", epilog=EVERYWHERE)
def upload_(
    context: typer.Context,
    name: Name,
    file: Workbook,
    confirm_warnings: Annotated[
        bool, typer.Option("--confirm-warnings", help="Take it although there are warnings.")
    ] = False,
    marked_up: Marked = None,
) -> None:
    """Check a workbook and put it in force, from the next refresh on. With errors nothing is stored (exit code 1).

    Warnings want `--confirm-warnings`, else nothing is stored either (3).

    Example: syncline values upload support-engineering values.xlsx --confirm-warnings
    """
    from flows import upload

    call, content = given(context), _content(file)

    async def work(runtime: Runtime) -> UploadResult:
        return await upload.upload(
            runtime, name, content, file.name, who=who(), confirm_warnings=confirm_warnings, progress=progress
        )

    with call.out.progress(f"{name}: {file.name}") as progress:
        result = _asked(call, work)
    _answer(call, file, content, result, marked_up)


@app.command("list", epilog=EVERYWHERE)
def list_(context: typer.Context, name: Name) -> None:
    """List the versions of the value tables: who, when, from which file. The last one is in force.

    Example: syncline values list support-engineering
    """
    from console import values_tables as tables
    from flows import upload

    async def work(runtime: Runtime) -> list[dict[str, Any]]:
        found = upload.versions(runtime, name)
        return [upload.version_json(one, found[-1].version) for one in found]

    rows = _asked(given(context), work)
    given(context).out.answer(rows, lambda: tables.versions(rows))


@app.command(epilog=EVERYWHERE)
def show(context: typer.Context, name: Name, version: MaybeVersion = None) -> None:
    """Show the tables of a version; without a number, of the one in force.

    Example: syncline values show support-engineering 3
    """
    from console import values_tables as tables
    from flows import upload

    async def work(runtime: Runtime) -> dict[str, Any]:
        found = upload.versions(runtime, name)
        one = upload.version_of(runtime, name, version)
        return {**upload.version_json(one, found[-1].version), "tables": one.tables}

    told = _asked(given(context), work)
    given(context).out.answer(told, lambda: tables.content(told))


@app.command(epilog=EVERYWHERE)
def diff(
    context: typer.Context,
    name: Name,
    before: Annotated[int, typer.Argument(metavar="BEFORE", help="The earlier version.")],
    after: Annotated[
        int | None, typer.Argument(metavar="AFTER", help="The later version; without it, the one in force.")
    ] = None,
) -> None:
    """Say what changed from one version to another.

    Example: syncline values diff support-engineering 2 3
    """
    from console import values_tables as tables
    from flows import upload

    async def work(runtime: Runtime) -> list[dict[str, Any]]:
        upload.versions(runtime, name)
        return upload.diff(runtime, name, before, after)

    rows = _asked(given(context), work)
    given(context).out.answer(rows, lambda: tables.differences(rows))


@app.command(epilog=EVERYWHERE)
def rollback(context: typer.Context, name: Name, version: Version) -> None:
    """Put an earlier version in force again, as a new version.

    Example: syncline values rollback support-engineering 2
    """
    from console import tables
    from flows import upload

    async def work(runtime: Runtime) -> dict[str, Any]:
        made = upload.rollback(runtime, name, version, who=who())
        return upload.version_json(made, made.version)

    told = _asked(given(context), work)
    words = f"Version {told['version']} is in force from the next refresh on: that of version {version}."
    given(context).out.answer(told, lambda: tables.text(words))


@app.command(epilog=EVERYWHERE)
def export(context: typer.Context, name: Name, version: MaybeVersion = None, output: Target = None) -> None:
    """Write the tables of a version as a workbook that can be uploaded again.

    Example: syncline values export support-engineering 3 -o version-3.xlsx
    """
    from flows import upload

    async def work(runtime: Runtime) -> tuple[bytes, int]:
        upload.versions(runtime, name)
        number = upload.version_of(runtime, name, version).version
        return upload.export(runtime, name, number), number

    content, number = _asked(given(context), work)
    _write(given(context), output or Path(f"{name}-{number}.xlsx"), content)


def _asked(call: Given, work: Callable[[Runtime], Awaitable[T]]) -> T:
    """What the work answers, with configuration, ledger and systems at hand."""

    async def run() -> T:
        async with call.open() as runtime:
            return await work(runtime)

    return asyncio.run(run())


def _content(file: Path) -> bytes:
    """The bytes of a file, no more than are ever read. Raises a usage error where it cannot be read."""
    from mappings.workbook.guard import MAX_FILE

    try:
        with file.open("rb") as stream:
            return stream.read(MAX_FILE + 1)
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from None


def _write(call: Given, file: Path, content: bytes) -> None:
    from console import tables

    try:
        file.write_bytes(content)
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be written: {error.strerror}") from None
    call.out.answer({"file": str(file), "bytes": len(content)}, lambda: tables.text(f"Wrote {file}."))


def _answer(call: Given, file: Path, content: bytes, result: UploadResult, marked: Path | None) -> None:
    """The result, the marked-up copy if it is wanted, and the exit code."""
    from console import values_tables as tables
    from flows import upload

    if marked is not None:
        copy = asyncio.run(upload.marked_up(content, file.name, result.findings))
        marked.write_bytes(copy)
        call.out.say(f"The marked-up copy is {marked}.")
    told = result.as_json()
    call.out.answer(told, lambda: tables.result(told, file.name))
    raise typer.Exit(result.code)
