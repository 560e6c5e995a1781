"""`stylefarm job logs`: the history of a job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from stylefarm.producer.cli.text import colored
from stylefarm.producer.client.farm import Farm
from stylefarm.shared.cli.console import echo, json_option, print_json, print_line, print_pairs, print_table
from stylefarm.shared.db.states import read_state
from stylefarm.shared.schema.documents import AttemptDocument, EventDocument


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option("--jsonl", is_flag=True, help="Print only the events, one JSON object per line.")
@json_option
def logs(job_id: str, jsonl: bool, as_json: bool) -> None:
    """Show the history of JOB: its attempts, and each state change with time, worker and reason."""
    with Farm() as farm:
        found = farm.find_job(job_id)
        history = found.farm.backend.history(found.id)
    events, attempts = history.events, history.attempts
    if jsonl:
        for event in events:
            print_line(event)
    elif as_json:
        print_json({"job": found.id, "attempts": attempts, "events": events})
    else:
        _print_words(events, attempts)


def _print_words(events: Sequence[EventDocument], attempts: Sequence[AttemptDocument]) -> None:
    if attempts:
        print_pairs({f"attempt {attempt['attempt']}": _line(attempt) for attempt in attempts})
        echo()
    rows = [
        (
            f"{datetime.fromisoformat(event['at']):%Y-%m-%d %H:%M:%S}",
            colored(read_state(event["state"])),
            str(event["attempt"] or ""),
            event["worker"] or "",
            event["reason"],
        )
        for event in events
    ]
    print_table(("time (UTC)", "state", "attempt", "worker", "reason"), rows)


def _line(attempt: AttemptDocument) -> str:
    parts = [attempt["outcome"] or "runs", f"by {attempt['worker']}", f"from {attempt['started_at'][:19]}"]
    if attempt["ended_at"] is not None:
        parts.append(f"to {attempt['ended_at'][:19]}")
    details = (f"{name} {attempt[name]}" for name in ("device", "precision") if attempt.get(name))
    return ", ".join([*parts, *details])
