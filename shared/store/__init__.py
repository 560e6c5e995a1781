"""Every change to the state of jobs: one function for each move.

The database is the truth. A move is one conditional UPDATE; what a worker writes carries the attempt that it claimed
and changes nothing once another attempt runs (it is fenced). Each move leaves an event with its reason. Questions that
change nothing are in `stylefarm.shared.queries.jobs`.
"""

from __future__ import annotations

from sqlalchemy import Engine

from stylefarm.shared.store.access import Access
from stylefarm.shared.store.attempts import LEASE_SECONDS, Attempts
from stylefarm.shared.store.checkpoints import Checkpoints
from stylefarm.shared.store.commands import JobCommands
from stylefarm.shared.store.deletions import Deletions
from stylefarm.shared.store.library import Datasets, Models
from stylefarm.shared.store.maintenance import Maintenance
from stylefarm.shared.store.marks import MarkChanges
from stylefarm.shared.store.object_names import ObjectHolds
from stylefarm.shared.store.reviews import Reviews
from stylefarm.shared.store.submissions import Submissions

__all__ = ["LEASE_SECONDS", "Store"]


class Store:
    """The writing side of the database, in parts by who writes. Raises ServiceUnavailable and NotMigrated.

    Attributes:
        submissions: what producers write: new jobs and sweeps.
        attempts: what workers write: claims, heartbeats, losses, snapshots, and how an attempt ends.
        checkpoints: what workers write so that another attempt can go on from there.
        commands: what users ask of jobs: cancel, pause, resume, retry, another priority.
        deletions: what users delete: jobs, sweeps, and all that is over.
        holds: which objects submissions are about to name.
        models: the trained models by name.
        datasets: the data sets by name.
        marks: what users write on jobs and sweeps: tags, notes.
        reviews: what users think of pictures: ratings, votes, the views that they keep.
        access: who may use the farm over HTTP: tokens, sessions, shares.
        maintenance: what the reconciler writes: expired leases, dead workers, leader locks.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.submissions = Submissions(engine)
        self.attempts = Attempts(engine)
        self.checkpoints = Checkpoints(engine)
        self.commands = JobCommands(engine)
        self.deletions = Deletions(engine)
        self.holds = ObjectHolds(engine)
        self.models = Models(engine)
        self.datasets = Datasets(engine)
        self.marks = MarkChanges(engine)
        self.reviews = Reviews(engine)
        self.access = Access(engine)
        self.maintenance = Maintenance(engine)
