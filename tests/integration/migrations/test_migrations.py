"""The migrations give exactly the declared tables, on both databases."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

from stylefarm import migrations
from stylefarm.shared.db.connection import connect
from stylefarm.shared.db.tables import METADATA
from stylefarm.shared.errors import NotMigrated
from stylefarm.shared.queries.jobs import Queries


def test_the_migrated_schema_is_the_declared_one(engine: Engine) -> None:
    """Given a migrated database, if it is compared with the declared tables, I expect no difference at all."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_every_declared_table_is_there(engine: Engine) -> None:
    """Given a migrated database, I expect its tables to be the declared ones and Alembic's own."""
    assert set(inspect(engine).get_table_names()) == {*METADATA.tables, "alembic_version"}


def test_upgrading_twice_does_nothing(engine: Engine) -> None:
    """Given a migrated database, if it is upgraded again, I expect the same revision before and after."""
    assert migrations.upgrade(engine) == (migrations.head(), migrations.head())


def put_at(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database in which nothing is, once of each kind."""
    sqlite = f"sqlite:///{tmp_path / 'empty.db'}"
    engine = connect(sqlite if request.param == "sqlite" else request.getfixturevalue("empty_postgres_url"))
    yield engine
    engine.dispose()


def test_a_newer_database_is_left_alone(engine: Engine) -> None:
    """Given a database of a later release, if it is upgraded or checked, I expect to be told to upgrade stylefarm."""
    put_at(engine, "9999")
    for ask in (migrations.upgrade, migrations.check):
        with pytest.raises(NotMigrated, match=r"was made by a newer release \(revision 9999\): upgrade stylefarm$"):
            ask(engine)
    assert migrations.current(engine) == "9999"


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ("CREATE TABLE jobs (id INTEGER)", r"has tables of another program that are called as ours \(jobs\): give"),
        ("CREATE TABLE losses (id INTEGER)", r"has tables of another program that are called as ours \(losses\): give"),
        (
            "CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES ('ae12'), ('bf34')",
            r"belongs to another program, .* \(revision ae12, bf34\): give stylefarm a database of its own",
        ),
    ],
)
def test_another_program_s_database_is_left_alone(empty: Engine, made: str, sentence: str) -> None:
    """Given a database with another program's tables, if it is upgraded, I expect a sentence, and nothing changed."""
    with empty.begin() as connection:
        for statement in made.split("; "):
            connection.execute(text(statement))
    before = set(inspect(empty).get_table_names())
    with pytest.raises(NotMigrated, match=sentence):
        migrations.upgrade(empty)
    assert set(inspect(empty).get_table_names()) == before


def test_check_names_the_remedy(empty: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an empty database, if it is checked, I expect the remedy; after it nothing; and of an older one, again."""
    with pytest.raises(NotMigrated, match=r"has no tables of stylefarm yet: run `stylefarm db upgrade`"):
        migrations.check(empty)
    migrations.upgrade(empty)
    migrations.check(empty)
    before = migrations.head()
    monkeypatch.setattr(migrations, "head", lambda: "9999")
    with pytest.raises(NotMigrated, match=rf"is of an older release \(revision {before}\): run `stylefarm db upgrade`"):
        migrations.check(empty)


def test_two_upgrades_at_once_both_succeed(empty: Engine) -> None:
    """Given an empty database, if two upgrade it at once, I expect both to succeed, and one to find it done."""
    engines = [create_engine(empty.url), create_engine(empty.url)]
    if empty.dialect.name == "sqlite":
        engines = [empty, empty]
    together = threading.Barrier(len(engines))

    def upgrade(engine: Engine) -> tuple[str | None, str]:
        together.wait()
        return migrations.upgrade(engine)

    with ThreadPoolExecutor() as pool:
        done = list(pool.map(upgrade, engines))
    for engine in engines:
        engine.dispose()
    assert [after for _, after in done] == [migrations.head()] * 2
    assert sorted(before or "" for before, _ in done) == ["", migrations.head()]


def test_a_database_is_looked_at_while_another_writes(tmp_path: Path) -> None:
    """Given a SQLite file that somebody is writing to, if its revision is asked for, I expect it at once."""
    engine = connect(f"sqlite:///{tmp_path / 'farm.db'}")
    migrations.upgrade(engine)
    with engine.begin(), ThreadPoolExecutor() as pool:
        assert pool.submit(migrations.current, engine).result(timeout=25) == migrations.head()
    engine.dispose()


def test_an_installation_below_a_percent_sign_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a release in a folder with a % in its name, I expect its migrations found, by Alembic and by us."""
    known, folder = migrations.revisions(), tmp_path / "100%(here)s"
    shutil.copytree(Path(migrations.__file__).parent, folder)
    monkeypatch.setattr(migrations, "__file__", str(folder / "__init__.py"))
    of_alembic = ScriptDirectory.from_config(migrations.config()).walk_revisions()
    assert tuple(script.revision for script in of_alembic)[::-1] == migrations.revisions() == known


def test_jobs_of_an_older_release_keep_what_is_theirs(empty: Engine) -> None:
    """Given a job with an attempt of the release before orders, if it is upgraded, I expect all of it still there."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with empty.begin() as connection:
        settings = migrations.config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "0010")
        insert = (
            "INSERT INTO jobs (id, position, cell, spec, spec_key, content_name, style_name, notes, created_at, state,"
            " attempt, updated_at, iteration, iterations)"
            " VALUES ('j', 0, '{}', :spec, 'k', 'a', 's', :notes, :at, 'queued', 1, :at, 0, 5)"
        )
        connection.execute(text(insert), {"spec": '{"size": 64}', "notes": '["a note"]', "at": at})
        connection.execute(
            text("INSERT INTO attempts (job_id, attempt, worker, started_at, record) VALUES (:j, 1, 'w', :at, '{}')"),
            {"j": "j", "at": at},
        )
    migrations.upgrade(empty)
    job = Queries(empty).job("j")
    assert (job.spec, job.notes, job.iterations) == ({"size": 64}, ["a note"], 5)
    assert [attempt.worker for attempt in Queries(empty).attempts("j")] == ["w"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_that_is_not_migrated_says_so(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Given an empty database, if it is asked for a job, I expect a sentence that names the remedy."""
    sqlite = f"sqlite:///{tmp_path / 'empty.db'}"
    url = sqlite if kind == "sqlite" else request.getfixturevalue("empty_postgres_url")
    with pytest.raises(NotMigrated, match="stylefarm db upgrade"):
        Queries(connect(url)).job("00000000-0000-0000-0000-000000000000")
    connect(url).dispose()
