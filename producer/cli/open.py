"""`stylefarm open`: a result, a contact sheet or a folder in the desktop's viewer."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from stylefarm.producer.client.farm import Farm, Job, Sweep
from stylefarm.producer.reports.downloads import download_job, download_sweep
from stylefarm.producer.sheets.write import write_sheet
from stylefarm.producer.views.file_names import file_names
from stylefarm.shared.cli.console import echo_path, json_option, print_json
from stylefarm.shared.errors import InvalidRequest


@click.command("open")
@click.argument("reference", metavar="ID")
@click.option(
    "--folder", is_flag=True, help="Open a folder with all results, or with the result and snapshots of a job."
)
@json_option
def open_command(reference: str, folder: bool, as_json: bool) -> None:
    """Open the result of a job, or the contact sheet of a sweep, in the desktop's viewer, and print the file name.

    ID is a job or a sweep: an id, @last, or the name of a sweep. The file is a copy in a temporary folder.
    """
    with Farm() as farm:
        found = farm.find(reference)
        with _new_folder() as place:
            path = _all_of(found, place) if folder else _picture_of(found, place)
    if not _is_opened(path):
        raise InvalidRequest(
            f"no viewer can be opened here: look at {path}, or at its copy on a machine with a desktop"
        )
    if as_json:
        print_json({"output": [str(path)]})
    else:
        echo_path(path)


def _is_opened(path: Path) -> bool:
    """Open a file or a folder in the desktop's viewer; return whether there is one."""
    if not sys.platform.startswith("linux"):
        return click.launch(str(path)) == 0
    opener = shutil.which("xdg-open")
    # Without a desktop it tries one program after the other, and tells of each.
    if opener is None:
        return False
    ended = subprocess.run([opener, path], stderr=subprocess.DEVNULL, check=False)  # noqa: S603 - a file of our own
    return ended.returncode == 0


@contextmanager
def _new_folder() -> Iterator[Path]:
    """Make a folder that stays if all goes well: the viewer may read it for as long as it likes."""
    folder = Path(tempfile.mkdtemp(prefix="stylefarm-"))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder)
        raise


def _picture_of(found: Job | Sweep, place: Path) -> Path:
    if isinstance(found, Sweep):
        return write_sheet(found, place / "sheet.html")[0]
    result = found.fetch()
    return result.save(place / (file_names([found.status()])[0] + result.suffix))


def _all_of(found: Job | Sweep, place: Path) -> Path:
    if isinstance(found, Sweep):
        download_sweep(found, place, snapshots=True)
    else:
        download_job(found, place)
    return place
