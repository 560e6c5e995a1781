"""Who may use the farm over HTTP: tokens, sessions of browsers, shared sweeps. Only hashes of secrets are stored."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from sqlalchemy import delete, insert, or_, select

from stylefarm.shared.db.access_tables import BrowserSessionRow, IdempotencyRow, ShareRow, TokenRow
from stylefarm.shared.db.clock import now
from stylefarm.shared.db.connection import reading_session
from stylefarm.shared.db.tables import SweepRow
from stylefarm.shared.errors import InvalidRequest, NotFound
from stylefarm.shared.settings import LONGEST_USER
from stylefarm.shared.store.moves import Transactions

DAY = 86_400.0
SESSION_SECONDS = 30 * DAY
LONGEST_SHARE_DAYS = 365


class Role(IntEnum):
    """What may be done: each role may do what those before it may."""

    READ = 1
    SUBMIT = 2
    ADMIN = 3

    @classmethod
    def parse(cls, word: str) -> Role:
        """Return the role of a name in small letters. Raises InvalidRequest."""
        try:
            return cls[word.upper()]
        except KeyError:
            raise InvalidRequest(f"no role is called {word!r:.40}: give read, submit or admin") from None

    @property
    def word(self) -> str:
        """Its name in small letters."""
        return self.name.lower()


@dataclass(frozen=True)
class Grant:
    """Who somebody is, and what they may do."""

    user: str
    role: Role


@dataclass(frozen=True)
class Share:
    """A link to one sweep: its id, the sweep, who shares it, and when it ends."""

    id: str
    sweep_id: str
    user: str
    created_at: datetime
    expires_at: datetime


class Access(Transactions):
    """Writes and checks who may use the farm. Raises ServiceUnavailable and NotMigrated."""

    def create_token(self, user: str, role: Role, days: float | None = None) -> tuple[str, str]:
        """Return the id and the secret of a new token; the secret is never shown again.

        Raises:
            InvalidRequest: the name of the user is empty, too long, or not printable.
        """
        if not user.strip() or len(user) > LONGEST_USER or not user.isprintable():
            raise InvalidRequest(f"a user's name has 1 to {LONGEST_USER} printable characters: correct {user!r:.80}")
        token_id, secret = str(uuid.uuid4()), _secret("sf")
        until = None if days is None else now(days * DAY)
        values = {"id": token_id, "sha256": _hash(secret), "user": user, "role": role.word}
        with self._transaction() as session:
            session.execute(insert(TokenRow).values(**values, created_at=now(), expires_at=until))
        return token_id, secret

    def tokens(self) -> list[TokenRow]:
        """Return all tokens, oldest first."""
        with reading_session(self.engine) as session:
            return list(session.scalars(select(TokenRow).order_by(TokenRow.created_at, TokenRow.id)))

    def revoke_token(self, token_id: str) -> None:
        """Delete a token, and the sessions that began with it. Raises NotFound."""
        with self._transaction() as session:
            gone = delete(TokenRow).where(TokenRow.id == token_id).returning(TokenRow.id)
            if session.scalars(gone).first() is None:
                raise NotFound(f"there is no token {token_id}")

    def check_token(self, secret: str) -> Grant | None:
        """Return who has that token; None if nobody has, or it has ended."""
        valid = (TokenRow.sha256 == _hash(secret)) & or_(TokenRow.expires_at.is_(None), TokenRow.expires_at > now())
        with reading_session(self.engine) as session:
            row = session.execute(select(TokenRow.user, TokenRow.role).where(valid)).one_or_none()
        return None if row is None else Grant(row[0], Role.parse(row[1]))

    def sign_in(self, secret: str) -> str | None:
        """Return the cookie of a new session of the user who has that token; None if nobody has."""
        valid = (TokenRow.sha256 == _hash(secret)) & or_(TokenRow.expires_at.is_(None), TokenRow.expires_at > now())
        cookie = _secret("session")
        with self._transaction() as session:
            session.execute(delete(BrowserSessionRow).where(BrowserSessionRow.expires_at < now()))
            token = session.execute(select(TokenRow.id).where(valid)).scalar_one_or_none()
            if token is None:
                return None
            values = {"sha256": _hash(cookie), "token_id": token}
            session.execute(insert(BrowserSessionRow).values(**values, expires_at=now(SESSION_SECONDS)))
        return cookie

    def sign_out(self, cookie: str) -> None:
        """End a session."""
        with self._transaction() as session:
            session.execute(delete(BrowserSessionRow).where(BrowserSessionRow.sha256 == _hash(cookie)))

    def check_session(self, cookie: str) -> Grant | None:
        """Return whose session has that cookie; None if nobody's, or it, or its token, has ended."""
        valid = (BrowserSessionRow.sha256 == _hash(cookie)) & (BrowserSessionRow.expires_at > now())
        lasting = or_(TokenRow.expires_at.is_(None), TokenRow.expires_at > now())
        joined = select(TokenRow.user, TokenRow.role).join(BrowserSessionRow, BrowserSessionRow.token_id == TokenRow.id)
        with reading_session(self.engine) as session:
            row = session.execute(joined.where(valid, lasting)).one_or_none()
        return None if row is None else Grant(row[0], Role.parse(row[1]))

    def share(self, user: str, sweep_id: str, days: float) -> tuple[Share, str]:
        """Return a new link to a sweep, and its secret. Raises NotFound, InvalidRequest."""
        if not 0 < days <= LONGEST_SHARE_DAYS:
            raise InvalidRequest(f"a link lasts up to {LONGEST_SHARE_DAYS} days: give days in that range, not {days:g}")
        secret = _secret("share")
        values = {"id": str(uuid.uuid4()), "sha256": _hash(secret), "sweep_id": sweep_id, "user": user}
        with self._transaction() as session:
            if session.get(SweepRow, sweep_id) is None:
                raise NotFound(f"there is no sweep {sweep_id}")
            statement = insert(ShareRow).values(**values, created_at=now(), expires_at=now(days * DAY))
            row = session.scalars(statement.returning(ShareRow)).one()
            return _share(row), secret

    def shares(self, sweep_id: str) -> list[Share]:
        """Return the links to a sweep that have not ended, oldest first."""
        lasting = (ShareRow.sweep_id == sweep_id) & (ShareRow.expires_at > now())
        with reading_session(self.engine) as session:
            return [
                _share(row) for row in session.scalars(select(ShareRow).where(lasting).order_by(ShareRow.created_at))
            ]

    def check_share(self, secret: str) -> Share | None:
        """Return the link that has that secret; None if there is none, or it has ended."""
        valid = (ShareRow.sha256 == _hash(secret)) & (ShareRow.expires_at > now())
        with reading_session(self.engine) as session:
            row = session.scalars(select(ShareRow).where(valid)).one_or_none()
            return None if row is None else _share(row)

    def revoke_share(self, share_id: str) -> None:
        """End a link. Raises NotFound."""
        with self._transaction() as session:
            gone = delete(ShareRow).where(ShareRow.id == share_id).returning(ShareRow.id)
            if session.scalars(gone).first() is None:
                raise NotFound(f"there is no link {share_id}")

    def forget_expired(self) -> None:
        """Delete what has ended: sessions, links, keys of requests."""
        with self._transaction() as session:
            for table in (BrowserSessionRow, ShareRow, IdempotencyRow):
                session.execute(delete(table).where(table.expires_at < now()))


def _share(row: ShareRow) -> Share:
    return Share(row.id, row.sweep_id, row.user, row.created_at, row.expires_at)


def _secret(kind: str) -> str:
    return f"{kind}_{secrets.token_urlsafe(32)}"


def _hash(secret: str) -> str:
    # Secrets are random and long: a slow hash would protect nothing.
    return hashlib.sha256(secret.encode()).hexdigest()
