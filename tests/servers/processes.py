"""Programs, ports and process trees: what a private server is made of."""

from __future__ import annotations

import contextlib
import random
import shutil
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

POLL_SECONDS = 0.01
MOST_POLL_SECONDS = 0.2
SETTLE_SECONDS = 60.0  # a process that waits for a disk stops only then
# Below the ports that the kernel hands to outgoing connections: while a server is down between kill() and restart(),
# none of the tests' own clients can be given its port.
PORTS = range(10_000, 32_000)

_GONE = {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
_STILL = _GONE | {psutil.STATUS_STOPPED}


class MissingProgramError(RuntimeError):
    """A program that the tests need is not on this machine; the message says how it gets there."""


def find_program(name: str, places: Iterable[Path] = ()) -> Path:
    """The program of that name: in the last of `places` that holds it, or else on the PATH."""
    found = [place / name for place in places if (place / name).is_file()]
    if found:
        return found[-1]
    on_path = shutil.which(name)
    if on_path:
        return Path(on_path)
    raise MissingProgramError(f"the tests need {name}, which is not on this machine: run tests/servers/install")


def free_ports(count: int) -> list[int]:
    """So many different ports of 127.0.0.1 on which nothing listens."""
    with contextlib.ExitStack() as held:
        ports: list[int] = []
        for port in random.sample(PORTS, len(PORTS)):
            taken = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                taken.bind(("127.0.0.1", port))
                ports.append(port)
            if len(ports) == count:
                return ports
    raise OSError("no free port on 127.0.0.1")


def freeze(root: psutil.Process) -> list[psutil.Process]:
    """Stop a process and all below it, and return them.

    The root first: standing still it cannot start another while its children are counted. Sessions and process groups
    would not do, for PostgreSQL and Swift put each of their processes into one of its own.
    """
    _suspend([root])
    children = root.children(recursive=True)
    _suspend(children)
    return [root, *children]


def thaw(root: psutil.Process) -> None:
    """Let a frozen process and all below it go on."""
    for process in [*root.children(recursive=True), root]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()


def end(tree: list[psutil.Process]) -> None:
    """Kill those of the processes that still run, and return when none does any more."""
    for process in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _settle(tree, _GONE)


def are_gone(pids: Iterable[int]) -> bool:
    """Return whether none of the processes runs any more; zombies do not run."""
    return all(map(_is_gone, pids))


def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() in _GONE
    except psutil.NoSuchProcess:
        return True


def _suspend(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    _settle(processes, _STILL)


def _settle(processes: list[psutil.Process], states: set[str]) -> None:
    """Signals arrive later than they are sent; this waits for the state they bring about."""
    wait_until(lambda: all(_is_in(process, states) for process in processes), SETTLE_SECONDS)


def _is_in(process: psutil.Process, states: set[str]) -> bool:
    try:
        return process.status() in states
    except psutil.NoSuchProcess:
        return True


def wait_until(is_so: Callable[[], bool], seconds: float) -> None:
    """Return as soon as `is_so` is true; raise TimeoutError when it does not become so in time."""
    start = time.monotonic()
    while not is_so():
        passed = time.monotonic() - start
        if passed > seconds:
            raise TimeoutError(f"it did not come about in {seconds:g} seconds")
        # Polled less and less often, since polling takes time from the process that is waited for.
        time.sleep(min(max(POLL_SECONDS, passed / 10), MOST_POLL_SECONDS))
