"""The commands about what is remembered: links, conflicts, failures, audit.

Rule of this file: it lists from the ledger, asking no system, and hands decisions on to `flows.stewardship`.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from console.given import EVERYWHERE, MaybeName, Reason, given, group, one_of, who

app = typer.Typer()
conflicts = group("What both sides changed differently: list it, resolve it.")
failures = group("Entities that failed alone: list them, retry them, ignore them.")

Ids = Annotated[list[int] | None, typer.Argument(metavar="ID", help="Their numbers, as `syncline failures` shows.")]
Every = Annotated[bool, typer.Option("--all", help="All open ones.")]
Of = Annotated[str | None, typer.Option("--connector", metavar="NAME", help="With --all: only those of this one.")]


@app.command(epilog=EVERYWHERE)
def links(
    context: typer.Context,
    name: MaybeName = None,
    target: Annotated[str | None, typer.Option("--target", metavar="T", help="Only this target.")] = None,
    state: Annotated[str, typer.Option("--state", help="agreed, held, halted, failed, waiting, or all.")] = "all",
) -> None:
    """List which left entity is which right entity.

    Example: syncline links support-engineering --state halted
    """
    from console import tables
    from flows.inboxes import link_json
    from ledger.model import LinkState

    wanted = one_of("--state", state, *LinkState)
    with given(context).remembered(name) as ledger:
        found = ledger.each_link(name, target=target, state=LinkState(wanted) if wanted else None)
        rows = [link_json(link) for link in found]
    given(context).out.answer(rows, lambda: tables.links(rows))


@conflicts.command("list", epilog=EVERYWHERE)
def list_conflicts(
    context: typer.Context,
    name: MaybeName = None,
    state: Annotated[str, typer.Option("--state", help="open, resolved, agreed, or all.")] = "open",
) -> None:
    """List conflicts: both values, who changed them, and the command that settles it. `list` may be left out.

    Example: syncline conflicts support-engineering
    """
    from console import tables
    from flows.inboxes import conflict_json

    wanted = one_of("--state", state, "open", "resolved", "agreed")
    with given(context).remembered(name) as ledger:
        found = ledger.conflicts(name, state=wanted)
        ends = {link.id: link for link in ledger.links(ids={conflict.link for conflict in found})}
    rows = [conflict_json(conflict, ends.get(conflict.link)) for conflict in found]
    given(context).out.answer(rows, lambda: tables.conflicts(rows, given(context).command))


@conflicts.command(epilog=EVERYWHERE)
def resolve(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="ID", help="Its number, as `syncline conflicts` shows.")],
    take: Annotated[str | None, typer.Option("--take", metavar="left|right", help="Let this side win.")] = None,
    value: Annotated[
        list[str] | None, typer.Option("--value", metavar="FIELD=V", help="A value of your own; repeatable.")
    ] = None,
    reason: Reason = "",
) -> None:
    """Resolve a conflict: one side's value wins, or one of your own. All conflicts of that pair are settled together.

    If somebody has edited either side since the conflict was shown, it is refused and nothing is written.

    Example: syncline conflicts resolve 3 --take right --reason "engineering knows better"
    """
    from console import tables
    from flows.stewardship import resolve as settle
    from mappings.config import Side

    own = dict(_pair(one) for one in value or ())
    if take not in (None, *Side) or not (take or own):
        raise typer.BadParameter("say --take left, --take right, or --value FIELD=V")

    async def work() -> dict[str, object]:
        async with given(context).open() as runtime:
            side = Side(take) if take else None
            report = await settle(runtime, number, take=side, values=own, reason=reason, who=who())
            return report.as_json()

    report = asyncio.run(work())
    given(context).out.answer(report, lambda: tables.resolved(number, report))


def _pair(text: str) -> tuple[str, str]:
    field, equals, value = text.partition("=")
    if not (field and equals):
        raise typer.BadParameter(f"{text!r} is not FIELD=VALUE")
    return field, value


@failures.command("list", epilog=EVERYWHERE)
def list_failures(
    context: typer.Context,
    name: MaybeName = None,
    state: Annotated[str, typer.Option("--state", help="open, ignored, done, or all.")] = "open",
) -> None:
    """List entities that failed, why, and when each is tried again. `list` may be left out.

    Example: syncline failures support-engineering
    """
    from console import tables
    from flows.inboxes import failure_json

    wanted = one_of("--state", state, "open", "ignored", "done")
    with given(context).remembered(name) as ledger:
        rows = [failure_json(failure) for failure in ledger.failures(name, state=wanted)]
    given(context).out.answer(rows, lambda: tables.failures(rows))


@failures.command(epilog=EVERYWHERE)
def retry(
    context: typer.Context, numbers: Ids = None, every: Every = False, connector: Of = None, reason: Reason = ""
) -> None:
    """Try failed entities again now, with today's values.

    Example: syncline failures retry 4 7 --reason "the field was added"
    """
    from console import codes, tables
    from flows.stewardship import retry as again

    _chosen(numbers, every)

    async def work() -> list[dict[str, object]]:
        async with given(context).open() as runtime:
            reports = await again(runtime, connector, numbers or None, reason=reason, who=who())
            return [report.as_json() for report in reports]

    reports = asyncio.run(work())
    given(context).out.answer(reports, lambda: tables.reports(reports, {}))
    raise typer.Exit(codes.of_reports(reports))


@failures.command(epilog=EVERYWHERE)
def ignore(
    context: typer.Context, numbers: Ids = None, every: Every = False, connector: Of = None, reason: Reason = ""
) -> None:
    """Put failures out of the way. Nothing is dropped: the entity's next change, or a retry, takes it up again.

    Example: syncline failures ignore 4 --reason "a test ticket"
    """
    from console import tables
    from flows.stewardship import ignore as put_away

    _chosen(numbers, every)
    runtime = given(context).open()
    with runtime.ledger:
        count = put_away(runtime, connector, numbers or None, reason=reason, who=who())
    given(context).out.answer({"ignored": count}, lambda: tables.text(f"{count} failures ignored."))


def _chosen(numbers: list[int] | None, every: bool) -> None:
    if bool(numbers) is every:
        raise typer.BadParameter("name the failures by their numbers, or say --all")


@app.command(epilog=EVERYWHERE)
def audit(
    context: typer.Context,
    name: MaybeName = None,
    entity: Annotated[str | None, typer.Option("--entity", metavar="SIDE:ID", help="Only this entity.")] = None,
    run: Annotated[str | None, typer.Option("--run", metavar="RUN", help="Only this refresh.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="The newest so many.")] = 1000,
) -> None:
    """Show who did what, when: every write, refusal, conflict and decision, oldest first.

    Example: syncline audit support-engineering --entity left:12
    """
    from console import tables
    from flows.inboxes import audit_json

    with given(context).remembered(name) as ledger:
        rows = [audit_json(line) for line in ledger.audit(name, entity=entity, run=run, limit=limit, newest=True)]
    given(context).out.answer(rows, lambda: tables.audit(rows))
