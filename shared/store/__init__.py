"""Every change to the state of jobs: one function for each move.

The database is the truth. A move is one conditional UPDATE; what a worker writes carries the attempt that it claimed
and changes nothing once another attempt runs (it is fenced). Each move leaves an event with its reason. Questions that
change nothing are in `stylefarm.shared.queries.jobs`.
"""

from __future__ import annotations

from stylefarm.shared.store.checkpoints import Checkpointing
from stylefarm.shared.store.maintenance import Upkeep
from stylefarm.shared.store.reusing import Reusing
from stylefarm.shared.store.steering import Steering
from stylefarm.shared.store.submitting import Submitting
from stylefarm.shared.store.working import LEASE_SECONDS, Working

__all__ = ["LEASE_SECONDS", "Store"]


class Store(Submitting, Reusing, Working, Checkpointing, Steering, Upkeep):
    """The writing side of the database: what is submitted, what workers do, what users ask for, what is put right.

    Raises ServiceUnavailable and NotMigrated.
    """
