"""Threads that act on the farm while a `with` block runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

Work = Callable[[], None]


class BackgroundTasks:
    """Runs each of its `works` in a thread of its own; `over` is set at the end of the block, and stops them.

    Their exceptions are raised there, in a group: a fault that could not be injected proves nothing, nor does an
    unexpected answer.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.over = threading.Event()
        self._errors: list[Exception] = []
        self._threads: list[threading.Thread] = []

    def works(self) -> Sequence[Work]:
        """Return the functions to run; each returns soon after `over` is set."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._do, args=(work,), name=self.name) for work in self.works()]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join()
        if self._errors and error is None:
            raise ExceptionGroup(f"what went wrong with the {self.name}", self._errors)

    def _do(self, work: Work) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - it is raised at the end of the block
            self._errors.append(error)
