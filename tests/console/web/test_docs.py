"""docs/rest-api.md and docs/egeria.md name every operation, with the role that it wants."""

from __future__ import annotations

import re
from pathlib import Path

from console.app import create_app
from console.auth import Tokens
from tests.console.web.served import Served
from tests.console.web.test_access import API, routes

DOCS = Path(__file__).parents[3] / "docs"


def test_the_table_of_operations_is_the_one_that_is_served() -> None:
    described = create_app(None, Tokens({})).openapi()["paths"]  # type: ignore[arg-type]
    rows = [
        f"| `{method} {path.removeprefix('/api/v1/')}` | {role.word if role else '–'} "
        f"| {described[path][method.lower()]['summary']} |"
        for (method, path), role in API.items()
        if path in described
    ]
    text = (DOCS / "rest-api.md").read_text()
    table = text.partition("<!-- begin operations -->")[2].partition("<!-- end operations -->")[0]
    assert table.strip().splitlines()[2:] == rows


def test_every_path_of_egeria_is_documented(served: Served) -> None:
    text = (DOCS / "egeria.md").read_text()
    last_words = {
        (method, re.sub(r"\{\w+\}$", "", path).rstrip("/").rpartition("/")[2])
        for method, path in routes(served)
        if path.startswith(("/open-metadata", "/servers"))
    }
    for method, word in last_words:
        assert re.search(rf"{method} [^|]*{re.escape(word)}|{re.escape(word)}`", text), (method, word)
