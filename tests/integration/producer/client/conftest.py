"""A farm asked in either way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.embedded import embedded_settings
from stylefarm import (
    Farm,
)
from stylefarm.shared.store.access import Role
from tests.conftest import write_pictures
from tests.integration.producer.client.asked import Asked
from tests.web_server import web_server


@pytest.fixture(scope="module", params=["database", "http"])
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """A farm by its database, and another one by a server."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    (folder / "pictures").mkdir()
    write_pictures(folder / "pictures")
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith("STYLEFARM_")]:
            patch.delenv(variable)
        patch.setenv("TORCH_HOME", str(folder / "torch"))
        with Farm(embedded_settings(folder / "home")) as own:
            if request.param == "database":
                yield Asked(own, own, folder / "pictures")
                return
            _, secret = own.store.access.create_token(own.settings.user, Role.SUBMIT)
            with web_server(folder / "home") as server, Farm(server.address, token=secret) as farm:
                yield Asked(farm, own, folder / "pictures", server.process.pid)
