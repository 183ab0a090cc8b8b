"""Changes to the configuration while it is in force: integration groups kept as YAML files (SPEC A12, A14).

Rule of this file: what would have an error is refused with all its findings, and nothing is written; what is written
is in force when the call returns, and still there after a restart.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from flows.runtime import Runtime, kept_groups, load_configuration
from ledger.model import AuditEntry
from mappings.check import check
from mappings.findings import CODES, ConfigurationErrors, Finding, file_text

Texts = Mapping[Path, str | None]
"""File -> its whole new text; None: the file goes."""

_alone = asyncio.Lock()


async def put_group(runtime: Runtime, name: str, text: str, *, who: str, reason: str = "") -> list[Finding]:
    """Keep `text` as the group of this name; answers the warnings. JSON is kept as the YAML that people would write.

    Raises ConfigurationErrors with everything that is wrong: nothing was changed then.
    """
    return await _apply(
        runtime, {group_file(runtime, name): _readable(text)}, name, who=who, reason=reason, expect=name
    )


def _readable(text: str) -> str:
    if not text.lstrip().startswith("{"):
        return text
    try:
        return to_yaml(json.loads(text))
    except (ValueError, RecursionError):
        return text


async def remove_group(runtime: Runtime, name: str, *, who: str, reason: str = "") -> None:
    """Take a group and its file away. What its connectors linked stays in the ledger. Raises ConfigurationErrors."""
    await _apply(runtime, {group_file(runtime, name): None}, name, who=who, reason=reason)


async def edit_group(
    runtime: Runtime, name: str, change: Callable[[Any], None], *, who: str, reason: str = ""
) -> list[Finding]:
    """Let `change` work on the YAML of a group, whose comments stay; answers the warnings.

    Raises ConfigurationErrors like `put_group`, and KeyError for a group that is not there.
    """
    file = runtime.configuration.groups[name].file
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 120
    data = yaml.load(_readable(await asyncio.to_thread(file.read_text, "utf-8-sig")))
    change(data)
    text = io.StringIO()
    yaml.dump(data, text)
    return await _apply(runtime, {file: text.getvalue()}, name, who=who, reason=reason, expect=name)


def group_file(runtime: Runtime, name: str) -> Path:
    """Where the group stands, or would: beside the others, or where single-file configurations keep their groups."""
    if name in runtime.configuration.groups:
        return runtime.configuration.groups[name].file
    folder = runtime.config if runtime.config.is_dir() else kept_groups(runtime.config)
    file = folder / f"{name}.yaml"
    return folder / f"{name}-group.yaml" if file.exists() else file


def group_text(runtime: Runtime, name: str) -> str:
    """The YAML of a group in force. Raises KeyError for one that is not there, OSError where its file is gone."""
    return runtime.configuration.groups[name].file.read_text("utf-8-sig")


def to_yaml(data: Any) -> str:
    """Plain data as YAML."""
    yaml, text = YAML(), io.StringIO()
    yaml.width = 120
    yaml.dump(data, text)
    return text.getvalue()


async def _apply(
    runtime: Runtime, texts: Texts, name: str, *, who: str, reason: str, expect: str | None = None
) -> list[Finding]:
    async with _alone:
        findings = await asyncio.to_thread(_checked, runtime, texts, expect)
        before = {str(file): _digest(file) for file in texts}
        for file, text in texts.items():
            await asyncio.to_thread(_write, file, text)
        await runtime.reload()
        after = {str(file): _digest(file) for file in texts}
        told = AuditEntry.now("configure", who=who, field=name, before=before, after=after, reason=reason)
        with runtime.ledger.begin() as tx:
            tx.audit([told])
        return findings


def _checked(runtime: Runtime, texts: Texts, expect: str | None) -> list[Finding]:
    """The warnings that the configuration would have. Raises ConfigurationErrors for its errors."""
    loaded = load_configuration(runtime.config, texts)
    findings = check(loaded)
    errors = [f for f in findings if f.severity == "error" and f.code != "no_configuration"]
    if not errors and expect is not None and expect not in {n for n, g in loaded.groups.items() if g.file in texts}:
        errors.append(_not_the_group(next(iter(texts)), expect))
    if errors:
        raise ConfigurationErrors(errors)
    return [finding for finding in findings if finding.severity == "warning"]


def _not_the_group(file: Path, name: str) -> Finding:
    problem = f"this is not the group {name!r}: its top-level `group:` says something else"
    return Finding(file_text(file), 1, "group", "error", "not_a_group", problem, CODES["not_a_group"])


def _write(file: Path, text: str | None) -> None:
    if text is None:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(text, "utf-8")
    os.replace(draft, file)


def _digest(file: Path) -> str | None:
    """What tells one text of the file from the next, for the audit log; None where there is none."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    except FileNotFoundError:
        return None
