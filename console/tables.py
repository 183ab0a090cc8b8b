"""What the command line shows to people: the same answers as `--json`, as tables.

Rule of this file: it is fed with that JSON, so that both can never tell different things.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mappings.findings import Finding

Json = Mapping[str, Any]

MOST = 300
"""Characters of a value that are shown; `--json` has all of it."""

_COLOURS = {
    "error": "red", "failed": "red", "FAILED": "red", "fail": "red",
    "warning": "yellow", "halt": "yellow", "halted": "yellow", "held": "yellow", "wait": "yellow", "open": "yellow",
    "agreed": "green", "create": "green", "WAITING": "green", "done": "green",
}  # fmt: skip


def text(value: Any, style: str = "") -> Text:
    """A value as text: nothing in it acts as markup, or as a command to the terminal."""
    if value is None or value == "":
        return Text("(empty)" if value is None else "", "dim")
    shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    shown = shown if len(shown) <= MOST else shown[: MOST - 1] + "…"
    safe = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in shown)
    return Text(safe, style or _COLOURS.get(safe, ""))


def when(moment: Any) -> str:
    """An ISO moment as people read it: to the second, UTC."""
    return str(moment)[:19].replace("T", " ") if moment else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], nothing: str) -> RenderableType:
    """Rows under heads; `nothing` is said where there are none."""
    made = Table(*heads, box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, expand=False)
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else text(cell) for cell in row))
    return made if made.row_count else Text(nothing)


def findings(found: Sequence[Finding], what: str, *, online: bool) -> RenderableType:
    """Findings, one paragraph each: where, what, remedy."""
    lines = []
    for one in found:
        place = f"{one.file}:{one.line}" if one.line else one.file
        lines.append(
            Text.assemble(
                (f"{one.severity} ", _COLOURS[one.severity]),
                (place, "bold"),
                f" {one.path}\n  " if place else "",
                text(one.problem),
                "\n  → ",
                text(one.remedy),
            )
        )
    errors = sum(one.severity == "error" for one in found)
    sound = f"No findings: {what} is sound."
    if not online:
        sound += " The systems were not asked; --online asks them."
    end = f"{_many(errors, 'error')}, {_many(len(found) - errors, 'warning')}." if found else sound
    return Group(*lines, Text(end, "red" if errors else "yellow" if found else "green"))


def _many(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def first_mapping(told: Json) -> RenderableType:
    """What `init` wrote, and how to go on."""
    rows = [
        (f"{pair['left']} = {pair['right']}", [field["left"] for field in pair["fields"]],
         [field["left"] for field in pair["not_yet"]])
        for pair in told["entities"]
    ]  # fmt: skip
    shown = table(("entity types", "fields paired", "not yet, see the comments"), rows, "")
    name = told["connector"]
    return Group(Text(f"Written: {told['written']}", "green"), shown,
                 Text(f"Next: syncline check --online, then syncline plan {name}"))  # fmt: skip


def preview(rows: Sequence[Json], counts: Json) -> RenderableType:
    """What a refresh would do, and how much it would leave out. `counts`: the counters of its report.

    What the criteria leave out is counted, not listed: `--json` names it.
    """
    shown = [row for row in rows if (row["action"], row["reason"]) != ("skip", "criteria")]
    left_out = {reason: n for reason, n in counts["skipped"].items() if reason not in ("seen", "unchanged")}
    told = [f"{counts['adopted']} adopted"] if counts["adopted"] else []
    told += [f"{n} left out ({reason})" for reason, n in left_out.items()]
    return Group(plan(shown), *([Text(f"  {', '.join(told)}")] if told else []))


def plan(rows: Sequence[Json], nothing: str = "Nothing to do: both sides agree.") -> RenderableType:
    """What a refresh would do, or did: each action with its fields and its reason."""
    heads = ("action", "written on", "entity", "fields", "reason")
    return table(
        heads, ((r["action"], r["side"], _entity(r), _fields(r["fields"]), r["reason"]) for r in rows), nothing
    )


def _entity(row: Json) -> str:
    target = f"{row['target']} " if row["target"] not in ("", "default") else ""
    return f"{target}{row['entity']}"


def _fields(fields: Json) -> Text:
    lines = []
    for name, value in fields.items():
        sides = isinstance(value, Mapping) and {"left", "right"} <= value.keys()
        shown = [("left: ", value["left"]), ("  right: ", value["right"])] if sides else [("", value)]
        lines.append(Text.assemble((f"{name} ", "cyan"), *(part for word, v in shown for part in (word, text(v)))))
    return Text("\n").join(lines)


def reports(told: Sequence[Json], plans: Mapping[str, Sequence[Json]]) -> RenderableType:
    """What refreshes did. `plans`: run -> rows of its plan."""
    parts: list[RenderableType] = []
    for report in told:
        parts += _report(report, [r for r in plans.get(report["run"], ()) if r["action"] in ("halt", "wait", "fail")])
    return Group(*parts) if parts else Text("No active integration connector: nothing was refreshed.")


def _report(report: Json, wanting: Sequence[Json]) -> Iterable[RenderableType]:
    head = Text.assemble((report["connector"], "bold"), ": ", text(report["outcome"]), f" in {report['seconds']:.1f} s")
    if report["message"]:
        head.append(f" ({text(report['message'])})")
    if report["dry_run"]:
        head.append(" - a dry run, nothing was written")
    yield head
    sided = ("created", "updated", "deleted", "comments", "attachments", "links")
    rows = [(name, report[name]["left"], report[name]["right"]) for name in sided if any(report[name].values())]
    if rows:
        yield table(("", "on the left", "on the right"), rows, "")
    plain = [f"{name} {report[name]}" for name in ("adopted", "halted", "held", "failed", "waiting") if report[name]]
    plain += [f"skipped {n} ({reason})" for reason, n in report["skipped"].items()]
    if plain:
        yield Text("  " + ", ".join(plain))
    if not rows and not plain and report["outcome"] == "done":
        yield Text("  Nothing had changed.")
    for target in report["targets"]:
        if target["error"]:
            yield Text.assemble(("  error ", "red"), f"{target['name']}: ", text(target["error"]))
    if wanting:
        yield plan(wanting)
    if report["halted"] or report["failed"]:
        words = [word for word, n in (("conflicts", report["halted"]), ("failures", report["failed"])) if n]
        yield Text("  Look closer: " + ", ".join(f"syncline {w} {report['connector']}" for w in words), "dim")


def links(rows: Sequence[Json]) -> RenderableType:
    """Which left entity is which right entity."""
    heads = ("id", "connector", "left", "right", "state", "held")
    return table(
        heads,
        (
            (r["id"], r["connector"], _end(r["left"]), _end(r["right"]), r["state"], _held(r.get("held") or ()))
            for r in rows
        ),
        "No linked pairs yet. `syncline refresh` makes them.",
    )


def _end(end: Json) -> str:
    return str(end["url"] or f"{end['type']} {end['id']}")


def _held(held: Iterable[Json]) -> str:
    return "\n".join(f"{one['field']}: {one['reason']}" for one in held)


def conflicts(rows: Sequence[Json], command: str) -> RenderableType:
    """Conflicts, each with both values and the command line that settles it. `command`: how Syncline was called."""
    return Group(*(part for row in rows for part in _conflict(row, command))) if rows else Text("No conflicts.")


def _conflict(row: Json, command: str) -> Iterable[RenderableType]:
    name = f" {row['field']} "
    yield Text.assemble(
        (f"Conflict {row['id']}", "bold"), f" in {row['connector']}:", (name, "bold cyan"), text(row["state"])
    )
    grid = Table.grid(padding=(0, 2))
    ends = row.get("entities") or {}
    grid.add_row("  agreed before", text(row["base"]["left"]), Text(""), Text(""))
    for side in ("left", "right"):
        url = ends[side]["url"] or "" if side in ends else ""
        by = Text.assemble("by ", text(row["by"][side])) if row["by"][side] else Text("")
        grid.add_row(f"  {side}", text(row[side], "yellow"), by, text(url))
    yield grid
    yield Text(f"  since {when(row['at'])} UTC; nothing of this pair is written until it is settled.", "dim")
    if row["state"] == "open":
        yield Text.assemble("  settle: ", (f"{command} conflicts resolve {row['id']} --take left", "bold"))
        yield Text(f"          (or --take right, or --value {row['field']}=TEXT; say why with --reason TEXT)\n")


def resolved(number: int, report: Json) -> RenderableType:
    """A conflict was settled, and what that wrote."""
    sides = [side for side in ("left", "right") if report["updated"][side]]
    wrote = f"written on the {' and the '.join(sides)}" if sides else "both sides have it already"
    return Text(f"Conflict {number} is resolved: {wrote}.", "green")


def failures(rows: Sequence[Json]) -> RenderableType:
    """Entities that failed alone, and when each is tried again."""
    heads = ("id", "connector", "entity", "action", "attempts", "next", "state", "error")
    told = ({**row, "entity": row.get("url") or row["entity"], "next": when(row["next"]) or "by hand"} for row in rows)
    return table(heads, ([row[head] for head in heads] for row in told), "No failures.")


def audit(rows: Sequence[Json]) -> RenderableType:
    """Who did what, when."""
    heads = ("at", "who", "what", "connector", "entity", "field", "before", "after", "reason")
    told = ({**row, "at": when(row["at"])} for row in rows)
    return table(heads, ([_brief(r[head]) for head in heads] for r in told), "The audit log has no such lines.")


def _brief(value: Any) -> Text:
    if isinstance(value, Mapping):
        value = ", ".join(f"{name}: {one}" for name, one in value.items())
    shown = text("" if value in (None, []) else value)
    shown.truncate(60, overflow="ellipsis")
    return shown


def status(told: Json) -> RenderableType:
    """The daemon, and how each integration connector is doing."""
    heads = ("connector", "state", "last refresh", "next refresh", "halted", "held", "failed", "waiting", "message")
    rows = (
        (row["name"], row["state"], when(row["last_refresh"]) or "-", when(row["next_refresh"]) or "-",
         *(row[word] for word in ("halted", "held", "failed", "waiting")), row["message"])
        for row in told["connectors"]
    )  # fmt: skip
    shown = table(heads, rows, "The configuration has no integration connectors.")
    return Group(daemon(told["daemon"]), shown, *_unresolved(told["connectors"]))


def _unresolved(connectors: Sequence[Json]) -> Iterable[RenderableType]:
    """The inbox of users whom the user mapping has to name."""
    rows = [
        (row["name"], one["user"], one["side"], one["code"], one["pairs"])
        for row in connectors
        for one in row["unresolved_users"]
    ]
    if rows:
        yield Text("Users to be mapped: by a value table, or by the same e-mail address on both sides.", "yellow")
        yield table(("connector", "user", "of the", "why", "pairs that wait"), rows, "")


def daemon(told: Json | None) -> RenderableType:
    """The daemon, and what people open in a browser."""
    if not told:
        return Text("No daemon runs. `syncline start` starts it.", "yellow")
    urls = {"console": told["console_url"], "Prefect": told["prefect_url"]}
    words = [f"pid {told['pid']}", *(f"{word} {url}" for word, url in urls.items() if url)]
    return Text(f"The daemon runs: {', '.join(words)}", "green")


def deployed(told: Json) -> RenderableType:
    """What `deploy` did."""
    lines = [f"{word}: {', '.join(names)}" for word, names in told.items() if names]
    return Text("\n".join(lines) or "Everything was deployed already.")
