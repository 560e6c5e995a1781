"""Copies photographs of scikit-image into a folder, to render from: astronaut, chelsea (a cat), coffee and rocket.

python -m examples.photographs -o photographs
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from examples.embedded import photographs

NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")


def main() -> None:
    """Copies, and names the files that were written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("photographs"), metavar="DIR")
    folder = parser.parse_args().output
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            print(shutil.copyfile(photographs() / name, folder / name))
    except OSError as error:
        sys.exit(f"cannot write into {folder}: {error.strerror or error}")


if __name__ == "__main__":
    main()
