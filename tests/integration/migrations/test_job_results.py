"""What analysts find in the database: what tables and columns mean, and the view of all results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, inspect, text

from examples.embedded import embedded_settings
from stylefarm import Farm, State
from stylefarm.producer.views.rows import AFTER, BEFORE, PROGRESS
from stylefarm.shared.db.connection import connect
from stylefarm.shared.db.tables import METADATA
from stylefarm.shared.settings import Settings
from tests.made_up import METRICS, made_up


def test_every_table_and_column_says_what_it_holds(postgres_url: str) -> None:
    """Given a migrated PostgreSQL, I expect the words of the code on each table, column and the view."""
    inspector = inspect(connect(postgres_url))
    for name, table in METADATA.tables.items():
        assert inspector.get_table_comment(name)["text"] == table.comment
        said = {column["name"]: column["comment"] for column in inspector.get_columns(name)}
        assert said == {column.name: column.comment for column in table.columns}
        assert all(said.values()), name
    with connect(postgres_url).connect() as connection:
        words = connection.execute(text("SELECT obj_description('job_results'::regclass)")).scalar_one()
    assert words.startswith("One row for each cell of each sweep")


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """An embedded farm's on a database of each kind."""
    settings = embedded_settings(tmp_path / "home")
    if request.param == "sqlite":
        return settings
    return settings.model_copy(update={"database_url": SecretStr(request.getfixturevalue("postgres_url"))})


def selected(engine: Engine, statement: str) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(statement)).mappings()]


def test_each_cell_is_a_row(settings: Settings) -> None:
    """Given two sweeps that share a job, and a job alone, I expect a row for each cell with what a frame has of it.

    And values that another release has stored, or none, to be null.
    """
    with Farm(settings) as farm:
        made_up(farm, {"content": ["cat.png", "a/dog.png"], "style_weight": [1.5]}, name="older")
        newer = made_up(
            farm,
            {"content": ["a/dog.png", "hen.png"], "style_weight": [1.5, 2]},
            name="newer",
            outcome=lambda cell: State.DONE if cell["style_weight"] == 1.5 else State.QUEUED,
        )
        newer.tag("print")
        engine = farm.services.engine
        rows = selected(engine, "SELECT * FROM job_results WHERE sweep_name = 'newer' ORDER BY position")
        frame = newer.frame()
        # Ratings are those of whoever asks, and a view has no user.
        asked = {*BEFORE, *PROGRESS, *AFTER} - {"stars", "flag"}
        assert asked | {*METRICS, "content", "style", "style_weight"} <= {*rows[0]}
        for name in ("id", "sweep", "content", "style", "style_weight", "state", "iteration", "result_sha256"):
            found = frame[name].astype(object).where(frame[name].notna(), None)
            assert [row[name] for row in rows] == found.tolist(), name
        assert [row["ssim"] for row in rows] == [0.001, None, 0.002, None]
        assert [row["shared"] for row in rows] == [1, 0, 0, 0]
        assert [row["size"] for row in rows] == [48] * 4
        counted = "SELECT style_weight, count(*) AS cells, avg(ssim) AS ssim FROM job_results GROUP BY 1 ORDER BY 1"
        assert [(row["style_weight"], row["cells"]) for row in selected(engine, counted)] == [(1.5, 4), (2.0, 2)]
        with engine.begin() as connection:
            connection.execute(text("""UPDATE job_requests SET spec = '{"size": "large", "seed": null}'"""))
            connection.execute(text("UPDATE jobs SET metrics = '[]', sweep_id = NULL"))
        odd = selected(engine, "SELECT size, seed, ssim, preset, sweep, sweep_name FROM job_results WHERE shared = 0")
        assert {value for row in odd for value in row.values()} == {None}
