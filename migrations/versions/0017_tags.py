"""Tags and notes of jobs and sweeps"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLES = ("sweeps", "job_requests")


def upgrade() -> None:
    # Not by a batch, which on SQLite makes the table anew, and with the old one drops what belongs to it.
    for table in TABLES:
        op.add_column(table, sa.Column("tags", sa.JSON(), server_default="[]", nullable=False))
        op.add_column(table, sa.Column("note", sa.Text(), nullable=True))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "note")
        op.drop_column(table, "tags")
