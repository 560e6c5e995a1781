"""The tables of what people think of pictures: ratings, votes, and the views that they keep."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from stylefarm.shared.db.base import Base, Counter
from stylefarm.shared.db.clock import now
from stylefarm.shared.settings import LONGEST_USER


class RatingRow(Base):
    """What a user thinks of the picture of a job."""

    __tablename__ = "ratings"
    __table_args__ = (Index(None, "user", "updated_at"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, comment="The job.")
    user: Mapped[str] = mapped_column(String(LONGEST_USER), primary_key=True, comment="Who rates it.")
    stars: Mapped[int | None] = mapped_column(comment="0 to 5; null: not rated.")
    flag: Mapped[str | None] = mapped_column(String(8), comment="pick or reject; null: neither.")
    updated_at: Mapped[datetime] = mapped_column(default=now(), comment="When it was last changed.")


class ReviewActionRow(Base):
    """Something a user did in a review, with what was there before and after, so that it can be undone."""

    __tablename__ = "review_actions"
    __table_args__ = (Index(None, "user", "id"),)

    id: Mapped[int] = mapped_column(Counter, primary_key=True, comment="A number of its own; later ones are higher.")
    user: Mapped[str] = mapped_column(String(LONGEST_USER), comment="Who did it.")
    kind: Mapped[str] = mapped_column(String(8), comment="rating or vote.")
    changes: Mapped[dict[str, Any]] = mapped_column(comment="By job, the rating before and after; or the vote.")
    undone: Mapped[bool] = mapped_column(default=False, comment="Whether it was undone.")
    at: Mapped[datetime] = mapped_column(default=now(), comment="When it was done.")


class VoteRow(Base):
    """Which of two pictures of a sweep a user prefers."""

    __tablename__ = "votes"
    __table_args__ = (Index(None, "sweep_id", "id"),)

    id: Mapped[int] = mapped_column(Counter, primary_key=True, comment="A number of its own; later ones are higher.")
    sweep_id: Mapped[str] = mapped_column(
        ForeignKey("sweeps.id", ondelete="CASCADE"), comment="The sweep in which they were compared."
    )
    user: Mapped[str] = mapped_column(String(LONGEST_USER), comment="Who voted.")
    left_job: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True, comment="One job.")
    right_job: Mapped[str] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), index=True, comment="The other one."
    )
    outcome: Mapped[str] = mapped_column(String(8), comment="left, right, tie or skip.")
    at: Mapped[datetime] = mapped_column(default=now(), comment="When it was cast.")


class SavedViewRow(Base):
    """A view of a sweep that a user has kept by name: axes, filters, order."""

    __tablename__ = "saved_views"

    sweep_id: Mapped[str] = mapped_column(
        ForeignKey("sweeps.id", ondelete="CASCADE"), primary_key=True, comment="The sweep."
    )
    user: Mapped[str] = mapped_column(String(LONGEST_USER), primary_key=True, comment="Whose it is.")
    name: Mapped[str] = mapped_column(String(64), primary_key=True, comment="What its user calls it.")
    query: Mapped[str] = mapped_column(comment="The query of the page's address.")
    updated_at: Mapped[datetime] = mapped_column(default=now(), comment="When it was last kept.")
