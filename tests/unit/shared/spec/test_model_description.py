"""Descriptions of models, as anybody may have written them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.model_description import ModelDescription, parse_description

GOOD: dict[str, Any] = {"format": 1, "method": "cin", "architecture": {"styles": 3}, "card": {"about": "a test"}}
# Fields of a description that cannot be read, or that no database and no JSON can hold.
BAD: tuple[dict[str, Any], ...] = (
    {"format": None},
    {"format": float("inf")},
    {"format": "1"},
    {"method": ["cin"]},
    {"architecture": []},
    {"architecture": {"styles": "many"}},
    {"architecture": {"styles": None}},
    {"architecture": {"levels": 5}},
    {"architecture": {"levels": "abc"}},
    {"architecture": {"levels": [{"level": "deep"}]}},
    {"architecture": {"levels": [{}]}},
    {"card": "a text"},
    {"card": [1]},
    {"card": {"loss": float("nan")}},
    {"card": {"about": "a\0b"}},
    {"card": {"about\0": "a"}},
    {"card": {"about": ["\ud800"]}},
    {"card": {"deep": json.loads("[" * 100 + "]" * 100)}},
)


def test_what_is_written_is_read_again() -> None:
    """Given a description, if it is written and read, I expect the same; without a card, an empty one."""
    described = ModelDescription("wct", {"levels": [{"level": 5}]}, {"losses": {"total": 0.5}})
    assert parse_description(json.dumps(described.document()), "a") == described
    assert parse_description(json.dumps({**GOOD, "card": None}), "a").card == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 100_000,
        json.dumps({**GOOD, "card": {"about": "x" * 1_000_000}}),
        *(json.dumps({**GOOD, **fields}) for fields in BAD),
        json.dumps(GOOD).replace("3", "1e999"),
        json.dumps(GOOD).replace("3", "9" * 5000),
    ],
)
def test_what_cannot_be_read_or_stored_is_refused(text: str) -> None:
    """Given JSON that is no description, or that no database and no JSON can hold, I expect one sentence."""
    with pytest.raises(InvalidRequest, match=r"^night\.safetensors is no model of stylefarm: its description cannot"):
        parse_description(text, "night.safetensors")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"format": 2, "architecture": ["of another form"]}, "night is of a later release of stylefarm: use that"),
        ({"method": "x" * 5000}, "night is a model of 'x{39}, which this release does not have: use a later release"),
    ],
)
def test_what_a_later_release_wrote_is_refused(fields: dict[str, Any], sentence: str) -> None:
    """Given a format or a method that this release does not know, I expect a short sentence that says so."""
    with pytest.raises(InvalidRequest, match=sentence):
        parse_description(json.dumps({**GOOD, **fields}), "night")
