"""Pictures and sweep files on standard input, and pictures on standard output: what `-` stands for."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stylefarm.producer.grids.pictures import PATHS
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.settings import load_settings

STANDARD = "-"
# What a picture from standard input is called in messages, in lists and in its own metadata.
NAME = "stdin"


@contextmanager
def pictures_read(parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Read standard input if it is one of the pictures, and provide the parameters with a file in its place.

    Raises:
        InvalidRequest: standard input is a terminal, or has more bytes than a picture may have.
    """
    named = {name for name, value in parameters.items() if name in PATHS and _is_standard(value)}
    if not named:
        yield dict(parameters)
        return
    data = read_standard_input(load_settings().max_bytes, "a picture")
    with tempfile.TemporaryDirectory(prefix="stylefarm-") as folder:
        file = Path(folder, NAME)
        file.write_bytes(data)
        yield {name: _replaced(value, str(file)) if name in named else value for name, value in parameters.items()}


def read_standard_input(most_bytes: int, what: str) -> bytes:
    """Return what is on standard input. Raises InvalidRequest if it is a terminal, or more than so many bytes."""
    if sys.stdin.isatty():
        raise InvalidRequest(f"{STANDARD} is standard input, which is a terminal here: pipe {what} into the command")
    data = sys.stdin.buffer.read(most_bytes + 1)
    if not data:
        raise InvalidRequest(f"standard input is empty: pipe {what} into the command")
    if len(data) > most_bytes:
        raise InvalidRequest(f"standard input has more than {most_bytes:,} bytes, and {what} may not")
    return data


def check_standard_output(*, as_json: bool) -> None:
    """Check that a picture can be written to standard output. Raises InvalidRequest."""
    if as_json:
        raise InvalidRequest(f"-o {STANDARD} and --json both write to standard output: give one of the two")
    if sys.stdout.isatty():
        raise InvalidRequest(f"-o {STANDARD} writes the picture to standard output, which is a terminal: redirect it")


def write_standard_output(data: bytes) -> None:
    """Write a picture to standard output."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _is_standard(value: Any) -> bool:
    return value == STANDARD if isinstance(value, str) else STANDARD in (value or ())


def _replaced(value: Any, path: str) -> Any:
    return path if isinstance(value, str) else [path if name == STANDARD else name for name in value]
