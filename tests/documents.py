"""The code blocks of the README and of the pages in docs/, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import REPOSITORY

PAGES = (REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md")))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INNER = re.compile(r"\$\((.*)\)$")
OPERATORS = "();<>|&\n"
ASSIGNMENT = re.compile(r"[A-Z_]+=")


@dataclass(frozen=True)
class Block:
    """A code block of a page, with the language that it names and the line that it begins at."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """Where it is, for people."""
        return f"{self.page.name}:{self.line}"


def blocks(page: Path, language: str) -> list[Block]:
    """Return the blocks of a language on a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2])
        for found in BLOCK.finditer(text)
        if found[1] == language
    ]


def console_lines(text: str) -> Iterator[str]:
    """Yield what is typed in a console block: from a prompt on, over lines that a backslash or a quote continues."""
    typed: list[str] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            if typed:
                yield "\n".join(typed)
            typed = [line.removeprefix("$ ")]
        elif typed and (line.startswith("> ") or typed[-1].endswith("\\") or "\n".join(typed).count('"') % 2):
            typed.append(line.removeprefix("> "))
    if typed:
        yield "\n".join(typed)


def programs(line: str) -> Iterator[list[str]]:
    """Yield the words of each program that a line of the shell starts, those of `$(...)` too.

    Example:
        >>> list(programs("a=$(stylefarm job list -q) && A=1 jq .id < b  # all"))
        [['stylefarm', 'job', 'list', '-q'], ['jq', '.id']]
    """
    lexer = shlex.shlex(line.replace("\\\n", " "), posix=True, punctuation_chars=OPERATORS)
    lexer.commenters, lexer.whitespace, lexer.whitespace_split = "#", " \t", True
    words: list[str] = []
    target = False
    for token in [*lexer, ";"]:
        if set(token) <= set(OPERATORS):
            if words and "<" not in token and ">" not in token:
                yield from _started(words)
                words = []
            target = "<" in token or ">" in token
        elif target:
            target = False
        else:
            words.append(token)


def _started(words: Sequence[str]) -> Iterator[list[str]]:
    for word in words:
        if inner := INNER.match(word):
            yield from programs(inner[1])
    rest = list(words)
    while rest and (ASSIGNMENT.match(rest[0]) or rest[0].endswith("=$")):
        del rest[0]
    if rest[:1] == ["xargs"]:
        # What it reads becomes the last argument.
        rest = [*rest[3 if rest[1] == "-n" else 1 :], "@last"]
    if rest:
        yield rest
