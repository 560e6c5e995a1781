"""Draws plates, and writes them as PNG files into a folder."""

from __future__ import annotations

import argparse
import io
import re
import sys
from pathlib import Path
from typing import NoReturn

from examples.plates import PLATES, draw

# Smaller, nothing is to be seen; larger, the memory of most machines is too small.
SIZES = range(16, 4097)


def main(arguments: list[str] | None = None) -> None:
    """Draws what is asked for, and names the files that were written."""
    options = _parser().parse_args(arguments)
    wrong = [name for name in options.names if name not in PLATES]
    if wrong:
        _fail(f"there is no plate {wrong[0]}: choose from {', '.join(PLATES)}")
    for name in dict.fromkeys(options.names or PLATES):
        try:
            print(_written(name, options.size, options.seed, options.output))
        except OSError as error:
            _fail(f"cannot write {options.output / name}.png: {error.strerror or error}")


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in a sentence, without the usage."""

    def error(self, message: str) -> NoReturn:
        _fail(message)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m examples.plates", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(PLATES)}  [all]")
    parser.add_argument("--size", type=_size, default=(768, 768), metavar="WxH", help="pixels, or N for NxN  [768]")
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="of what is left to chance  [0]")
    parser.add_argument("-o", "--output", type=Path, default=Path("plates"), metavar="DIR", help="folder  [plates]")
    return parser


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,9})(?:x([0-9]{1,9}))?", text)
    size = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not all(side in SIZES for side in size):
        raise argparse.ArgumentTypeError(f"{text}: expected N or WxH, each from {SIZES[0]} to {SIZES[-1]}")
    return size


def _seed(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number from 0")
    return int(text)


def _written(name: str, size: tuple[int, int], seed: int, folder: Path) -> Path:
    """Draws a plate, and writes it whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path, part = folder / f"{name}.png", folder / f".{name}.png.part"
    data = io.BytesIO()
    try:
        part.touch()  # fails before the drawing, not after it
        draw(name, *size, seed).save(data, "PNG")
        part.write_bytes(data.getvalue())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _fail(sentence: str) -> NoReturn:
    print(f"python -m examples.plates: {sentence}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
