"""The reconciler, which repairs the state of the farm after failures. One process at a time leads."""

from __future__ import annotations

import os
import platform
import secrets

from stylefarm.shared.dispatch.announcer import Announcer
from stylefarm.shared.dispatch.orphans import Orphans
from stylefarm.shared.store import LEASE_SECONDS, Store

RECONCILER_LOCK = "reconciler"
ORPHANS_LOCK = "orphans"
ORPHANS_SECONDS = 3600.0

# For how many periods a leader that does not answer stays the leader.
LOCK_PERIODS = 2.5


class Reconciler:
    """Requeues the jobs of workers that died, and announces queued jobs that have no hint.

    Who leads is a row that ends by the database's clock, not an advisory lock of PostgreSQL: a machine that loses its
    power leaves such a lock behind for as long as the server believes in its connection, which is two hours by
    default. Two that lead at once, as after a process was halted, do no harm: each step is a conditional move, or a
    hint. Every method raises ServiceUnavailable.

    Args:
        store: the writing side of the database.
        announcer: announces queued jobs.
        orphans: deletes orphaned objects.
        period: seconds from one round to the next.
        lease: how many seconds the farm's leases last.
    """

    def __init__(
        self, store: Store, announcer: Announcer, orphans: Orphans, *, period: float, lease: float = LEASE_SECONDS
    ) -> None:
        self.store = store
        self.orphans = orphans
        self.announcer = announcer
        self.period = period
        self.lease = lease
        self.name = f"{platform.node()}:{os.getpid()}:{secrets.token_hex(2)}"

    def run(self) -> bool:
        """Do one round of reconciliation if this process leads, or nobody does; return whether it led."""
        if not self.store.maintenance.acquire_lock(RECONCILER_LOCK, self.name, LOCK_PERIODS * self.period):
            return False
        self.store.maintenance.requeue_expired(lease=self.lease)
        self.announcer.fill()
        return True

    def delete_orphans(self) -> int:
        """Delete orphaned objects, unless that was done within the hour; return how many."""
        # A new name each time, so that a process that has just swept cannot take the lock again.
        if not self.store.maintenance.acquire_lock(
            ORPHANS_LOCK, f"{self.name}:{secrets.token_hex(4)}", ORPHANS_SECONDS
        ):
            return 0
        return self.orphans.delete()

    def resign(self) -> None:
        """Stop leading, so that another process can at once."""
        self.store.maintenance.release_lock(RECONCILER_LOCK, self.name)
