"""Trained models and data sets by name"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "models",
        *_common("What specs call it.", "The hash of the file, and the name of its object.", "The size of the file."),
        sa.Column("method", sa.String(16), nullable=False, comment="The method that applies it."),
        sa.Column("architecture", sa.JSON(), nullable=False, comment="What its network is built from."),
        sa.Column("card", sa.JSON(), nullable=False, comment="Where it comes from and how good it is."),
        *_end("The training job, or the file that it was imported from."),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_models")),
        comment="A trained model by name; its file is in the object store, under its hash.",
    )
    op.create_table(
        "datasets",
        *_common(
            "What training specs call it.",
            "The hash of the manifest, and the name of its object.",
            "The size of all pictures.",
        ),
        sa.Column("pictures", sa.Integer(), nullable=False, comment="How many pictures there are."),
        sa.Column("left_out", sa.Integer(), nullable=False, comment="How many files could not be used."),
        *_end("The folder or address that they were read from."),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_datasets")),
        comment="A data set by name; its manifest, which names each picture by its hash, is in the object store.",
    )


def downgrade() -> None:
    op.drop_table("datasets")
    op.drop_table("models")


def _common(name: str, sha256: str, size: str) -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("name", sa.String(64), nullable=False, comment=name),
        sa.Column("sha256", sa.String(64), nullable=False, comment=sha256),
        sa.Column("bytes", sa.BigInteger(), nullable=False, comment=size),
    )


def _end(source: str) -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("source", sa.Text(), nullable=False, comment=source),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was registered."),
    )
