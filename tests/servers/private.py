"""The life of a private server: started, proven to be the one that was started, killed, paused, started again."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import psutil

from tests.servers.folders import new_folder
from tests.servers.processes import end, free_ports, freeze, thaw, wait_until

START_SECONDS = 60.0  # a second on an idle machine; a busy one is no reason to fail
STOP_SECONDS = 10.0
CONNECT_SECONDS = 1.0
LOG_TAIL_CHARACTERS = 2000


class ServerError(RuntimeError):
    """A server ended, or did not answer, while it was waited for; the message has the end of its log."""


class PrivateServer(ABC):
    """One server of one test run, alive inside a `with` block; afterwards its processes and its folder are gone.

    Ports and password are drawn when the object is made, and stay the same over kill(), stop() and restart().
    """

    folder: Path
    name: ClassVar[str]
    port_count: ClassVar[int] = 1
    needs_attributes: ClassVar[bool] = False
    """Whether the server keeps extended attributes with its files."""
    in_memory: ClassVar[bool] = True
    """Whether its data may be kept in memory, as they are where nothing but the processes has to be survived."""
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    environment: ClassVar[dict[str, str]] = {}
    """What the server's programs find in their environment besides that of the tests."""
    silence: ClassVar[tuple[type[Exception], ...]]
    """What a client raises as long as the server is not up yet."""

    def __init__(self) -> None:
        self.ports = free_ports(self.port_count)
        self.password = secrets.token_hex(16)
        self._process: psutil.Popen | None = None
        self._last_error: Exception | None = None

    @property
    def user(self) -> str | None:
        """The user that the server runs as, where it is another than that of the tests."""
        return None

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 that clients connect to: the first of `ports`."""
        return self.ports[0]

    @abstractmethod
    def _prepare(self) -> None:
        """Write into the new folder what the server needs before its first start."""

    @abstractmethod
    def _command(self) -> list[str]:
        """The command that is the server, and stays in the foreground."""

    @abstractmethod
    def _is_own(self) -> bool:
        """Whether what answers on the port can show something that only this server has."""

    def __enter__(self) -> Self:
        self.folder = new_folder(self.name, with_attributes=self.needs_attributes, in_memory=self.in_memory)
        try:
            if self.user:
                shutil.chown(self.folder, self.user, self.user)
            self._prepare()
            self.start()
        except BaseException:
            self._dispose()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dispose()

    def start(self) -> None:
        """Start the server and return when it has answered and has proven to be this one."""
        if self.is_running:
            raise ServerError(f"{self.name} is running already")
        with self._log.open("ab") as log:
            self._process = psutil.Popen(
                self._command(),
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C at the terminal is for the tests, which then stop their servers
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
            )
        try:
            wait_until(self._answers, START_SECONDS)
        except TimeoutError:
            raise self._failure(f"did not come up in {START_SECONDS:g} seconds") from self._last_error

    def stop(self) -> None:
        """Ask the server to end, and wait until it has. Its data are kept for restart()."""
        if not self.is_running:
            return
        root = self._root
        thaw(root)
        tree = [root, *root.children(recursive=True)]
        root.send_signal(self.stop_signal)
        with contextlib.suppress(psutil.TimeoutExpired):
            root.wait(STOP_SECONDS)
        end(tree)
        root.wait()

    def kill(self) -> None:
        """End every process of the server by SIGKILL, as the loss of its machine would."""
        if self.is_running:
            root = self._root
            end(freeze(root))
            root.wait()

    def restart(self) -> None:
        """Start the server again, stopped first if it still runs: same ports, same password, same data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Halt every process of the server: connections stay open, and nothing answers."""
        freeze(self._root)

    def resume(self) -> None:
        """Let a paused server go on where it was."""
        thaw(self._root)

    @property
    def is_running(self) -> bool:
        """Whether the server was started and has not ended; a paused one runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def _root(self) -> psutil.Popen:
        """The process that was started, from which all others of the server descend."""
        if self._process is None or not self.is_running:
            raise ServerError(f"{self.name} is not running")
        return self._process

    @property
    def _log(self) -> Path:
        return self.folder / "log.txt"

    def _answers(self) -> bool:
        if self._process and self._process.poll() is not None:
            raise self._failure(f"ended with code {self._process.returncode}")
        not_up: tuple[type[Exception], ...] = (OSError, *self.silence)
        try:
            for port in self.ports:  # far cheaper to ask than any client, and the server needs the processor now
                socket.create_connection(("127.0.0.1", port), CONNECT_SECONDS).close()
            is_own = self._is_own()
        except not_up as error:
            self._last_error = error
            return False
        if not is_own:
            raise self._failure("is not what answers: another server has its port")
        return True

    def _failure(self, what: str) -> ServerError:
        tail = self._log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]
        return ServerError(f"{self.name} on port {self.port} {what}; the end of its log:\n{tail}")

    def _dispose(self) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
