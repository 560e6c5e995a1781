"""A model that is trained on servers, by a worker that is killed, and the pictures that wait for it."""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from pathlib import Path

import pytest
from PIL import Image

from stylefarm.shared.db.connection import connect
from stylefarm.shared.queries.jobs import Queries
from tests.acceptance.served_farm import never_done, rendering_processes, served_farm, worker_of
from tests.programs import InProcess
from tests.servers import RedisServer, SwiftServer
from tests.servers.processes import wait_until
from tests.servers.variables import variables_of
from tests.weights_files import squeezenet_state, write_torch

SMALL = (
    *("--iterations", "60", "--sample-every", "20", "--samples", "1", "--batch-size", "2", "--image-size", "32"),
    *("--style-size", "48", "--channels", "8", "--blocks", "2", "--content-layers", "fire2", "--precision", "fp32"),
    *("--style-layers", "relu1,fire2", "--weights", "squeezenet.pth", "--content-set", "photos", "--style", "s.png"),
)


@pytest.fixture
def farm(
    pictures: Path,
    redis_server: RedisServer,
    postgres_url: str,
    swift_server: SwiftServer,
    request: pytest.FixtureRequest,
) -> InProcess:
    """The program, told of servers of the test's own; there is a data set."""
    servers = variables_of(redis_server, postgres_url, swift_server, f"farm-{uuid.uuid4().hex}")
    farm = InProcess.of(served_farm(pictures, {**servers, "STYLEFARM_CHECKPOINT_SECONDS": "0.2"}), request)
    write_torch(pictures / "squeezenet.pth", squeezenet_state())
    added = farm.run("dataset", "add", "photos", ".")
    assert added.code == 0, added.messages
    return farm


def test_a_killed_training_goes_on_and_gives_the_same_model(farm: InProcess, postgres_url: str) -> None:
    """Given a training whose process is killed, and a picture that waits for its model, I expect the curve of one that
    ran through, the same losses on the card, and the picture."""
    rows = Queries(connect(postgres_url))
    whole, killed = (
        farm.run("train", "ulyanov", "--name", name, *SMALL, "--no-wait", "--json").document["job"]["id"]
        for name in ("whole", "killed")
    )
    waiting = farm.run("job", "submit", "a.png", "--model", "killed", "--size", "32", "--json").document["job"]
    assert waiting["state"] == "waiting"
    with contextlib.ExitStack() as until_the_end:
        until_the_end.callback(rows.engine.dispose)
        with never_done(killed, rows.engine):
            worker = until_the_end.enter_context(worker_of(farm))
            wait_until(lambda: rows.job(killed).checkpoint is not None, 120)
            os.kill(rendering_processes(worker)[1], signal.SIGKILL)
        waited = farm.run("job", "wait", waiting["id"], "--timeout", "120", "--json")
    assert waited.code == 0, waited.messages
    shown = [farm.run("job", "show", job, "--json").document for job in (whole, killed)]
    assert [attempt["outcome"] for attempt in shown[1]["attempts"]] == ["died", "done"]
    assert shown[1]["attempts"][1]["resumed"]["iteration"] > 0
    assert shown[0]["losses"] == shown[1]["losses"]
    assert [point["iteration"] for point in shown[1]["losses"]] == list(range(61))
    cards = [farm.run("model", "show", name, "--json").document["model"]["card"] for name in ("whole", "killed")]
    assert cards[0]["losses"] == cards[1]["losses"]
    assert farm.run("job", "download", waiting["id"], "-o", "rendered.png").code == 0
    with Image.open(farm.folder / "rendered.png") as rendered:
        assert rendered.size == (32, 24)
    assert farm.run("model", "delete", "whole").code == 0
    assert farm.run("dataset", "delete", "photos").code == 0
