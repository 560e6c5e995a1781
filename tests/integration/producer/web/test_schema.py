"""The API answers whatever it is sent as its OpenAPI document says: no 5xx, no status that is not in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from examples.embedded import embedded_settings
from stylefarm import Farm, State
from stylefarm.producer.web.app import create_app
from stylefarm.producer.web.rates import Rates
from tests.made_up import made_up

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """The application of a farm in which something is."""
    home: Path = tmp_path_factory.mktemp("schema") / "farm"
    with Farm(embedded_settings(home)) as farm:
        made_up(farm, {"content": ["a.png"], "style": ["s.png"], "style_weight": [1, 2]}, outcome=lambda _: State.DONE)
        app = create_app(farm, is_open=True)
        app.state.rates = Rates("1000000/minute")
        with TestClient(app, base_url="http://localhost"):
            yield app


def test_whatever_is_sent_is_answered(app: FastAPI) -> None:
    """Given requests made from the document, right and wrong, I expect answers that the document has."""
    # Without the streams, which do not end.
    schema = schemathesis.openapi.from_asgi("/openapi.json", app).exclude(path_regex="/stream$")
    checked = 0
    for result, mode in itertools.product(schema.get_all_operations(), GenerationMode):
        operation = result.ok()

        @settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: Case[Any]) -> None:
            case.call_and_validate(checks=CHECKS)

        # Of some operations nothing is wrong.
        with suppress(Unsatisfiable):
            check()
            checked += 1
    assert checked > 50
