"""The documents of the API as the values that a Farm works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from stylefarm.producer.backends.protocol import Forecast, History, ListedSweep, SubmittedSweep, SweepFacts
from stylefarm.producer.backends.remote.problems import other_release
from stylefarm.producer.views.status import Status
from stylefarm.shared.db.records import StoredObject
from stylefarm.shared.db.states import State, read_state
from stylefarm.shared.queries.jobs import Changes, JobChange
from stylefarm.shared.queries.sweeps import StoredSnapshot
from stylefarm.shared.spec.marks import Marks
from stylefarm.shared.spec.ratings import Rating

if TYPE_CHECKING:
    from stylefarm.producer.views.losses import Losses
    from stylefarm.shared.store.reviews import ReviewAction

Document = Mapping[str, Any]

Value = TypeVar("Value")

_MOMENTS = frozenset({"created_at", "started_at", "finished_at"})
_FIELDS = tuple(field.name for field in fields(Status))


def _of_answer(read: Callable[[Document], Value]) -> Callable[[Document], Value]:
    """Have a function that reads a document tell what it lacks, or has of a wrong type, as InvalidSettings."""

    @wraps(read)
    def told(document: Document) -> Value:
        try:
            return read(document)
        except KeyError as error:
            raise other_release("the farm", error.args[0]) from None
        except (TypeError, ValueError, AttributeError):
            raise other_release("the farm", None) from None

    return told


@_of_answer
def status_of(document: Document) -> Status:
    """Return a job as `GET /jobs/{id}` answers it."""
    job = document["job"]
    values: dict[str, Any] = {
        name: _moment(job[name]) if name in _MOMENTS else job[name] for name in _FIELDS if name in job
    }
    return Status(**{**values, "state": read_state(job["state"])})


@_of_answer
def losses_of(document: Document) -> Losses:
    """Return a loss curve; what JSON has no number for is not a number."""
    import numpy as np

    from stylefarm.producer.views.losses import Losses

    terms = {term: np.array(document["values"][term], np.float64) for term in document["terms"]}
    return Losses(np.array(document["iteration"], np.int64), terms)


@_of_answer
def snapshot_of(document: Document) -> StoredSnapshot:
    """Return a snapshot."""
    names = (field.name for field in fields(StoredObject))
    return StoredSnapshot(document["iteration"], StoredObject(**{name: document[name] for name in names}))


@_of_answer
def history_of(document: Document) -> History:
    """Return the events of a job and the attempts at it."""
    attempts = [{**entry, **entry["record"]} for entry in document["attempts"]]
    for attempt in attempts:
        del attempt["record"]
    return History(document["events"], cast("Any", attempts))


@_of_answer
def sweep_of(document: Document) -> SweepFacts:
    """Return a sweep as `GET /sweeps/{id}` answers it."""
    sweep = document["sweep"]
    marks = Marks(tuple(sweep["tags"]), sweep["note"])
    return SweepFacts(sweep["id"], sweep["name"], datetime.fromisoformat(sweep["created_at"]), document["axes"], marks)


@_of_answer
def listed_sweep_of(document: Document) -> ListedSweep:
    """Return a sweep as `GET /sweeps` lists it."""
    return ListedSweep(sweep_of(document), counts_of(document["counts"]))


def counts_of(document: Mapping[str, int]) -> dict[State, int]:
    """Return how many jobs are in each state."""
    return {read_state(state): count for state, count in document.items()}


@_of_answer
def changes_of(document: Document) -> Changes:
    """Return what has changed in a sweep."""
    read = (
        JobChange(
            **{
                **entry,
                "state": read_state(entry["state"]),
                "updated_at": datetime.fromisoformat(entry["updated_at"]),
            }
        )
        for entry in document["changes"]
    )
    return Changes(list(read), datetime.fromisoformat(document["cursor"]))


@_of_answer
def ratings_of(document: Document) -> dict[str, Rating]:
    """Return ratings by job."""
    return {entry["job"]: Rating(entry["stars"], entry["flag"]) for entry in document["ratings"]}


def action_of(document: Document | None) -> ReviewAction | None:
    """Return what was undone, or done again."""
    from stylefarm.shared.store.reviews import ReviewAction

    return None if document is None else ReviewAction(document["action"], document["kind"], ratings_of(document))


@_of_answer
def submitted_sweep_of(document: Document) -> SubmittedSweep:
    """Return what a submission of a sweep did."""
    told = {name: document[name] for name in ("skipped", "problems", "kept", "folded")}
    return SubmittedSweep(sweep_of(document), frozenset(document["created_jobs"]), **told)


@_of_answer
def forecast_of(document: Document) -> Forecast:
    """Return what `POST /sweeps:validate` says of a sweep."""
    told = {name: document[name] for name in ("axes", "skipped", "known", "new", "workers", "basis", "notes")}
    hours, of_one = (None if seconds is None else seconds / 3600 for seconds in _seconds(document))
    return Forecast(cells=document["jobs"], hours=hours, machine_hours=of_one, **told)


def _seconds(document: Document) -> tuple[float | None, float | None]:
    return document["seconds"], document["worker_seconds"]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
