"""A sweep is found again by what it asks for, and shares the jobs of others"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sweeps", schema=None) as batch_op:
        batch_op.add_column(sa.Column("key", sa.String(length=64), nullable=True))
        batch_op.create_index(batch_op.f("ix_sweeps_key"), ["key"], unique=True)
    op.create_table(
        "shared_cells",
        sa.Column("sweep_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cell", sa.JSON(), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_shared_cells_job_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweeps.id"], name=op.f("fk_shared_cells_sweep_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sweep_id", "position", name=op.f("pk_shared_cells")),
    )
    with op.batch_alter_table("shared_cells", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_shared_cells_job_id"), ["job_id"], unique=False)
