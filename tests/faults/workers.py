"""A worker process that can be killed, halted, given a full disk, and given a wrong clock."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.programs import PROGRAM, CommandLine
from tests.servers.processes import end, find_program, freeze, thaw

CLOCK = Path(__file__).with_name("clock.c")

DISK_BYTES = 4 << 20
# The worker's home is a small disk in a mount namespace of its own, which disappears with the worker.
ON_SMALL_DISK = f'mount -t tmpfs -o size={DISK_BYTES} none "$0" && exec "$@"'


@dataclass
class WorkerProcess:
    """One `stylefarm worker start` with one slot on the CPU."""

    name: str
    commands: CommandLine
    folder: Path
    """Holds its log, its clock, and its home."""
    false_clock: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _starting: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True)
        self.clock.write_bytes(bytes(8))

    @property
    def log(self) -> Path:
        """The output of all its processes so far."""
        return self.folder / "log.txt"

    @property
    def home(self) -> Path:
        """Its home, which is on a small disk of its own."""
        return self.folder / "home"

    @property
    def clock(self) -> Path:
        """The file that says how far off its clock is: seconds, a number of eight bytes."""
        return self.folder / "clock"

    def start(self) -> None:
        """Start it, unless it runs."""
        with self._starting:
            if self.root is None:
                self._start()

    def _start(self) -> None:
        false_clock = {"LD_PRELOAD": str(self.false_clock), "FALSE_CLOCK": str(self.clock)}
        program = [str(PROGRAM), "worker", "start", "--gpus", "none", "--cpu", "1", "--name", self.name]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*unshared(), "sh", "-c", ON_SMALL_DISK, str(self.home), *program],
                cwd=self.commands.folder,
                env={**self.commands.environment, "STYLEFARM_HOME": str(self.home), **false_clock},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def drain(self, seconds: float) -> int | None:
        """Ask it to end when it has finished its jobs; its exit code, or None if it has not ended in time."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """SIGKILL to it and all below it, as the loss of its machine would be."""
        # This process: as soon as it has ended, the operator may start another one in its place.
        process = self.process
        if process is None:
            return
        if process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                end(freeze(psutil.Process(process.pid)))
        process.wait()

    @property
    def root(self) -> psutil.Process | None:
        """Its first process, the supervisor, if it runs."""
        if self.process is None or self.process.poll() is not None:
            return None
        return psutil.Process(self.process.pid)

    def slots(self) -> list[psutil.Process]:
        """The processes of its slots: those that Celery runs in."""
        return [] if self.root is None else _children(self.root)

    def renderers(self) -> list[psutil.Process]:
        """The processes that render, below those of the slots."""
        return [embedded_worker for slot in self.slots() for embedded_worker in _children(slot)]

    @contextmanager
    def full_disk(self) -> Iterator[bool]:
        """Fill its disk while the block runs; yield whether it had one."""
        root = self.root
        filler = None if root is None else Path(f"/proc/{root.pid}/root") / self.home.relative_to("/") / "filler"
        if filler is None or not _fill(filler):
            yield False
            return
        try:
            yield True
        finally:
            with contextlib.suppress(OSError):  # gone with a worker that was killed meanwhile
                filler.unlink()

    def set_clock(self, seconds: int) -> None:
        """Put its clock forward, or back, from the true time."""
        with self.clock.open("r+b") as file:
            file.write(seconds.to_bytes(8, sys.byteorder, signed=True))


@contextmanager
def halted(processes: Sequence[psutil.Process]) -> Iterator[None]:
    """Halt processes and their children while the block runs; their connections stay open."""
    trees = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            trees.append(freeze(process))
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                thaw(process)


def false_clock(folder: Path) -> Path:
    """Build the library that shows a program another time. Raises MissingProgramError."""
    library = folder / "clock.so"
    subprocess.run([str(find_program("cc")), "-shared", "-fPIC", "-O2", "-o", library, CLOCK], check=True)
    return library


def unshared() -> list[str]:
    """The beginning of a command that has its mounts to itself."""
    return ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children()
    except psutil.NoSuchProcess:
        return []


def _fill(path: Path) -> bool:
    piece = bytes(4096)
    try:
        with path.open("wb", buffering=0) as file:
            while file.write(piece) == len(piece):
                pass
    except OSError as error:
        return error.errno == errno.ENOSPC
    return True
