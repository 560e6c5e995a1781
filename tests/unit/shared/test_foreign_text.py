"""Text of others on a terminal, in tables, and in encodings that lack its letters."""

from __future__ import annotations

import csv
import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylefarm.shared.foreign_text import LEGIBLE, csv_cell, json_text, markdown, one_line

ANY_TEXT = st.text(st.characters(categories=None), max_size=40)
COMMANDS = ["\x1b[31m", "\x1b]0;title\x07", "\x9b31m", "\x9d0;title\x9c", "a\nb", "a\r", "\x7f", "\u2028", "\u202egpj"]


@pytest.mark.parametrize("text", COMMANDS)
def test_a_command_to_a_terminal_is_shown(text: str) -> None:
    """Given a text with a command to a terminal, if it is shown, I expect an escape in place of the command."""
    shown = one_line(text)
    assert shown.isprintable()
    assert "\\" in shown


@given(ANY_TEXT)
def test_no_text_is_obeyed(text: str) -> None:
    """Given any text, if it goes through the door, I expect no control letters, and that texts stay what they were."""
    shown = one_line(text)
    assert not {unicodedata.category(letter) for letter in shown} & {"Cc", "Cs", "Zl", "Zp"}
    if text.isprintable() and not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert shown == text
    written = json_text(json.dumps({"name": text}, ensure_ascii=False))
    assert json.loads(written) == {"name": text}
    assert one_line(written) == written


@given(ANY_TEXT)
def test_no_cell_is_computed(text: str) -> None:
    """Given any text, if it is a cell of a CSV file, I expect no formula, and one row."""
    file = io.StringIO(newline="")
    csv.writer(file).writerow([csv_cell(text)])
    ((cell,),) = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert "\n" not in cell
    try:
        float(cell)
    except ValueError:
        assert cell.lstrip()[:1] not in {"=", "+", "-", "@"}


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+1+cmd|' /C calc'!A0", "-2+3", " =1", "\t=1"])
def test_formulas_are_text(text: str) -> None:
    """Given a text that a spreadsheet would compute, if it is a cell, I expect an apostrophe before it."""
    assert csv_cell(text).startswith("'")


@given(ANY_TEXT)
def test_no_tag_in_markdown(text: str) -> None:
    """Given any text, if it stands in Markdown, I expect neither a tag nor the end of a cell or a line."""
    shown = markdown(text)
    assert "<" not in shown
    assert "\n" not in shown
    assert shown.count("|") == shown.count("\\|") == text.count("|")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "koi8-r", "cp1252", "shift_jis"])
@given(text=ANY_TEXT)
def test_every_encoding_takes_every_text(text: str, encoding: str) -> None:
    """Given an encoding of few letters, if any text is written in it, I expect no error."""
    text.encode(encoding, LEGIBLE)


@pytest.mark.parametrize(("text", "written"), [("64 × 48…", b"64 x 48..."), ("café", b"cafe"), ("波", b"\\u6ce2")])
def test_missing_letters_are_legible(text: str, written: bytes) -> None:
    """Given letters that an encoding lacks, if they are written, I expect what is similar, or else an escape."""
    assert text.encode("ascii", LEGIBLE) == written
