"""Every table and column says what it holds, and the view `job_results` has one row for each cell"""

# ruff: noqa: S608 - the view is put together from names of our own

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

COMMENTS: dict[str, tuple[str, dict[str, str]]] = {
    "held_objects": (
        "An object of the store that something is about to name, and that must not be deleted until then.",
        {
            "key": "The key of the object.",
            "holder": "Who holds it: an id of the submission's own.",
            "until": "When it is held no more: at the end of the submission, or a day after its beginning.",
            "named": "Whether the submission has named it in the end.",
        },
    ),
    "dropped_objects": (
        "An object, or a folder of them, that a deleted job has named: it is deleted unless something else names it.",
        {
            "key": "The key of the object; one that ends in / is a folder.",
            "dropped_at": "When the last job that named it was deleted.",
            "emptied": "Whether the objects of a folder were deleted; a late worker may upload more.",
        },
    ),
    "sweeps": (
        "A grid of jobs that were submitted together.",
        {
            "id": "Its id, a UUID.",
            "name": "What its user calls it; several sweeps may have one name.",
            "axes": "For each axis of the grid its values as the user wrote them, in order.",
            "created_at": "When it was submitted.",
            "max_running": "How many of its jobs may run at a time; null: any number.",
            "key": "The hash of the request, by which the sweep is found when it is submitted again; null: it is not.",
            "tags": "What its user wrote on it to find it again, sorted.",
            "note": "What its user wrote about it.",
        },
    ),
    "shared_cells": (
        "A cell of a sweep whose job is another sweep's, or is in another cell, too.",
        {
            "sweep_id": "The sweep that the cell is in.",
            "position": "The cell's place in that sweep.",
            "cell": "Its value on each axis of that sweep, as the user wrote it.",
            "job_id": "The job that renders it.",
        },
    ),
    "jobs": (
        "One stylization. Every column below `state` is written by `stylefarm.shared.store` alone.",
        {
            "id": "Its id, a UUID.",
            "sweep_id": "The sweep that it is the own job of; null: none.",
            "position": "The job's place in its sweep, counted in the order of the axes.",
            "cell": "The job's value on each axis of its sweep, as the user wrote it.",
            "spec_key": "The hash of its spec: jobs of one key render one picture.",
            "content_name": "What its user calls the content.",
            "style_name": "What its user calls the styles, joined by +.",
            "created_at": "When it was submitted.",
            "device": "Where it may be rendered: auto, cpu or gpu.",
            "label": "Only workers of this label take it; empty: any worker.",
            "priority": "0 to 9; higher is rendered first.",
            "time_limit": "Seconds that an attempt may take.",
            "batch_key": "Jobs of one key may be rendered together; null: it is rendered alone.",
            "max_attempts": "Attempts that may fail, in whatever way, before the job does.",
            "state": "waiting, queued, running, paused, done, failed or cancelled.",
            "attempt": "The number of its last attempt, from 1; 0 before the first.",
            "worker": "Who has it, or had it last.",
            "lease_until": "When its worker loses it unless the lease is renewed.",
            "cancel_requested": "Whether its worker is to stop it.",
            "pause_requested": "Whether its worker is to let it go until it is resumed.",
            "updated_at": "When the row was last written, but for leases.",
            "started_at": "When its last attempt began.",
            "finished_at": "When it ended, well or not; null before.",
            "iteration": "The steps that are done.",
            "iterations": "The steps that it takes, at all scales together.",
            "loss": "The last total loss.",
            "metrics": "What was measured of the result, by name; other names if another release rendered it.",
            "error_class": "The kind of its failure.",
            "error": "Why it failed, in a sentence.",
            "failures": "How many attempts failed, by kind (see shared/db/failures.py).",
        },
    ),
    "job_requests": (
        "The request for a job: its spec, which never changes, and what its user wrote on it.",
        {
            "job_id": "The job.",
            "spec": "What is rendered: every parameter; pictures by their SHA-256.",
            "notes": 'What "auto" became, and what was converted, in words.',
            "loss_terms": 'The names of the values of each point of the loss curve, in order, "total" first.',
            "tags": "What its user wrote on it to find it again, sorted.",
            "note": "What its user wrote about it; `notes` are the farm's.",
        },
    ),
    "artifacts": (
        "Something stored for a job in the object store: its result, a snapshot, a checkpoint.",
        {
            "id": "A number of its own.",
            "job_id": "The job that it was stored for.",
            "attempt": "The attempt that stored it.",
            "role": "What it is to its job: result, snapshot, checkpoint.",
            "iteration": "The steps after which it was taken.",
            "key": "The key of its object.",
            "sha256": "The hash of its bytes, in hex.",
            "bytes": "The size of its object.",
            "media_type": "The media type of its object, such as image/png.",
            "width": "Pixels; null for what is no picture, and for what a release before artifacts stored.",
            "height": "Pixels, as the width.",
        },
    ),
    "attempts": (
        "One claim of a job by a worker, and how it ended.",
        {
            "job_id": "The job.",
            "attempt": "Its number, from 1.",
            "worker": "Who claimed the job.",
            "started_at": "When it was claimed.",
            "ended_at": "When the attempt ended; null: it runs.",
            "outcome": "How it ended, in a word; null: it runs.",
            "record": "How it was computed: device, precision, versions, seconds.",
        },
    ),
    "events": (
        "A move of a job, with its reason.",
        {
            "id": "A number of its own; later events have higher ones.",
            "job_id": "The job.",
            "at": "When it happened.",
            "attempt": "The job's attempt at that time.",
            "state": "The state that the job has moved to.",
            "worker": "The worker that moved it, if one did.",
            "reason": "Why, in words.",
        },
    ),
    "loss_points": (
        "A point of a job's loss curve: the weighted losses of the picture after `iteration` steps.",
        {
            "job_id": "The job.",
            "iteration": "The steps that were done; 0 is the start.",
            "losses": "One value for each of the job's `loss_terms`, in their order.",
        },
    ),
    "weights": (
        "Pretrained weights by name; the file is in the object store, under its hash.",
        {
            "name": "What specs call them.",
            "sha256": "The hash of the file, and the name of its object.",
            "architecture": "The network: vgg19, vgg16 or squeezenet.",
            "source": 'What the file was made from: the name of another, a URL, or "torchvision".',
            "bytes": "The size of the file.",
            "created_at": "When they were registered.",
        },
    ),
    "webhooks": (
        "A call that a sweep makes once, when an event has happened.",
        {
            "sweep_id": "The sweep.",
            "event": "failed: its first job has failed; ended: all have ended.",
            "url": "The address that is called.",
            "due_at": "When it is to be tried, or tried again; null: it has not happened yet.",
            "tries": "How often it was tried.",
            "delivered_at": "When it was answered well; null: it was not yet.",
            "error": "Why the last try has failed.",
        },
    ),
    "leader_locks": (
        "A lock for a task that one process at a time does for the whole farm: its holder, and when it expires.",
        {
            "name": "The task.",
            "holder": "The process that does it.",
            "until": "When another may take it.",
        },
    ),
    "workers": (
        "A slot of a worker as it last reported; the jobs that it runs name it.",
        {
            "name": "The slot, such as gpu0@host; the processes in it add to that.",
            "host": "Its machine.",
            "device": "cpu or gpu.",
            "queues": "The queues that it takes jobs from.",
            "labels": "The labels whose jobs it takes, too.",
            "state": "active, draining or benched.",
            "reason": "Why it takes no jobs.",
            "trouble": "What is wrong with its process, which is started again; its supervisor reports it.",
            "failures": "How many attempts in a row have failed here for infrastructure.",
            "started_at": "When it started.",
            "seen_at": "When it last reported.",
        },
    ),
    "dependencies": (
        "A job that waits until another one, its parent, is done.",
        {
            "job_id": "The job that waits.",
            "parent_id": "The job that must be done first.",
        },
    ),
}

# What the view has of a spec and of what was measured, each as a column of its own.
NUMBERS = ("size", "iterations", "content_weight", "style_weight", "tv_weight", "learning_rate", "seed")
WORDS = ("preset", "method", "features", "style_loss", "init", "color", "optimizer")
METRICS = ("gram", "sliced", "self_similarity", "ssim", "clipped", "seconds", "loss_ratio")

VIEW_COMMENT = (
    "One row for each cell of each sweep, and for each job of no sweep: its values, where its job stands, and what was"
    " measured. Columns are called as in the JSON of a job; other parameters are in spec: spec ->> 'momentum'."
)


def upgrade() -> None:
    if _is_postgresql():
        for table, (comment, columns) in COMMENTS.items():
            _execute(f'COMMENT ON TABLE "{table}" IS {_quoted(comment)}')
            for column, words in columns.items():
                _execute(f'COMMENT ON COLUMN "{table}"."{column}" IS {_quoted(words)}')
    _execute(f"CREATE VIEW job_results AS {_view()}")
    if _is_postgresql():
        _execute(f"COMMENT ON VIEW job_results IS {_quoted(VIEW_COMMENT)}")


def downgrade() -> None:
    _execute("DROP VIEW job_results")
    if _is_postgresql():
        for table, (_, columns) in COMMENTS.items():
            _execute(f'COMMENT ON TABLE "{table}" IS NULL')
            for column in columns:
                _execute(f'COMMENT ON COLUMN "{table}"."{column}" IS NULL')


def _view() -> str:
    numbers = ", ".join(f"{_number('r.spec', name)} AS {name}" for name in NUMBERS)
    words = ", ".join(f"{_word('r.spec', name)} AS {name}" for name in WORDS)
    metrics = ", ".join(f"{_number('j.metrics', name)} AS {name}" for name in METRICS)
    return (
        "SELECT j.id, c.sweep_id AS sweep, s.name AS sweep_name, c.position, c.shared, c.cell,"
        f" COALESCE({_word('c.cell', 'content')}, j.content_name) AS content,"
        f" COALESCE({_word('c.cell', 'style')}, j.style_name) AS style,"
        f" {words}, {numbers}, j.state, j.attempt, j.iteration, j.loss, {metrics}, j.error, j.error_class, j.worker,"
        " j.created_at, j.started_at, j.finished_at, a.key AS result_key, a.sha256 AS result_sha256,"
        " a.bytes AS result_bytes, a.width AS result_width, a.height AS result_height, r.tags, r.note,"
        " s.tags AS sweep_tags, r.spec, j.metrics"
        " FROM (SELECT id AS job_id, sweep_id, position, cell, 0 AS shared FROM jobs"
        " UNION ALL SELECT job_id, sweep_id, position, cell, 1 FROM shared_cells) AS c"
        " JOIN jobs AS j ON j.id = c.job_id JOIN job_requests AS r ON r.job_id = j.id"
        " LEFT JOIN sweeps AS s ON s.id = c.sweep_id"
        " LEFT JOIN artifacts AS a ON a.job_id = j.id AND a.role = 'result'"
    )


def _word(column: str, name: str) -> str:
    return f"{column} ->> '{name}'" if _is_postgresql() else f"json_extract({column}, '$.{name}')"


def _number(column: str, name: str) -> str:
    """Return the SQL of a number in a JSON column; null for what another release has put there instead."""
    if _is_postgresql():
        value = f"CAST({column} ->> '{name}' AS double precision)"
        return f"CASE WHEN json_typeof({column} -> '{name}') = 'number' THEN {value} END"
    value = f"json_extract({column}, '$.{name}')"
    return f"CASE WHEN json_type({column}, '$.{name}') IN ('integer', 'real') THEN {value} END"


def _quoted(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _execute(statement: str) -> None:
    # By the driver's own way, since SQLAlchemy takes a colon in a text for a parameter.
    op.get_bind().exec_driver_sql(statement)
