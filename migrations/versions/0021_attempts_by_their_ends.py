"""Attempts are found by when they ended: what each worker has done of late"""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_attempts_ended_at"), "attempts", ["ended_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_attempts_ended_at"), "attempts")
