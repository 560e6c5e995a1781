"""A farm, and the dashboard that serves it, for the tests of one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from examples.embedded import embedded_settings
from stylefarm import Farm, Sweep
from tests.made_up import made_up
from tests.web_server import WebServer, rendering_suspended, web_server


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """The farm that the server serves."""
    with Farm(embedded_settings(tmp_path_factory.mktemp("farm") / "home")) as farm:
        yield farm


@pytest.fixture(scope="module")
def server(farm: Farm) -> Iterator[WebServer]:
    """The server, with the process that renders beside it; a test that ends it is the last to take it."""
    with web_server(farm.settings.home, STYLEFARM_THREADS="1") as server:
        yield server


@pytest.fixture(scope="module")
def make_up(farm: Farm, server: WebServer) -> Callable[..., Sweep]:
    """Makes up a sweep as `made_up` does, while nothing is rendered: a renderer would take its jobs first."""

    def make(*arguments: Any, **options: Any) -> Sweep:
        with rendering_suspended(server.process.pid, farm.settings.home / "farm.db"):
            return made_up(farm, *arguments, **options)

    return make
