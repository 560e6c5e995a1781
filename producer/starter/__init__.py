"""The files of a first project: a sweep file, a script, and two pictures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.files.atomic import make_folder, write_atomically

# What each file is called in the project, and here. The photograph is scikit-image's `chelsea` (CC0, Stéfan van der
# Walt); examples/plates has drawn the plate.
FILES = {
    "sweep.yaml": "sweep.yaml",
    "render.py": "script.txt",
    "photograph.jpg": "photograph.jpg",
    "plate.jpg": "plate.jpg",
}


def make_project(folder: Path) -> list[Path]:
    """Write the files of a first project into a folder, which is made if it is not there.

    Args:
        folder: holds none of these files.

    Returns:
        The files.

    Raises:
        InvalidRequest: one of the files is there already, and none is written; or the folder cannot be written.
        StorageFull: the disk is full.

    Example:
        >>> import tempfile
        >>> [path.name for path in make_project(Path(tempfile.mkdtemp()) / "first")]
        ['sweep.yaml', 'render.py', 'photograph.jpg', 'plate.jpg']
    """
    found = [str(folder / name) for name in FILES if (folder / name).exists()]
    if found:
        raise InvalidRequest(f"{', '.join(found)}: there already, and not overwritten; give another folder")
    new_folders = [path for path in (folder, *folder.parents) if not path.exists()]
    here, written = resources.files(__name__), list[Path]()
    try:
        make_folder(folder)
        for name, source in FILES.items():
            write_atomically(folder / name, (here / source).read_bytes(), force=False)
            written.append(folder / name)
    except BaseException:
        _take_back(written, new_folders)
        raise
    return written


def _take_back(files: Sequence[Path], folders: Sequence[Path]) -> None:
    """Delete files and then folders, the inner ones first; what is in use, or was never made, is left as it is."""
    for file in files:
        file.unlink(missing_ok=True)
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
