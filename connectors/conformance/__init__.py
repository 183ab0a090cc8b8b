"""The conformance kit: what every connector promises, as tests. A new connector's test is a subclass with one fixture.

    class TestNotebook(ConnectorConformance):
        @pytest.fixture
        def subject(self, tmp_path):
            return Subject(Notebook(Notebook.Config(kind="my_notebook.Notebook", url=str(tmp_path / "n.json"))), "note")

Rule of this kit: nothing is skipped by name. What a connector need not do is told by the optional protocols that it
lacks and by its `limits`; every skip says its reason in words. Needs pytest and pytest-asyncio.
"""

from __future__ import annotations

try:
    import pytest
except ImportError as missing:
    raise ImportError("connectors.conformance needs pytest: pip install pytest pytest-asyncio") from missing

_CHAPTERS = ("subject", "reading", "changes", "writing", "texts", "comments", "abilities", "limits", "failures")
pytest.register_assert_rewrite(*(f"{__name__}.{chapter}" for chapter in _CHAPTERS))

from connectors.conformance.abilities import AbilityRules  # noqa: E402
from connectors.conformance.changes import ChangesRules  # noqa: E402
from connectors.conformance.comments import CommentRules  # noqa: E402
from connectors.conformance.failures import FailureRules  # noqa: E402
from connectors.conformance.limits import LimitRules  # noqa: E402
from connectors.conformance.reading import ReadingRules  # noqa: E402
from connectors.conformance.subject import Subject  # noqa: E402
from connectors.conformance.texts import TextRules  # noqa: E402
from connectors.conformance.writing import WritingRules  # noqa: E402

__all__ = ["ConnectorConformance", "Subject"]


class ConnectorConformance(
    ReadingRules, ChangesRules, WritingRules, TextRules, CommentRules, AbilityRules, LimitRules, FailureRules
):
    """Every rule of the kit. Subclass it as `Test…` and give it the fixture `subject`."""

    pytestmark = pytest.mark.asyncio
