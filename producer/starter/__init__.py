"""The files of a first project: a sweep file, a script, and two pictures."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.files import make_folder, write_atomically

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
    make_folder(folder)
    here = resources.files(__name__)
    for name, source in FILES.items():
        write_atomically(folder / name, (here / source).read_bytes(), force=False)
    return [folder / name for name in FILES]
