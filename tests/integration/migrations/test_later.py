"""The migrations after artifacts keep every row, up and down."""

from __future__ import annotations

from itertools import pairwise

from sqlalchemy import Engine

from stylefarm import migrations
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.store import Store
from tests.integration.migrations.before import DONE, SWEEP, contents, move_to, schema

# The one that the rows of before are moved to by test_artifacts.py.
FIRST = "0014"


def test_what_was_there_comes_back(before: Engine) -> None:
    """Given rows in all tables, if each migration upgrades them, I expect them kept; and downgraded, all as it was."""
    steps = list(pairwise(name for name in migrations.revisions() if name >= FIRST))
    seen = {}
    move_to(before, FIRST)
    for earlier, revision in steps:
        seen[earlier] = schema(before), contents(before)
        rows = seen[earlier][1]
        move_to(before, revision)
        now = contents(before)
        for table, kept in rows.items():
            found = [{name: row[name] for name in old} for old, row in zip(kept, now[table], strict=True)]
            assert found == kept, (revision, table)
    for earlier, revision in reversed(steps):
        move_to(before, earlier)
        assert (schema(before), contents(before)) == seen[earlier], revision


def test_jobs_and_sweeps_of_before_have_no_tags(before: Engine) -> None:
    """Given rows of an earlier release, if they are upgraded, I expect them without tags and notes, to be tagged."""
    migrations.upgrade(before)
    queries, marks = Queries(before), Store(before).marks
    for row in (queries.job(DONE), queries.sweep(SWEEP)):
        assert (row.tags, row.note) == ([], None)
    assert marks.of_job(DONE, ["best"]).tags == marks.of_sweep(SWEEP, ["best"]).tags == ("best",)
