"""The door for text that others wrote: names, values, file names, names of workers, errors.

Whatever of it goes to a terminal, a line of a log, a table in CSV or Markdown passes through here, so that it can only
be read there: it moves no cursor, sets no title, begins no formula and no tag.
"""

from __future__ import annotations

import codecs
import html
import re
import unicodedata
from typing import Any

# C0 and C1, which a terminal takes for commands; the ends of a line and a paragraph; the marks that turn the direction
# of what follows, so that it reads as something else; and halves of a pair, which stand for bytes that are no UTF-8.
_UNFIT = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_UNFIT_LETTER = re.compile(f"[{_UNFIT}]")
# As above; JSON escapes C0 itself, and its own line ends stay.
_UNFIT_IN_JSON = re.compile(f"[{_UNFIT}]".replace(r"\x00-\x1f", ""))

# A spreadsheet takes a cell that begins with one of these for a formula, after blanks, too.
_FORMULA = re.compile(r"\s*[=+\-@\t\r＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")

# What Markdown reads as its own; an underscore within a word is none.
_MARKUP = re.compile(r"([\\`*\[\]|~#!]|(?<![^\W_])_|_(?![^\W_]))")

# What stands for letters of our own messages where an encoding lacks them.
_SIMILAR = {"×": "x", "…": "...", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "→": "->", "·": "-"}
LEGIBLE = "stylefarm.legible"
"""The name of the error handler that writes something similar for letters that an encoding lacks."""


def one_line(text: object) -> str:
    r"""Return a text as one line that a terminal shows and does not obey.

    Args:
        text: of anybody; what is no text is made one.

    Returns:
        The text, with an escape such as \x1b or \n for each letter that would be a command.

    Example:
        >>> print(one_line("cats\x1b[31m\n"))
        cats\x1b[31m\n
    """
    return _UNFIT_LETTER.sub(lambda found: _escape(found[0]), str(text))


def json_text(text: str) -> str:
    r"""Return JSON with escapes for the letters that a terminal would obey, which mean the same to a program.

    Args:
        text: JSON.

    Example:
        >>> print(json_text('{"name": "cats\x9b31m"}'))
        {"name": "cats\u009b31m"}
    """
    return _UNFIT_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def csv_cell(value: Any) -> Any:
    """Return what stands in a cell of a CSV file for a value: a number as it is, and no text that begins a formula.

    Args:
        value: of anybody.

    Returns:
        The value; a text on one line, after an apostrophe where a spreadsheet would compute it.

    Example:
        >>> csv_cell("=1+1"), csv_cell("cat.jpg"), csv_cell(-0.5), csv_cell("-0.5")
        ("'=1+1", 'cat.jpg', -0.5, '-0.5')
    """
    if not isinstance(value, str):
        return value
    computed = _FORMULA.match(value) and not _NUMBER.fullmatch(value)
    return one_line(f"'{value}" if computed else value)


def markdown(text: object) -> str:
    r"""Return a text as Markdown that shows it as it is, in a line or a cell of a table: no tags, links or emphasis.

    Args:
        text: of anybody.

    Example:
        >>> print(markdown("<b>style_weight</b> | *1*"))
        &lt;b&gt;style_weight&lt;/b&gt; \| \*1\*
    """
    return _MARKUP.sub(r"\\\1", html.escape(one_line(text), quote=False))


def _escape(letter: str) -> str:
    number = ord(letter)
    if 0xDC80 <= number <= 0xDCFF:  # a byte of a file name that is no UTF-8, as Python keeps it
        return f"\\x{number - 0xDC00:02x}"
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")


def _legible(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_similar, error.object[error.start : error.end])), error.end


def _similar(letter: str) -> str:
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode("ascii")
    return _SIMILAR.get(letter) or plain or _escape(letter)


codecs.register_error(LEGIBLE, _legible)
