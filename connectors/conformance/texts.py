"""Texts arrive whole, in every script and length."""

from __future__ import annotations

import pytest

from connectors.conformance.subject import Subject, as_text
from connectors.entity import normal_text
from connectors.schema import FieldType

TEXTS = {
    "emoji": "Deployed 🚀 by 👩‍👩‍👧‍👦, reviewed 👍🏽",
    "combining marks": "Cafe\u0301 de\u0301ja\u0300 vu",
    "right to left": "שלום עולם, مرحبا بالعالم",
    "beyond the basic plane": "𝒜𝓈𝓉𝓇𝒶𝓁 𐍈 𠜎",
    "cjk": "統合の検証，完成。한국어도",
    "quotes and signs": 'It\'s 100 % "sure" & 5 > 3; C:\\path?a=b&c=d+e',
}
LINES = {
    "CRLF": "first\r\nsecond\r\n\r\nthird",
    "outer blanks": "\n\n  first\nsecond  \n\n",
    "one line": "only",
}
LONG = 32_000


class TextRules:
    """Unicode, line ends and length."""

    @pytest.mark.parametrize("kind", TEXTS)
    async def test_plain_text_of_any_script_arrives_unchanged(self, subject: Subject, kind: str) -> None:
        field = await subject.text_field()
        text = as_text(field, TEXTS[kind])
        made = await subject.make(**{field.name: text})
        subject.assert_holds(await subject.now(made.ref), {field.name: text})

    @pytest.mark.parametrize("kind", TEXTS)
    async def test_rich_text_of_any_script_arrives_unchanged(self, subject: Subject, kind: str) -> None:
        await self._arrives(subject, TEXTS[kind])

    @pytest.mark.parametrize("kind", LINES)
    async def test_lines_arrive_whatever_ends_them(self, subject: Subject, kind: str) -> None:
        await self._arrives(subject, LINES[kind])

    async def test_a_text_of_32_kilobytes_arrives_whole(self, subject: Subject) -> None:
        """A field that holds less says so in its `max_length`."""
        line = "A line of a long text, café 🚀.\n\n"
        await self._arrives(subject, line * (LONG // len(line)))

    async def test_a_field_takes_as_many_characters_as_it_says(self, subject: Subject) -> None:
        fields = [f for f in await subject.writable(FieldType.TEXT, FieldType.RICH_TEXT) if f.max_length]
        if not fields:
            pytest.skip("no text field has a limit")
        for field in fields:
            text = as_text(field, "é" * (field.max_length or 0))
            made = await subject.make(**{field.name: text})
            subject.assert_holds(await subject.now(made.ref), {field.name: text})

    async def _arrives(self, subject: Subject, text: str) -> None:
        fields = await subject.writable(FieldType.RICH_TEXT)
        if not fields:
            pytest.skip("no rich text field can be written on create and on update")
        for field in fields:
            value = as_text(field, normal_text(text)[: field.max_length] if field.max_length else text)
            made = await subject.make(**{field.name: value})
            subject.assert_holds(made, {field.name: value})
            now = await subject.now(made.ref)
            subject.assert_holds(now, {field.name: value})
            updated = await subject.connector.update(now, {field.name: value}, expected=now.version)
            subject.assert_holds(updated, {field.name: value})
