"""Law: what the codec writes as JSON, it reads back equal, labels and originals included."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from connectors.entity import Choice, Ref, RichText, Url, UserRef
from ledger import codec
from mappings.config import Side
from mappings.merge import Held, RowState

words = st.text(max_size=20)
maybe = st.none() | words
scalars = (
    st.none()
    | words
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False).map(Decimal)
    | st.dates()
    | st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(fold=0))
    | st.builds(RichText, words, maybe)
    | st.builds(Choice, words, maybe)
    | st.builds(UserRef, words, maybe, maybe, maybe)
    | st.builds(Ref, words, words, maybe)
    | st.builds(Url, words, maybe)
)
values = scalars | st.lists(scalars, max_size=3).map(tuple)
sides = st.sampled_from(Side)
helds = st.builds(Held, sides, values, words, words, words)
states = st.builds(
    RowState, values, values, sides, st.none() | helds, st.booleans(), words, st.integers(min_value=0, max_value=9)
)


@given(states)
def test_the_state_of_a_row_comes_back_equal(state: RowState) -> None:
    back = codec.state_from(json.loads(json.dumps(codec.state_json(state))))
    assert back == state
    assert repr(back) == repr(state)


def test_every_field_of_the_state_of_a_row_is_tried_above() -> None:
    """A new field of RowState or Held must be written too; this says so to whoever adds one."""
    assert [field.name for field in fields(RowState)] == [
        "left",
        "right",
        "origin",
        "held",
        "known",
        "fingerprint",
        "bounces",
    ]
    assert [field.name for field in fields(Held)] == ["side", "value", "code", "reason", "fingerprint"]


def test_defaults_take_no_space() -> None:
    assert codec.state_json(RowState("a", "b")) == {"left": "a", "right": "b"}
