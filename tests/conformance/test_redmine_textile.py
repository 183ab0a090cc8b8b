"""What Redmine holds as Textile is written and read as the contract has it: the chapters of the kit about texts."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from connectors.conformance import Subject
from connectors.conformance.comments import CommentRules
from connectors.conformance.texts import TextRules
from connectors.conformance.writing import WritingRules
from connectors.contract import ApiKey
from connectors.entity import RichText
from connectors.redmine import RedmineConfig, RedmineConnector
from connectors.rest import Http
from tests.systems.redmine import REDMINE, Server

pytestmark = REDMINE

ONE = RichText("# Steps\n1. **Open** the `page`\n2. see [this](https://example.com)\n\n> _so_\n\n```python\nx = 1\n```")
OTHER = RichText("- a\n  - b -c-\n\n| a | b |\n|:--|---|\n| ~~c~~ | h1. d |\n\n* * *\n<b>raw</b> @ada @home 2 * 3 * 4")


@pytest.fixture(scope="module")
def project(redmine: Server) -> str:
    return redmine.project()


class TestRedmineInTextile(WritingRules, TextRules, CommentRules):
    @pytest.fixture
    async def subject(self, redmine: Server, project: str) -> AsyncIterator[Subject]:
        settings = {"url": redmine.url, "credentials": {"api_key": redmine.api_key}, "text_format": "textile"}
        config = RedmineConfig.model_validate(settings)
        assert isinstance(config.credentials, ApiKey)
        connector, elsewhere = (RedmineConnector(config, Http(config)) for _ in range(2))
        yield Subject(
            connector,
            scope=project,
            entity_type="Bug",
            fields={"description": ONE},
            other_fields={"description": OTHER},
            elsewhere=elsewhere,
        )
        await connector.close()
        await elsewhere.close()
