"""Files that a person wrote, such as settings and sweeps: looked at before they are read, so that each has an end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from stylefarm.shared.errors import InvalidRequest


def read_small(path: Path, most_bytes: int) -> bytes:
    """Return what is in a file that a person wrote.

    Args:
        path: where it is.
        most_bytes: the largest size.

    Raises:
        InvalidRequest: it is larger, or a pipe or a device, which may never end.
        OSError: it cannot be read.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "cats.yaml").write_bytes(b"matrix: {seed: [1, 2]}")
        ...     read_small(Path(folder, "cats.yaml"), 1000)
        b'matrix: {seed: [1, 2]}'
    """
    check_ends(path)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = b"" if size > most_bytes else file.read(size or most_bytes + 1)  # the kernel's own files have no size
    if max(size, len(data)) > most_bytes:
        raise InvalidRequest(f"{path} has more than {most_bytes:,} bytes: check the path, or make it smaller")
    return data


def check_ends(path: Path) -> None:
    """Check that a file has an end: opening a pipe waits for somebody who writes, and a device may give for ever.

    Args:
        path: where it is; whether something is there is not checked.

    Raises:
        InvalidRequest: it is a pipe, a socket or a device.
        OSError: it is not there.
        ValueError: there can be no such path.

    Example:
        >>> check_ends(Path("/dev/zero"))
        Traceback (most recent call last):
        stylefarm.shared.errors.InvalidRequest: /dev/zero is a pipe or a device: give the path of a file
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise InvalidRequest(f"{path} is a pipe or a device: give the path of a file")
