"""Requests that a client may send again: the answer is kept under the key that the client gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from stylefarm.shared.db.access_tables import IdempotencyRow
from stylefarm.shared.db.clock import now
from stylefarm.shared.store.moves import Transactions

KEPT_SECONDS = 86_400.0
# A request whose process has died without an answer may be sent again after so many seconds.
PENDING_SECONDS = 600.0


@dataclass(frozen=True)
class KeptAnswer:
    """The answer to an earlier request of the same key; `status` is None while that is worked on."""

    fingerprint: str
    status: int | None
    headers: Mapping[str, str]
    body: bytes


class Idempotency(Transactions):
    """Keeps answers by user and key. Raises ServiceUnavailable and NotMigrated."""

    def begin(self, user: str, key: str, fingerprint: str) -> KeptAnswer | None:
        """Take a key for a request that begins; return what is kept under it, if it was taken before."""
        this = (IdempotencyRow.user == user) & (IdempotencyRow.key == key)
        with self._transaction() as session:
            session.execute(delete(IdempotencyRow).where(IdempotencyRow.expires_at < now()))
            postgres = session.get_bind().dialect.name == "postgresql"
            statement: Any = postgresql.insert(IdempotencyRow) if postgres else sqlite.insert(IdempotencyRow)
            values = {"user": user, "key": key, "fingerprint": fingerprint, "headers": []}
            statement = statement.values(**values, expires_at=now(PENDING_SECONDS)).on_conflict_do_nothing()
            if session.execute(statement.returning(IdempotencyRow.key)).first() is not None:
                return None
            row = session.scalars(select(IdempotencyRow).where(this)).one()
            headers = dict(zip(row.headers[::2], row.headers[1::2], strict=True))
            return KeptAnswer(row.fingerprint, row.status, headers, row.body or b"")

    def keep(self, user: str, key: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Keep the answer to a request for a day."""
        flat = [part for pair in headers.items() for part in pair]
        values = {"status": status, "headers": flat, "body": body}
        this = (IdempotencyRow.user == user) & (IdempotencyRow.key == key)
        with self._transaction() as session:
            session.execute(update(IdempotencyRow).where(this).values(**values, expires_at=now(KEPT_SECONDS)))

    def forget(self, user: str, key: str) -> None:
        """Give a key back whose request has failed: the same may be sent again."""
        with self._transaction() as session:
            session.execute(delete(IdempotencyRow).where(IdempotencyRow.user == user, IdempotencyRow.key == key))
