"""The reconciler: what puts the farm right again, whatever died. One process at a time leads."""

from __future__ import annotations

import os
import platform
import secrets

from shared.announce import Announcer
from shared.store import Store

DUTY = "reconciler"

# How many periods a leader that keeps silent still leads.
PATIENCE = 2.5


class Reconciler:
    """Takes back the jobs of workers that died, and announces queued jobs for which no hint stands.

    Who leads is a row that ends by the database's clock, not an advisory lock of PostgreSQL: a machine that loses its
    power leaves such a lock behind for as long as the server believes in its connection, which is two hours by
    default. Two that lead at once, as after a process was halted, do no harm: each step is a conditional move, or a
    hint. Every method raises ServiceUnavailable.
    """

    def __init__(self, store: Store, announcer: Announcer, *, period: float) -> None:
        self.store = store
        self.announcer = announcer
        self.period = period
        self.name = f"{platform.node()}:{os.getpid()}:{secrets.token_hex(2)}"

    def run(self) -> bool:
        """Does what there is to do, if this process leads, or nobody does; whether it led."""
        if not self.store.take_duty(DUTY, self.name, PATIENCE * self.period):
            return False
        self.store.requeue_expired()
        self.announcer.fill()
        return True

    def resign(self) -> None:
        """Lets another lead at once."""
        self.store.leave_duty(DUTY, self.name)
