"""A farm, and the dashboard that serves it, for the tests of one file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from examples.embedded import embedded_settings
from stylefarm import Farm
from tests.web_server import WebServer, web_server


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
