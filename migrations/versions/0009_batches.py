"""Jobs that can be rendered together are found by a key"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BATCHED = sa.text("state = 'queued' AND attempt = 0 AND batch_key IS NOT NULL")


def upgrade() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("batch_key", sa.String(length=32), nullable=True))
        batch_op.create_index(
            "ix_jobs_batch",
            ["batch_key", "priority", "created_at", "position"],
            unique=False,
            postgresql_where=BATCHED,
            sqlite_where=BATCHED,
        )
