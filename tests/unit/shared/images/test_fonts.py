"""Letters of any script, whatever fonts a machine has."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from stylefarm.shared.images import fonts
from tests.unit.fonts import font_with, machine_with

JAPANESE, KOREAN, HINDI = "神奈川", "한국", "हिन्दी"

Machine = Callable[[dict[str, str]], list[Path]]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Sets up a machine that has fonts of these names with these letters, and no others."""
    with ExitStack() as stack:

        def set_up(letters: dict[str, str]) -> list[Path]:
            paths = [font_with(tmp_path / name, known) for name, known in letters.items()]
            stack.enter_context(machine_with(paths))
            return paths

        yield set_up


def test_a_font_of_the_machine_is_found(machine: Machine) -> None:
    """Given fonts for two scripts, I expect each word in the one that has it, and the rest in our own."""
    japanese, korean = machine({"NotoSansJP-Regular.ttf": JAPANESE, "Nanum.ttf": KOREAN})
    assert fonts.runs(f"in {JAPANESE} 2, {KOREAN}") == [
        ("in ", fonts.own_font()),
        (f"{JAPANESE} ", japanese),
        ("2, ", fonts.own_font()),
        (KOREAN, korean),
    ]
    assert fonts.legible(JAPANESE) == JAPANESE


def test_the_font_that_suits_text_is_taken(machine: Machine) -> None:
    """Given bold, serif and slanted fonts beside a plain one, and one that cannot be read, I expect the plain one."""
    *others, plain = machine(
        {
            "ASerif-Regular.ttf": JAPANESE,
            "ASans-BoldItalic.ttf": JAPANESE,
            "LastResort.ttf": JAPANESE,
            "Broken.ttf": JAPANESE,
            "Plain-Regular.ttf": JAPANESE,
        }
    )
    others[-1].write_bytes(b"no font")
    assert fonts.font_of(JAPANESE) == plain


def test_one_font_for_a_word(machine: Machine) -> None:
    """Given a font with one letter of a word, and one with all of them, I expect the whole word in the second."""
    _, whole = machine({"A.ttf": JAPANESE[0], "B.ttf": JAPANESE})
    assert fonts.runs(JAPANESE) == [(JAPANESE, whole)]


@pytest.mark.parametrize(
    ("text", "written"), [(JAPANESE, "ShenNaiChuan"), (KOREAN, "HanGug"), (f"a {JAPANESE[0]}", "a Shen"), ("Ł", "Ł")]
)
def test_without_a_font_letters_are_latin(machine: Machine, text: str, written: str) -> None:
    """Given a machine without fonts, I expect what the letters sound like, and those of our own font as they are."""
    machine({})
    assert fonts.legible(text) == written
    assert {font for _, font in fonts.runs(text)} == {fonts.own_font()}


def test_accents_stay_with_their_letters(machine: Machine) -> None:
    """Given Hindi, whose vowels are marks, I expect one piece where there is a font, and ASCII where there is none."""
    (hindi,) = machine({"Devanagari.ttf": HINDI})
    assert fonts.runs(HINDI) == [(HINDI, hindi)]
    machine({})
    assert fonts.legible(HINDI).isascii()


def test_without_the_table_of_sounds_letters_are_escapes(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no package with the sounds of letters, or a letter that has none, I expect its code."""
    machine({})
    assert fonts.legible("\ue000") == "\\ue000"
    monkeypatch.setitem(sys.modules, "anyascii", None)
    assert fonts.legible(JAPANESE) == "\\u795e\\u5948\\u5ddd"
