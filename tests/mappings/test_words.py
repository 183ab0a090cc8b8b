"""The published words of `action` and `reason` are exactly those that the code uses."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from mappings.words import ACTIONS, REASONS

ROOT = Path(__file__).parents[2]
FILES = [
    *(ROOT / "mappings" / f"{name}.py" for name in ("merge", "translate", "plan")),
    *sorted((ROOT / "flows").glob("*.py")),
]
SAYS = {"keep", "agree", "conflict", "write", "skip", "SkipAction", "Untranslated", "Held", "ignored"}
"""Calls that take a reason, by the name of what is called."""


def literals(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def said(file: Path) -> Iterator[str]:
    """Words that are handed to a call that takes a reason."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for given in node.args if name in SAYS else ():
                if isinstance(given, ast.Constant) and isinstance(given.value, str) and given.value.isidentifier():
                    yield given.value


def test_every_published_word_is_used() -> None:
    used = set().union(*(literals(file) for file in FILES)) | {"left_wins", "right_wins"}
    assert sorted((ACTIONS.keys() | REASONS.keys()) - used) == []


def test_every_reason_that_the_code_gives_is_published() -> None:
    given = {word for file in FILES for word in said(file)}
    assert len(given) > 20
    assert sorted(given - REASONS.keys() - {"fatal", "halt"}) == []
