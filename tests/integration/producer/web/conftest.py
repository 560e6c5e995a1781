"""A farm with a made-up sweep, and its application, asked as a browser or a program would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from examples.embedded import embedded_settings
from stylefarm import Farm, State, Sweep
from stylefarm.producer.web.app import create_app
from tests.answers import check_http_answer
from tests.made_up import made_up

AXES: dict[str, list[Any]] = {
    "content": ["pets/cat.png", "dog.png"],
    "style": ["waves.png"],
    "style_weight": [1, 10, 100],
}


def outcome(cell: Mapping[str, Any]) -> State:
    """The dog's cells run, have failed and wait; the cat's are done."""
    states = {1: State.RUNNING, 10: State.FAILED, 100: State.QUEUED}
    return State.DONE if "cat" in cell["content"] else states[cell["style_weight"]]


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """An embedded farm."""
    with Farm(embedded_settings(tmp_path / "farm")) as farm:
        yield farm


@pytest.fixture
def sweep(farm: Farm) -> Sweep:
    """Six cells: three are done, one runs, one has failed, one is queued."""
    return made_up(farm, AXES, snapshots=2, outcome=outcome)


@pytest.fixture
def client(farm: Farm) -> Iterator[TestClient]:
    """Whoever asks on this machine; each answer must be what the OpenAPI document says."""
    app = create_app(farm, is_open=True)
    with TestClient(app, base_url="http://localhost") as client:
        client.event_hooks["response"].append(partial(check_http_answer, app))
        yield client


@pytest.fixture
def stranger(farm: Farm) -> Iterator[TestClient]:
    """Somebody on another machine, who has no token."""
    app = create_app(farm, is_open=False)
    with TestClient(app, base_url="http://farm.example", follow_redirects=False) as client:
        yield client
