"""The migrations after artifacts keep every row, up and down."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from stylefarm import migrations
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.store import Store
from tests.integration.migrations.before import DONE, SWEEP, contents, move_to, schema


@pytest.mark.parametrize("revision", [name for name in migrations.revisions() if name > "0014"])
def test_what_was_there_comes_back(before: Engine, revision: str) -> None:
    """Given rows in all tables, if they are upgraded by a migration, and downgraded, I expect all as it was."""
    earlier = migrations.revisions()[migrations.revisions().index(revision) - 1]
    move_to(before, earlier)
    tables, rows = schema(before), contents(before)
    move_to(before, revision)
    for table, kept in rows.items():
        after = contents(before)[table]
        assert [{name: row[name] for name in old} for old, row in zip(kept, after, strict=True)] == kept, table
    move_to(before, earlier)
    assert schema(before) == tables
    assert contents(before) == rows


def test_jobs_and_sweeps_of_before_have_no_tags(before: Engine) -> None:
    """Given rows of an earlier release, if they are upgraded, I expect them without tags and notes, to be tagged."""
    migrations.upgrade(before)
    queries, marks = Queries(before), Store(before).marks
    for row in (queries.job(DONE), queries.sweep(SWEEP)):
        assert (row.tags, row.note) == ([], None)
    assert marks.of_job(DONE, ["best"]).tags == marks.of_sweep(SWEEP, ["best"]).tags == ("best",)
