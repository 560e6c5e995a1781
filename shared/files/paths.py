"""The files and folders that a user names: one meaning for each text, wherever it is written."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from stylefarm.shared.errors import InvalidRequest

# What is followed by a path and yet is no home folder: ~til.png, ~$lock.jpg.
_HOME = re.compile(r"~[^/]*/|~$")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
ANYWHERE = "**"

# A pattern that looks at more than this is most likely a mistake.
MOST_ENTRIES = 200_000


def located(text: str, folder: Path = Path()) -> Path:
    """Return the path that a user means.

    Args:
        text: what the user wrote: a path, relative to `folder`; ~/ and ~name/ are home folders, unless there is a file
            or a folder that is called so.
        folder: what relative paths are relative to.

    Returns:
        The path; whether something is there is not said.

    Example:
        >>> located("~til.png", Path("photos")).as_posix()
        'photos/~til.png'
    """
    path = folder / text
    if _HOME.match(text) and not is_there(folder / text.partition("/")[0]):
        try:
            return Path(text).expanduser()
        except RuntimeError:  # nobody is called so
            return path
    return path


def written(path: Path) -> str:
    """Return a text that `located` takes for the path again, whatever its name begins with.

    Args:
        path: absolute, or relative to the current folder.

    Example:
        >>> written(Path("cat.jpg")), written(Path("~/cat.jpg")), written(Path("sha256:1f"))
        ('cat.jpg', './~/cat.jpg', './sha256:1f')
    """
    text = str(path)
    begins_otherwise = text.startswith("~") or any(":" in part for part in path.parts[:1])
    return f"./{text}" if begins_otherwise else text


def is_url(text: str) -> bool:
    """Return whether a text is an address in a network, and no file is called so.

    Args:
        text: what a user gave for a path.

    Example:
        >>> is_url("https://example.org/cat.jpg"), is_url("cat.jpg"), is_url("C:/cat.jpg")
        (True, False, False)
    """
    return bool(_URL.match(text)) and not is_there(Path(text))


def is_there(path: Path) -> bool:
    r"""Return whether there is something at a path; False of one that cannot be.

    Args:
        path: of any text.

    Example:
        >>> is_there(Path.cwd()), is_there(Path("cats\0")), is_there(Path("x" * 5000))
        (True, False, False)
    """
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, or with a null character
        return False


def is_folder(path: Path) -> bool:
    r"""Return whether there is a folder at a path; False of one that cannot be.

    Args:
        path: of any text.

    Example:
        >>> is_folder(Path.cwd()), is_folder(Path("cats\0"))
        (True, False)
    """
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def split_names(text: str, folder: Path = Path()) -> list[str]:
    """Split a list of names at its commas, but for those within a name that is there, and within quotes.

    Args:
        text: names, as a user gives them to an option.
        folder: what they are relative to.

    Returns:
        The names, without blanks around them unless a file is called so.

    Example:
        >>> split_names('cat.jpg, "one, two.jpg"')
        ['cat.jpg', 'one, two.jpg']
    """
    if is_there(located(text, folder)):
        return [text]
    parts, names = text.split(","), []
    while parts:
        length = _length(parts, folder)
        name = ",".join(parts[:length])
        del parts[:length]
        names.append(name if is_there(located(name, folder)) else _unquoted(name.strip()))
    return names


def _length(parts: list[str], folder: Path) -> int:
    """Return how many of the first parts make one name."""
    joined = ""
    for number, part in enumerate(parts, 1):
        joined = part if number == 1 else f"{joined},{part}"
        plain = joined.strip()
        if plain and (_is_quoted(plain) or any(is_there(located(name, folder)) for name in (joined, plain))):
            return number
    return 1


def _is_quoted(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"


def _unquoted(text: str) -> str:
    return text[1:-1] if _is_quoted(text) else text


def matching(pattern: str, folder: Path = Path()) -> list[Path]:
    """Return the files that a pattern means, sorted.

    As in a shell, * and ? match within a name, [...] one letter of several, and ** any folders, none included; none of
    them matches a dot at the beginning. A folder is looked at once, however many links lead to it.

    Args:
        pattern: relative to `folder`, or absolute.
        folder: what the pattern is relative to.

    Returns:
        The paths of files, each once.

    Raises:
        InvalidRequest: there are more entries than a pattern may look at.

    Example:
        >>> matching("shared/f*s/pat?s.py")
        [PosixPath('shared/files/paths.py')]
    """
    start = located(pattern, folder)
    parts = Path(pattern).parts if start == folder / pattern and not start.is_absolute() else start.parts
    first, parts = (Path(parts[0]), parts[1:]) if start.is_absolute() else (folder, parts)
    return sorted(_Search(pattern).files([first] if is_folder(first) else [], parts), key=str)


class _Search:
    """One look at the disk for a pattern, which counts what it sees."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.seen = 0

    def files(self, folders: list[Path], parts: tuple[str, ...]) -> Iterator[Path]:
        *before, last = parts
        for part in before:
            folders = self._each_once(self._below(folders) if part == ANYWHERE else self._step(folders, part))
        wanted = "*" if last == ANYWHERE else last
        for folder in self._below(folders) if last == ANYWHERE else folders:
            for path in self._named(folder, wanted):
                if not is_folder(path):
                    yield path

    def _step(self, folders: Iterable[Path], part: str) -> Iterator[Path]:
        for folder in folders:
            yield from (path for path in self._named(folder, part) if is_folder(path))

    def _named(self, folder: Path, part: str) -> Iterator[Path]:
        """Yield what is in a folder and has that name, or else matches that pattern."""
        if not glob.has_magic(part) or is_there(folder / part):
            if is_there(folder / part):
                yield folder / part
            return
        for entry in self._entries(folder):
            if fnmatch.fnmatchcase(entry.name, part) and (part.startswith(".") or not entry.name.startswith(".")):
                yield folder / entry.name

    def _below(self, folders: Iterable[Path]) -> Iterator[Path]:
        """Yield the folders and all below them; those behind links last, so that each goes by its own name."""
        waiting: list[Path] = list(folders)
        linked: list[Path] = []
        # A link to a folder around them leads to where the look began.
        been = {_identity(parent) for folder in waiting for parent in folder.resolve().parents}
        been -= {_identity(folder) for folder in waiting}
        while waiting or linked:
            folder = waiting.pop() if waiting else linked.pop(0)
            identity = _identity(folder)
            if identity in been:
                continue
            been.add(identity)
            yield folder
            for entry in self._entries(folder):
                if not entry.name.startswith(".") and is_folder(folder / entry.name):
                    (linked if entry.is_symlink() else waiting).append(folder / entry.name)

    def _each_once(self, folders: Iterable[Path]) -> list[Path]:
        # Folders go by their own name rather than by that of a link, wherever both are found.
        ordered = sorted(folders, key=lambda folder: (folder.is_symlink(), folder))
        return list({_identity(folder): folder for folder in reversed(ordered)}.values())

    def _entries(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self.seen += 1
                    if self.seen > MOST_ENTRIES:
                        raise InvalidRequest(
                            f"{self.pattern!r:.100} looks at more than {MOST_ENTRIES:,} files: begin it with the folder"
                            " that has the pictures"
                        )
                    yield entry
        except PermissionError:  # as a shell does: what may not be looked at does not match
            return


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino
