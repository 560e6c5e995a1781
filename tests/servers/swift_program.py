"""Runs a whole Swift: `.swift/bin/python -I swift_program.py FOLDER ACCOUNT_PORT CONTAINER_PORT OBJECT_PORT`.

The four servers are forked from one process, and the rings are written by it too. Importing Swift is nearly all the
time that its programs need to start, and so it is spent once, where Swift's own commands would spend it seven times.
It ends as soon as one of the four does: half an object store is of no use to a test.
"""

# mypy: disable-error-code="import-not-found"
# Swift lives in an environment of its own, which the type checker does not see.

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import swift.account.server
import swift.common.utils
import swift.common.utils.logs
import swift.container.server
import swift.obj.server
import swift.proxy.server
from swift.common.ring import RingBuilder

PARTITION_POWER = 6
REPLICAS = 1
DEVICE = "d1"

STORAGE: dict[str, Callable[[], None]] = {
    "account": swift.account.server.main,
    "container": swift.container.server.main,
    "object": swift.obj.server.main,
}
PROGRAMS = {**STORAGE, "proxy": swift.proxy.server.main}


def write_ring(folder: Path, kind: str, port: int) -> None:
    """Say that all accounts, containers or objects are with the one server on that port."""
    builder = RingBuilder(PARTITION_POWER, REPLICAS, 1)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": DEVICE, "weight": 1})
    builder.rebalance()
    builder.get_ring().save(str(folder / f"{kind}.ring.gz"))


def fork(folder: Path, kind: str) -> int:
    """Start one of the servers as a child, as its command would with `--verbose`, and return its process id."""
    child = os.fork()
    if child:
        return child
    sys.argv = [f"swift-{kind}-server", str(folder / f"{kind}-server.conf"), "--verbose"]
    PROGRAMS[kind]()
    sys.exit(0)


def wait_for(children: list[int]) -> None:
    """Return when one child has ended by itself or all were asked to; then none runs any more."""

    def end_all(*_: object) -> None:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end_all)
    os.wait()
    end_all()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def main() -> None:
    folder = Path(sys.argv[1])
    # Swift always logs to the machine's syslog; its console log is enough.
    swift.common.utils.logs.ThreadSafeSysLogHandler = lambda **_: logging.NullHandler()
    # The servers would do it themselves, one after the other; before the fork, it takes its time only once.
    swift.common.utils.monkey_patch()
    for kind, port in zip(STORAGE, sys.argv[2:], strict=True):
        write_ring(folder, kind, int(port))
    wait_for([fork(folder, kind) for kind in PROGRAMS])


if __name__ == "__main__":
    main()
