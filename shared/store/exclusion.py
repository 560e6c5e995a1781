"""Deletions and submissions keep out of each other's way: what one is about to name, the other does not delete.

On SQLite each transaction that writes is alone anyway. On PostgreSQL a lock in the database, held to the end of the
transaction: submissions share it, a deletion has it for itself. It is asked for before anything else is locked.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

# Any number does that nobody else takes for an advisory lock in our database.
LOCK = int.from_bytes(b"deletion")
# A deletion whose machine has lost its power would hold the lock for as long as the server believes in its connection.
LONGEST_PAUSE = "300s"


def hold_off_deletions(session: Session) -> None:
    """Have deletions wait until this transaction has ended; wait for one that runs."""
    if _is_postgresql(session):
        session.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": LOCK})


def hold_off_submissions(session: Session) -> None:
    """Have submissions, and other deletions, wait until this transaction has ended; wait for those that run."""
    if _is_postgresql(session):
        session.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{LONGEST_PAUSE}'"))
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


def _is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
