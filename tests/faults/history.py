"""The log of a run: submissions, answers and faults, in the order of time; only appended to."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class History:
    """A file of JSON lines, each with its kind and its time. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def add(self, kind: str, **fields: Any) -> None:
        """Append an entry with the present time, unless `fields` have another one, `at`."""
        line = json.dumps({"kind": kind, "at": time.time(), **fields})
        with self._lock, self.path.open("a") as file:
            file.write(line + "\n")

    def entries(self, kind: str | None = None) -> list[Entry]:
        """All entries, or those of one kind, oldest first."""
        if not self.path.exists():
            return []
        found: list[Entry] = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [entry for entry in found if kind in (None, entry["kind"])]

    def faults(self) -> Counter[str]:
        """How often each fault was done."""
        return Counter(entry["fault"] for entry in self.entries("fault"))

    def acknowledged(self) -> list[str]:
        """The jobs that the farm has promised to do."""
        return [job_id for entry in self.entries("acknowledged") for job_id in entry["jobs"]]
