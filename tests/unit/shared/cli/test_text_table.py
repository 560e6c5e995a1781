"""What tables look like on terminals."""

from __future__ import annotations

import pytest

from stylefarm.shared.cli.console import print_table

COLUMNS = ("job", "style", "state", "error")
ROWS = [
    ("01d2654f", "starry-night.jpg", "failed", "it is empty: check that it was copied to its end"),
    ("8a3e11c0", "waves.jpg", "done", ""),
]


def shown(width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of the table on a terminal of that width, without blanks at their ends."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(COLUMNS, ROWS)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("width", range(10, 120, 5))
def test_nothing_is_cut_or_broken(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a terminal of any width, if a table is shown on it, I expect every word of it whole."""
    words = " ".join(shown(width, monkeypatch, capsys)).split()
    for row in ROWS:
        for cell in row:
            assert set(cell.split()) <= set(words)


def test_prose_is_wrapped_beside_the_other_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a terminal that has room for all but a sentence, I expect the sentence on several lines of its column."""
    assert shown(60, monkeypatch, capsys) == [
        "job       style             state   error",
        "01d2654f  starry-night.jpg  failed  it is empty: check that",
        "                                    it was copied to its end",
        "8a3e11c0  waves.jpg         done",
    ]


def test_a_row_is_a_block_where_columns_have_no_room(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a terminal that the columns have no room on, I expect the name and the value of each cell on a line."""
    assert shown(30, monkeypatch, capsys) == [
        "job    01d2654f",
        "style  starry-night.jpg",
        "state  failed",
        "error  it is empty: check that it was copied to its end",
        "",
        "job    8a3e11c0",
        "style  waves.jpg",
        "state  done",
    ]
