"""Rows that another release has written, and databases with another release's schema."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from examples.embedded import embedded_settings
from stylefarm import Farm, InvalidRequest, Sweep
from stylefarm.producer import cli
from stylefarm.producer.web.app import create_app
from stylefarm.shared.db.connection import connect
from stylefarm.shared.errors import NotMigrated
from stylefarm.shared.settings import Settings, load_settings
from tests.made_up import made_up

SPOILED = {
    "an unknown state": "UPDATE jobs SET state = 'archived'",
    "an event of an unknown state": "UPDATE events SET state = 'archived'",
    "a spec that is a list": "UPDATE job_requests SET spec = '[]'",
    "notes and terms that are objects": "UPDATE job_requests SET notes = '{}', loss_terms = '5'",
    "cells and metrics that are lists": "UPDATE jobs SET cell = '[]', metrics = '[1]', failures = '\"x\"'",
    "axes that are a list": "UPDATE sweeps SET axes = '[]'",
}


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sweep]:
    """Two jobs that are done, in the farm that the commands find."""
    settings = embedded_settings(tmp_path / "home")
    monkeypatch.setenv("STYLEFARM_HOME", str(settings.home))
    monkeypatch.chdir(tmp_path)
    load_settings.cache_clear()
    with Farm(settings) as farm:
        yield made_up(farm, {"content": ["cat.png"], "style": ["waves.png"], "seed": [1, 2]})


def spoil(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize("spoiled", SPOILED)
def test_what_another_release_wrote_is_read(sweep: Sweep, spoiled: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Given rows with what this release does not know, I expect each command that reads to print what it can."""
    job = sweep.statuses()[0].id
    spoil(sweep.farm.services.engine, SPOILED[spoiled])
    for command in (
        ("job", "list"),
        ("job", "list", "--json"),
        ("job", "show", job),
        ("job", "show", job, "--json"),
        ("job", "logs", job),
        ("sweep", "list"),
        ("sweep", "show", sweep.id),
        ("sweep", "show", sweep.id, "--json"),
        ("sweep", "sheet", sweep.id, "-o", "sheet.html"),
        ("sweep", "export", sweep.id, "-o", "table.csv"),
    ):
        assert cli._run(list(command)) in {0, 2}, (command, capsys.readouterr())
    told = capsys.readouterr()
    assert "Traceback" not in told.err + told.out
    assert cli._run(["job", "show", job]) == 0
    shown = capsys.readouterr().out
    assert ("written by another release" in shown) == (spoiled in {"an unknown state", "a spec that is a list"})


def test_curves_of_another_release_have_the_same_names_over_http(sweep: Sweep) -> None:
    """Given points whose names this release cannot read, I expect them over HTTP as the database gives them."""
    farm = sweep.farm
    assert isinstance(farm, Farm)
    spoil(farm.services.engine, "UPDATE job_requests SET loss_terms = '5'")
    own = dict(farm.backend.sweep_losses(sweep.id))
    with TestClient(create_app(farm, is_open=True), base_url="http://localhost") as client:
        there = client.post("/api/v1/jobs:batchLosses", json={"jobs": list(own)}).json()["losses"]
        for job, curve in own.items():
            values = {term: column.tolist() for term, column in curve.terms.items()}
            assert list(values) == ["total", "term1", "term2", "term3"]
            assert there[job] == {"terms": list(values), "iteration": curve.iteration.tolist(), "values": values}
            assert client.get(f"/api/v1/jobs/{job}/losses").json() == there[job]


@pytest.mark.parametrize(
    ("revision", "sentence"), [("9999", "made by a newer release"), ("0014", "of an older release")]
)
def test_nothing_is_written_into_another_release_s_schema(
    postgres_url: str, pictures: Path, revision: str, sentence: str
) -> None:
    """Given a database of another release, if a job is submitted, I expect a refusal before anything is stored."""
    settings = Settings(
        broker_url="redis://127.0.0.1:1/0",
        database_url=postgres_url,
        s3_bucket="none",
        s3_endpoint="http://127.0.0.1:1",
        s3_access_key="x",
        s3_secret_key="x",
    )
    engine = connect(postgres_url)
    spoil(engine, f"UPDATE alembic_version SET version_num = '{revision}'")
    with Farm(settings) as farm:
        assert farm.jobs() == []
        with pytest.raises(NotMigrated, match=sentence):
            farm.submit(content=str(pictures / "a.png"), style=str(pictures / "s.png"), features="random")
        with pytest.raises(NotMigrated, match=sentence):
            farm.store.commands  # noqa: B018 - what every command on jobs begins with


def test_states_that_are_asked_for_are_still_checked(sweep: Sweep) -> None:
    """Given a slip in a state, I expect it refused, though rows may have any."""
    with pytest.raises(InvalidRequest, match="no state 'archived'"):
        sweep.farm.jobs(states="archived")
