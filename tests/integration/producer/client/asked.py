"""A farm that is asked over HTTP, or by its database."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylefarm import (
    Farm,
    State,
    Sweep,
)
from tests.made_up import made_up
from tests.servers.processes import wait_until
from tests.web_server import rendering_suspended

SHALLOW = {
    "content_layers": ["relu2_1"],
    "style_layers": ["relu1_1", "relu2_1"],
    "size": 32,
    "style_loss": "gram",
    "iterations": 4,
}
SEEDS = itertools.count(1000)


@dataclass(frozen=True)
class Asked:
    """A farm as it is asked, the same by its database, and pictures of this machine."""

    farm: Farm
    own: Farm
    pictures: Path
    server: int | None = None

    def pair(self, **fields: Any) -> dict[str, Any]:
        """The parameters of a job that no other test has."""
        named = {"content": str(self.pictures / "a.png"), "style": [str(self.pictures / "s.png")]}
        return {**named, **SHALLOW, "init": "noise", "seed": next(SEEDS), **fields}

    def made_up(self, states: list[State], **options: Any) -> Sweep:
        """A sweep with a job in each of these states, as it is asked."""
        seeds = [next(SEEDS) for _ in states]
        outcomes = dict(zip(seeds, states, strict=True))
        axes: dict[str, Any] = {"content": ["a.png"], "style": ["s.png"], "seed": seeds}
        with self._nothing_rendered():
            made = made_up(self.own, axes, outcome=lambda cell: outcomes[cell["seed"]], **options)
        return self.farm.find_sweep(made.id)

    @contextmanager
    def _nothing_rendered(self) -> Iterator[None]:
        """Stop the process that renders beside the server, once it has nothing to do."""
        if self.server is None:
            yield
            return
        wait_until(lambda: not self.own.jobs(states=[State.QUEUED, State.RUNNING]), 120)
        with rendering_suspended(self.server, Path(str(self.own.services.engine.url.database))):
            yield
