"""What a job was asked for moves to a table of its own"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_orders_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_orders")),
    )
    op.execute("INSERT INTO orders (job_id, spec, notes) SELECT id, spec, notes FROM jobs")
    # Not by a batch, which on SQLite makes the table anew, and with the old one drops what belongs to its jobs.
    op.drop_column("jobs", "spec")
    op.drop_column("jobs", "notes")
