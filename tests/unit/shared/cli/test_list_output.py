"""Lists are printed as the user wants them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylefarm.shared.cli.list_output import Item, ListOutput
from stylefarm.shared.errors import InvalidRequest

ENTRIES: Sequence[Mapping[str, Any]] = (
    {"id": "one", "loss": 2.0, "metrics": {"ssim": 0.25}, "tags": []},
    {"id": "two", "loss": None, "metrics": {}, "tags": []},
    {"id": "three", "loss": 0.5, "metrics": {"ssim": 0.5}, "tags": []},
)


def items(*entries: Mapping[str, Any]) -> list[Item]:
    return [Item(entry, (entry["id"], ",".join(entry.get("tags", [])))) for entry in entries]


def shown(output: ListOutput, capsys: pytest.CaptureFixture[str], limit: int | None = None) -> str:
    output.show("jobs", ("job", "tags"), lambda: items(*ENTRIES), limit)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("output", "limit", "expected"),
    [
        (ListOutput(form="ids"), None, "one\ntwo\nthree\n"),
        (ListOutput(form="ids", sort="loss"), None, "three\none\ntwo\n"),
        (ListOutput(form="ids", sort="-loss"), 2, "one\nthree\n"),
        (ListOutput(form="ids", sort="metrics.ssim"), 1, "one\n"),
        (ListOutput(form="ids", sort="id"), None, "one\nthree\ntwo\n"),
        (ListOutput(form="jsonl", fields=("id", "metrics.ssim")), 1, '{"id": "one", "metrics.ssim": 0.25}\n'),
        (ListOutput(template="{id}: {loss:.1f} {metrics.ssim:>5.2f}|"), 2, "one: 2.0  0.25|\ntwo:  |\n"),
        (ListOutput(template=r"{{{id}}}\n-"), 1, "{one}\n-\n"),
        (ListOutput(), None, "job\none\ntwo\nthree\n"),
    ],
)
def test_the_form_of_a_list(
    output: ListOutput, limit: int | None, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given three entries, if they are sorted, cut, or printed by fields or a template, I expect these lines."""
    assert shown(output, capsys, limit) == expected


def test_fields_alone_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Given fields and no other form, I expect one JSON object with these."""
    document = json.loads(shown(ListOutput(fields=("loss",)), capsys))
    assert document["jobs"] == [{"loss": 2.0}, {"loss": None}, {"loss": 0.5}]


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (ListOutput(sort="-los"), "there is no field 'los': did you mean 'loss'?"),
        (ListOutput(fields=("metric.ssim",)), "there is no field 'metric': did you mean 'metrics'?"),
        (ListOutput(template="{}"), "there is no field '0'; known are id"),
        (ListOutput(template="{id.__class__.__mro__}{__class__}"), "there is no field '__class__'"),
        (ListOutput(template="{id[0]}"), "there is no field 'id[0]'"),
        (ListOutput(template="{id"), "cannot be filled in: expected '}'"),
        (ListOutput(template="{loss:s}"), "cannot be filled in: Unknown format code"),
        (ListOutput(template="{id:>999999999}"), "cannot be filled in: a field has at most 10,000 letters"),
        (ListOutput(template="{loss:.99999999999999999999f}"), "a field has at most 10,000 letters"),
        (ListOutput(template="{metrics.ssim:{loss:.0f}0000}"), "a field has at most 10,000 letters"),
    ],
)
def test_what_cannot_be_printed_is_told(output: ListOutput, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a field that is not there, or a template that is none or reaches for more, I expect a sentence."""
    with pytest.raises(InvalidRequest) as refused:
        shown(output, capsys)
    assert sentence in str(refused.value)


@given(st.lists(st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), st.text(), st.booleans())))
def test_anything_can_be_sorted(values: list[Any]) -> None:
    """Given values of any kinds, if a list is sorted by them, I expect the same entries, those without value last."""
    entries = items(*({"id": str(number), "value": value} for number, value in enumerate(values)))
    for sort in ("value", "-value"):
        found = ListOutput(sort=sort)._sorted(entries)
        assert sorted(map(str, found)) == sorted(map(str, entries))
        missing = [item.entry["value"] is None for item in found]
        assert missing == sorted(missing)


def test_a_list_is_followed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a list that is followed, if an entry changes and another comes, I expect what is new of it, and nothing
    while it stays as it is."""
    first, later = items(ENTRIES[0]), items({**ENTRIES[0], "loss": 1.0}, ENTRIES[2])
    looks = [first, first, later, later]

    def pause(_seconds: float) -> None:
        if not looks:
            raise KeyboardInterrupt

    monkeypatch.setattr("stylefarm.shared.cli.list_output.time.sleep", pause)
    with pytest.raises(KeyboardInterrupt):
        ListOutput(template="{id} {loss}", follow=True).show("jobs", ("job", "tags"), lambda: looks.pop(0))
    assert capsys.readouterr().out == "one 2.0\none 1.0\nthree 0.5\n"
