"""The tables of who may use the farm over HTTP: tokens, sessions of browsers, shared sweeps, requests answered once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from stylefarm.shared.db.base import Base
from stylefarm.shared.db.clock import now
from stylefarm.shared.schema.documents import TokenDocument
from stylefarm.shared.settings import LONGEST_USER


class TokenRow(Base):
    """A secret by which a program, or a person who signs in, is known; only its hash is stored."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, comment="Its id, a UUID.")
    sha256: Mapped[str] = mapped_column(String(64), unique=True, comment="The hash of the secret.")
    user: Mapped[str] = mapped_column(String(LONGEST_USER), comment="Whose it is.")
    role: Mapped[str] = mapped_column(String(8), comment="read, submit or admin.")
    created_at: Mapped[datetime] = mapped_column(default=now(), comment="When it was made.")
    expires_at: Mapped[datetime | None] = mapped_column(comment="When it ends; null: never.")


def token_document(row: TokenRow) -> TokenDocument:
    """Return a token as JSON, without its secret."""
    return {
        "id": row.id,
        "user": row.user,
        "role": row.role,
        "created_at": row.created_at.isoformat(),
        "expires_at": None if row.expires_at is None else row.expires_at.isoformat(),
    }


class BrowserSessionRow(Base):
    """A browser that has signed in with a token; only the hash of its cookie is stored."""

    __tablename__ = "browser_sessions"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True, comment="The hash of the cookie.")
    token_id: Mapped[str] = mapped_column(
        ForeignKey("tokens.id", ondelete="CASCADE"), index=True, comment="The token; the session ends with it."
    )
    expires_at: Mapped[datetime] = mapped_column(comment="When it ends.")


class ShareRow(Base):
    """A link by which anybody may look at one sweep; only the hash of its secret is stored."""

    __tablename__ = "shares"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, comment="Its id, a UUID.")
    sha256: Mapped[str] = mapped_column(String(64), unique=True, comment="The hash of the secret in the link.")
    sweep_id: Mapped[str] = mapped_column(
        ForeignKey("sweeps.id", ondelete="CASCADE"), index=True, comment="The sweep that it shows."
    )
    user: Mapped[str] = mapped_column(String(LONGEST_USER), comment="Who shares it.")
    created_at: Mapped[datetime] = mapped_column(default=now(), comment="When it was made.")
    expires_at: Mapped[datetime] = mapped_column(comment="When it ends.")


class IdempotencyRow(Base):
    """The answer to a request that its client may send again, by the key that the client gave it."""

    __tablename__ = "idempotency_keys"

    user: Mapped[str] = mapped_column(String(LONGEST_USER), primary_key=True, comment="Whose request it is.")
    key: Mapped[str] = mapped_column(String(255), primary_key=True, comment="The client's key.")
    fingerprint: Mapped[str] = mapped_column(String(64), comment="The hash of the request.")
    status: Mapped[int | None] = mapped_column(comment="The status of the answer; null: it is being worked on.")
    headers: Mapped[list[str]] = mapped_column(default=list, comment="The headers of the answer that are kept.")
    body: Mapped[bytes | None] = mapped_column(LargeBinary, comment="The body of the answer.")
    expires_at: Mapped[datetime] = mapped_column(index=True, comment="When the key may be used anew.")
