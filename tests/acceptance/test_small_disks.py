"""A farm whose disk is full, or read-only: what only looks goes on, and what would write says why it cannot."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from stylefarm import Farm
from stylefarm.shared.settings import Settings
from tests.faults.workers import unshared
from tests.programs import PROGRAM, CommandLine

FILL = 'dd if=/dev/zero of="$HERE/fill" bs=4k status=none'
COMMANDS = """
"$PROGRAM" job list --json > "$FOLDER/list-$1"; echo "list $?" >&2
"$PROGRAM" job cancel "$2"; echo "cancel $?" >&2
"$PROGRAM" render a.png s.png -o out.png --size 32 --iterations 1; echo "render $?" >&2
"$PROGRAM" prune --older-than 0s; echo "prune $?" >&2
"$PROGRAM" init "$HERE/first" > /dev/null 2>&1; ls -A "$HERE" >&2
"""
# Mounted in a namespace of its own, which disappears with the last process.
SCRIPT = """
mount -t tmpfs -o size=1m none "$HERE" && cp "$FOLDER/farm.db" "$HERE" && export STYLEFARM_HOME="$HERE"
{prepare} 2> /dev/null
{commands}
"""


@pytest.mark.parametrize(
    ("prepare", "code", "sentence"),
    [
        (FILL, 74, "the disk .* is full: make room and try again"),
        (
            'mount -o remount,ro "$HERE"',
            69,
            "[Rr]ead-only.*STYLEFARM_HOME",
        ),
    ],
    ids=["full", "read-only"],
)
def test_what_only_looks_goes_on(pictures: Path, tmp_path: Path, prepare: str, code: int, sentence: str) -> None:
    """Given a home with a job, if its disk is full, or can only be read, I expect the job to be listed, and a sentence
    and its exit code from each command that would write, and no word or
    folder of what was not done."""
    home, disk = tmp_path / "home", tmp_path / "disk"
    disk.mkdir()
    with Farm(Settings(home=home)) as farm:
        job = farm.submit(content=str(pictures / "a.png"), style=str(pictures / "s.png"), size=48, iterations=1)
    variables = {"HERE": str(disk), "FOLDER": str(home), "PROGRAM": str(PROGRAM)}
    program = CommandLine(pictures, {**variables, "TORCH_HOME": str(tmp_path)})
    ended = subprocess.run(
        [*unshared(), "bash", "-c", SCRIPT.format(prepare=prepare, commands=COMMANDS), "bash", "jobs", job.id],
        cwd=program.folder,
        env=program.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert re.findall(r"^(list|cancel|render|prune) (\d+)$", ended.stderr, re.MULTILINE) == [
        ("list", "0"),
        ("cancel", str(code)),
        ("render", str(code)),
        ("prune", str(code)),
    ], ended.stderr
    assert len(re.findall(sentence, ended.stderr)) == 3, ended.stderr
    assert not re.search("are deleted|^first$", ended.stderr, re.MULTILINE), ended.stderr
    assert job.id in (home / "list-jobs").read_text()
