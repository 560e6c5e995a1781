"""A job names the checkpoint that another attempt goes on from"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("checkpoint_key", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("checkpoint_sha256", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("checkpoint_bytes", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("checkpoint_iteration", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("checkpoint_attempt", sa.Integer(), nullable=True))
