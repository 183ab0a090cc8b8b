"""`syncline`: everything that people and scripts do from a terminal (INTERFACE.md, "Command line").

Rule of this file: it says which words there are, and hands on. What a command does is in `flows`, how it looks in
`console`. Heavy modules are imported by the command that needs them: `--help` answers at once.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import inbox, init_cli, values_cli
from console.given import EVERYWHERE, Entities, Full, Given, MaybeName, Name, Since, Targets, given, who
from console.output import Output

if TYPE_CHECKING:
    from flows.home import DaemonInfo
    from flows.report import RefreshOptions, Report

CODES = (
    "Exit codes: 0 done; 1 refused, or an entity failed; 2 usage or configuration; 3 done, but something wants a "
    "person; 4 a system cannot be reached; 5 another refresh is running."
)

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, rich_markup_mode="rich")


@app.callback(epilog=CODES)
def syncline(
    context: typer.Context,
    config: Annotated[
        Path, typer.Option("--config", envvar="SYNCLINE_CONFIG", help="The configuration: a YAML file, or a folder.")
    ] = Path(),
    ledger: Annotated[
        str | None,
        typer.Option(
            "--ledger",
            metavar="URL",
            envvar="SYNCLINE_LEDGER",
            help="sqlite:///path/ledger.db or postgresql://…; else .syncline/ledger.db beside the configuration.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON, for scripts.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more, on stderr.")] = False,
) -> None:
    """Keeps two systems in agreement, both ways, without losing or doubling anything.

    First steps: `syncline demo` shows it. `syncline check` looks over a configuration, `syncline plan NAME` says what a
    refresh would do, `syncline start` keeps everything in agreement from then on.
    """
    context.obj = Given(config, ledger, Output(as_json=as_json, verbose=verbose))
    context.obj.out.log()


@app.command(epilog=EVERYWHERE)
def check(
    context: typer.Context,
    name: MaybeName = None,
    online: Annotated[bool, typer.Option("--online", help="Ask the systems too: log-ins, names, values.")] = False,
    local: Annotated[bool, typer.Option("--local", help="From this process, as it always is.")] = False,
) -> None:
    """Say everything that is wrong with the configuration, with file, line and remedy.

    Example: syncline check --online
    """
    from console import codes, tables
    from flows.runtime import load_configuration
    from flows.workbooks import check_workbooks
    from mappings.check import check as check_offline

    del local
    config, out = given(context).config, given(context).out
    loaded = load_configuration(config)
    found = [*check_offline(loaded, name), *check_workbooks(loaded, name)]
    if online:
        from flows.online import check_online

        found = list(dict.fromkeys([*found, *asyncio.run(check_online(loaded, name))]))
    for file in loaded.ignored if out.verbose else ():
        out.say(f"Ignored, for it has no top-level `group:`: {file}")
    what = name or ("the configuration here" if config == Path() else str(config))
    out.answer([one.as_json() for one in found], lambda: tables.findings(found, what, online=online))
    raise typer.Exit(codes.of_findings(found))


@app.command(epilog=EVERYWHERE)
def plan(
    context: typer.Context,
    name: Name,
    target: Targets = None,
    entity: Entities = None,
    full: Full = False,
    since: Since = None,
    local: Annotated[bool, typer.Option("--local", help="In this process, as it always is.")] = False,
) -> None:
    """Say what a refresh would do and why. Nothing is written.

    Example: syncline plan support-engineering --entity left:12
    """
    from console import codes, tables

    del local
    out = given(context).out
    (report,), _ = asyncio.run(_here(given(context), name, _options(target, entity, full, since, dry_run=True)))
    rows = [row.as_json() for row in report.plan]
    out.answer(rows, lambda: tables.preview(rows, report.total.as_json()))
    for told in report.targets:
        if told.error:
            out.say(f"{told.name}: {told.error}")
    raise typer.Exit(codes.of_report(report.as_json()))


@app.command(epilog=EVERYWHERE)
def refresh(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The integration connector; or --all.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every active integration connector.")] = False,
    target: Targets = None,
    entity: Entities = None,
    full: Full = False,
    since: Since = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing (in this process, as `plan`).")] = False,
    local: Annotated[bool, typer.Option("--local", help="In this process, without daemon and Prefect.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the daemon has done it.")] = True,
) -> None:
    """Bring both sides into agreement now: by the daemon, or with --local in this process.

    Example: syncline refresh support-engineering --local
    """
    from console import codes, tables

    options = _options(target, entity, full, since, dry_run=dry_run)
    if (name is None) is not every:
        raise typer.BadParameter("name one integration connector, or say --all")
    number, plans = 0, {}
    if local or dry_run:
        reports, number = asyncio.run(_here(given(context), name, options))
        told = [report.as_json() for report in reports]
        plans = {report.run: [row.as_json() for row in report.plan] for report in reports}
    else:
        told = asyncio.run(_by_daemon(given(context), name, options, wait=wait))
        plans = {report["run"]: report.pop("plan", []) for report in told}
    given(context).out.answer(told if name is None else told[0], lambda: tables.reports(told, plans))
    raise typer.Exit(128 + number if number else codes.of_reports(told))


def _options(
    targets: Sequence[str] | None, entities: Sequence[str] | None, full: bool, since: str | None, *, dry_run: bool
) -> RefreshOptions:
    """The options of a refresh. Raises a usage error for what is no entity or no moment."""
    from flows.report import RefreshOptions

    for one in entities or ():
        side, _, id = one.partition(":")
        if side not in ("left", "right") or not id:
            raise typer.BadParameter(f"{one!r} names no entity: write left:ID or right:ID")
    try:
        moment = datetime.fromisoformat(since) if since else None
    except ValueError:
        raise typer.BadParameter(f"{since!r} is no moment: write 2026-11-21 or 2026-11-21T08:00Z") from None
    if moment is not None and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return RefreshOptions(tuple(targets or ()), tuple(entities or ()), full, moment, dry_run)


async def _here(call: Given, name: str | None, options: RefreshOptions) -> tuple[list[Report], int]:
    """Refresh in this process, one or all active ones. Also the signal that cut it short, or 0."""
    from console.local import refresh_here
    from flows.operate import active_names, require

    async with call.open() as runtime:
        if name is not None:
            require(runtime, name)
        return await refresh_here(runtime, active_names(runtime) if name is None else [name], options, call.out)


async def _by_daemon(call: Given, name: str | None, options: RefreshOptions, *, wait: bool) -> list[dict[str, Any]]:
    """Let the daemon refresh, one or all active ones. Raises ConfigurationError for one that is deactivated."""
    from flows.operate import active_names, require_active
    from flows.remote import refresh_by_daemon

    async with call.open() as runtime:
        if name is not None:
            require_active(runtime, name)
        names = active_names(runtime) if name is None else [name]
        with call.out.progress(f"{name or 'all connectors'}, by the daemon"):
            return await refresh_by_daemon(runtime, names, options, wait=wait)


app.add_typer(init_cli.app)
app.add_typer(inbox.app)
app.add_typer(inbox.conflicts, name="conflicts")
app.add_typer(inbox.failures, name="failures")
app.add_typer(values_cli.app, name="values")


@app.command(epilog=EVERYWHERE)
def activate(context: typer.Context, name: Name) -> None:
    """Let an integration connector run: it is refreshed at once, then on schedule.

    Example: syncline activate support-engineering
    """
    _set_active(given(context), name, True)


@app.command(epilog=EVERYWHERE)
def deactivate(context: typer.Context, name: Name) -> None:
    """Let an integration connector rest. What it has linked stays, and `refresh NAME --local` still works.

    Example: syncline deactivate support-engineering
    """
    _set_active(given(context), name, False)


def _set_active(call: Given, name: str, active: bool) -> None:
    from console import tables
    from flows.operate import set_active

    runtime = call.open()
    with runtime.ledger:
        changed = set_active(runtime, name, active, who=who())
    word = "active" if active else "inactive"
    told = f"{name} is {word} now." if changed else f"{name} was {word} already."
    call.out.answer({"name": name, "active": active, "changed": changed}, lambda: tables.text(told))


@app.command(epilog=EVERYWHERE)
def deploy(
    context: typer.Context,
    server_name: Annotated[str, typer.Option("--server-name", help="The Prefect work pool.")] = "syncline",
) -> None:
    """Bring the deployments on the Prefect server in line with the configuration. A running daemon does so by itself.

    Example: PREFECT_API_URL=http://127.0.0.1:4200/api syncline deploy
    """
    from console import tables
    from flows.remote import deploy as deploy_all

    async def work() -> dict[str, list[str]]:
        async with given(context).open() as runtime:
            done = await deploy_all(runtime, server_name)
            return {word: sorted(getattr(done, word)) for word in ("created", "updated", "removed", "paused")}

    told = asyncio.run(work())
    given(context).out.answer(told, lambda: tables.deployed(told))


@app.command(epilog=EVERYWHERE)
def start(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Where console and REST API listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Their port; 0 takes a free one.")] = 9400,
    server_name: Annotated[str, typer.Option("--server-name", help="The daemon's name: its work pool.")] = "syncline",
    workers: Annotated[int, typer.Option(min=1, help="How many processes run refreshes.")] = 1,
    certificate: Annotated[
        Path | None, typer.Option("--tls-certificate", metavar="PEM", help="Serve HTTPS with this certificate.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--tls-key", metavar="PEM", help="Its private key.")] = None,
    without_token: Annotated[
        bool,
        typer.Option("--open-metadata-without-token", help="Egeria's paths take no token, on loopback only."),
    ] = False,
) -> None:
    """Start the daemon: it deploys every integration connector to Prefect and refreshes it on schedule, until Ctrl-C.

    It uses the Prefect server at PREFECT_API_URL if that is set, else it starts one of its own on loopback.

    Example: syncline start --config /etc/syncline
    """
    from console.serve import Place, console
    from flows.daemon import Daemon

    call = given(context)
    web = console(Place(host, port, certificate, key, without_token), server_name)

    def started(info: DaemonInfo) -> None:
        from console import tables

        call.out.answer(info.as_json(), lambda: tables.daemon(info.as_json()))
        sys.stdout.flush()

    call.out.log_more()
    asyncio.run(Daemon(call.config, call.ledger, server_name, workers, web, started).run())


@app.command(epilog=EVERYWHERE)
def stop(context: typer.Context) -> None:
    """Stop the daemon of this configuration: refreshes under way finish their current entities first.

    Example: syncline stop
    """
    from console import tables
    from flows.home import stop_daemon

    stopped = stop_daemon(given(context).config)
    told = "The daemon has stopped." if stopped else "No daemon of this configuration runs."
    given(context).out.answer({"stopped": stopped}, lambda: tables.text(told))


@app.command(epilog=EVERYWHERE)
def status(context: typer.Context) -> None:
    """Show the daemon, and how each integration connector is doing.

    Example: syncline status --json
    """
    from console import tables
    from flows.home import daemon_info
    from flows.status import status_json

    runtime = given(context).open()
    with runtime.ledger:
        told = status_json(runtime, daemon_info(runtime.config))
    given(context).out.answer(told, lambda: tables.status(told))


@app.command(epilog=EVERYWHERE)
def demo(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="End after the show; fails if both sides do not agree.")] = False,
    folder: Annotated[Path, typer.Option("--folder", help="Where the demo lives; made anew each time.")] = Path(
        ".demo"
    ),
) -> None:
    """Watch it work: two real trackers on this machine, forty tickets, edits on both sides, a conflict and its end.

    Example: syncline demo
    """
    from demo.show import show

    del context
    raise typer.Exit(show(folder, once=once))


def hoist(words: Sequence[str]) -> list[str]:
    """The words with what every command takes put first: it may stand before or after the command's name."""
    first: list[str] = []
    rest: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--":
            return [*first, *rest, word, *left]
        if word in ("--config", "--ledger"):
            first += [word, *([value] if (value := next(left, None)) is not None else [])]
        elif word in ("--json", "--verbose", "-v") or word.startswith(("--config=", "--ledger=")):
            first.append(word)
        else:
            rest.append(word)
    return [*first, *rest]


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point. Errors end with their words on stderr and their exit code, never with a traceback."""
    words = hoist(sys.argv[1:] if arguments is None else arguments)
    try:
        app(words, prog_name="syncline")
    except Exception as error:  # the last place where one can be put into words
        from console.errors import tell

        sys.exit(tell(error, verbose=any(word in ("-v", "--verbose") for word in words)))


if __name__ == "__main__":
    main()
