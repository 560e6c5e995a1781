"""A sweep is counted, and asked for what has changed, without looking at its rows"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_jobs_sweep_id_state"), ["sweep_id", "state"], unique=False)
        batch_op.create_index(batch_op.f("ix_jobs_sweep_id_updated_at"), ["sweep_id", "updated_at"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        # Counting reads the index alone where PostgreSQL knows the rows to be visible, which vacuum tells it.
        often = "vacuum_scale_factor", "vacuum_insert_scale_factor", "analyze_scale_factor"
        op.execute(f"ALTER TABLE jobs SET ({', '.join(f'autovacuum_{name} = 0.02' for name in often)})")
