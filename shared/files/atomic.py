"""Atomic writes of results to local files, which replace a file only if asked to."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stylefarm.shared.errors import InvalidRequest, StorageFull

_FULL = (errno.ENOSPC, errno.EDQUOT)


def write_atomically(path: Path, data: bytes, *, force: bool) -> None:
    """Write `data` to `path` so that any reader finds the whole of it, or what was there before.

    The data go to a temporary file beside it, to the disk, and then to their name; the temporary file never stays
    behind. A symbolic link is followed. Permissions are those of the file that is overwritten, or else of any new file
    (0o666 less the umask).

    Args:
        path: a file in a folder that exists.
        data: the content.
        force: overwrite a file of that name; without it, not even one that appears in the meantime is overwritten.

    Raises:
        InvalidRequest: `path` exists (and no `force`), is not a file, or its folder is missing or not writable.
        StorageFull: the disk or the quota is full.
    """
    with _translated(path):
        target = _checked(path, force)
        with _temporary_beside(target) as (descriptor, temporary):
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if force:
                if target.exists():
                    temporary.chmod(stat.S_IMODE(target.stat().st_mode))
                temporary.replace(target)
            else:
                _name_exclusively(temporary, target)


def check_writable(path: Path, *, force: bool) -> None:
    """Check that `write_atomically(path, ..., force=force)` would work now, before hours of work; leave nothing.

    Raises:
        InvalidRequest, StorageFull: as `write_atomically`.
    """
    # Only creating a file tests permissions, access lists and read-only mounts together.
    with _translated(path), _temporary_beside(_checked(path, force)) as (descriptor, _):
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, unless it is there already.

    Raises:
        InvalidRequest: a file has its name, or it may not be created.
        StorageFull: the disk or the quota is full.
    """
    with _translated(path):
        if path.exists() and not path.is_dir():
            raise InvalidRequest(f"{path} is a file, not a folder: give another path")
        path.mkdir(parents=True, exist_ok=True)


def _checked(path: Path, force: bool) -> Path:
    """Return the file to write, behind any symbolic links."""
    target = Path(os.path.realpath(path))
    if target.is_symlink():  # all links have been followed, but for one that leads back to itself
        raise InvalidRequest(f"{path} is a link that leads back to itself: give another file")
    if target.is_dir():
        raise InvalidRequest(f"{path} is a folder: give the name of a file in it")
    if target.exists() and not target.is_file():
        raise InvalidRequest(f"{path} is a device or a pipe: give the name of a file")
    if target.exists() and not force:
        raise _already_there(path)
    if target.parent.exists() and not target.parent.is_dir():
        raise InvalidRequest(f"{path.parent} is a file, not a folder: give another path")
    if not target.parent.is_dir():
        missing = target.parent if path.is_symlink() else path.parent
        raise InvalidRequest(f"the folder {missing} does not exist: create it, or give another path")
    return target


def _already_there(path: Path) -> InvalidRequest:
    return InvalidRequest(f"{path} exists: give force=True to overwrite it, or another path", flag="force")


@contextmanager
def _temporary_beside(target: Path) -> Iterator[tuple[int, Path]]:
    """Open a new file in the folder of `target` for writing, and delete it afterwards unless it was renamed."""
    temporary = target.with_name(f".stylefarm-{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        yield descriptor, temporary
    finally:
        temporary.unlink(missing_ok=True)


def _name_exclusively(temporary: Path, target: Path) -> None:
    """Give the file its name, unless another file has it by now (FileExistsError)."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:
        # File systems without hard links (FAT, some network mounts): take the name with an empty file, then fill it.
        target.touch(exist_ok=False)
        temporary.replace(target)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise _already_there(path) from error
    except PermissionError as error:
        raise InvalidRequest(f"{path} cannot be written: you may not write to its folder; give another path") from error
    except (OSError, ValueError) as error:  # ValueError: a path that holds a null character
        if isinstance(error, OSError) and error.errno in _FULL:
            raise StorageFull(
                f"{path} cannot be written: the disk is full; free some space, or give another path"
            ) from error
        reason = getattr(error, "strerror", None) or error
        raise InvalidRequest(f"{str(path)!r} cannot be written ({reason}): give another path") from error
