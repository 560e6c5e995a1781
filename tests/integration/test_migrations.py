"""The migrations give exactly the declared tables, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect

import migrations
from shared.database import connect
from shared.errors import NotMigrated
from shared.queries import Queries
from shared.tables import Base


def test_the_migrated_schema_is_the_declared_one(engine: Engine) -> None:
    """Given a migrated database, if it is compared with the declared tables, I expect no difference at all."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_every_declared_table_is_there(engine: Engine) -> None:
    """Given a migrated database, I expect its tables to be the declared ones and Alembic's own."""
    assert set(inspect(engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}


def test_upgrading_twice_does_nothing(engine: Engine) -> None:
    """Given a migrated database, if it is upgraded again, I expect the same revision before and after."""
    assert migrations.upgrade(engine) == (migrations.head(), migrations.head())


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_that_is_not_migrated_says_so(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Given an empty database, if it is asked for a job, I expect a sentence that names the remedy."""
    sqlite = f"sqlite:///{tmp_path / 'empty.db'}"
    url = sqlite if kind == "sqlite" else request.getfixturevalue("empty_postgres_url")
    with pytest.raises(NotMigrated, match="stylefarm db upgrade"):
        Queries(connect(url)).job("00000000-0000-0000-0000-000000000000")
    connect(url).dispose()
