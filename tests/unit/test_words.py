"""What the sentences of the Python API speak of."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stylefarm.shared.errors import InvalidRequest
from tests import REPOSITORY

# Packages whose errors a Python program can meet; those of the command line and of worker machines name options.
API = (
    "producer/client",
    "producer/backends",
    "producer/backends/remote",
    "producer/reports",
    "producer/sheets",
    "producer/charts",
    "producer/submission",
    "producer/grids",
    "shared/files",
)
FILES = [path for folder in API for path in sorted((REPOSITORY / folder).glob("*.py"))]


def raised_texts(path: Path) -> Iterator[str]:
    """The literal parts of what is raised in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.startswith("Invalid"):
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_errors_of_python_name_no_options(path: Path) -> None:
    """Given what a Python program may be told, I expect no options of the command line in it."""
    for text in raised_texts(path):
        assert not re.search(r"(^|\s)-(o|-[a-z][a-z-]+)\b", text), text


def test_the_command_line_names_its_own_option() -> None:
    """Given an error that names an argument, if the command line tells it, I expect its option, and names untouched."""
    error = InvalidRequest("skip_bad=True.png is bad: leave it out with skip_bad=True", flag="skip_bad")
    assert str(error).endswith("with skip_bad=True")
    assert error.on_command_line == "skip_bad=True.png is bad: leave it out with --skip-bad"
