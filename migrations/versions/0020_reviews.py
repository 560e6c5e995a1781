"""Reviews and access over HTTP: ratings, votes, saved views, tokens, sessions, shares, requests answered once"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "sweeps",
        sa.Column(
            "parent_id",
            sa.String(36),
            comment="The sweep from one of whose cells this one was made, which may be deleted; null: none.",
        ),
    )
    op.create_index(op.f("ix_artifacts_sha256"), "artifacts", ["sha256"])
    _create_reviews()
    _create_access()


def downgrade() -> None:
    for table in (
        "idempotency_keys",
        "shares",
        "browser_sessions",
        "tokens",
        "saved_views",
        "votes",
        "review_actions",
        "ratings",
    ):
        op.drop_table(table)
    op.drop_index(op.f("ix_artifacts_sha256"), "artifacts")
    # Not in a batch, which makes the table anew: a view reads it.
    op.drop_column("sweeps", "parent_id")


def _create_reviews() -> None:
    op.create_table(
        "ratings",
        sa.Column("job_id", sa.String(36), nullable=False, comment="The job."),
        sa.Column("user", sa.String(64), nullable=False, comment="Who rates it."),
        sa.Column("stars", sa.Integer(), nullable=True, comment="0 to 5; null: not rated."),
        sa.Column("flag", sa.String(8), nullable=True, comment="pick or reject; null: neither."),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it was last changed."),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_ratings_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "user", name=op.f("pk_ratings")),
        comment="What a user thinks of the picture of a job.",
    )
    op.create_index(op.f("ix_ratings_user_updated_at"), "ratings", ["user", "updated_at"])
    op.create_table(
        "review_actions",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="A number of its own; later ones are higher.",
        ),
        sa.Column("user", sa.String(64), nullable=False, comment="Who did it."),
        sa.Column("kind", sa.String(8), nullable=False, comment="rating or vote."),
        sa.Column("changes", sa.JSON(), nullable=False, comment="By job, the rating before and after; or the vote."),
        sa.Column("undone", sa.Boolean(), nullable=False, comment="Whether it was undone."),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="When it was done."),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_actions")),
        comment="Something a user did in a review, with what was there before and after, so that it can be undone.",
    )
    op.create_index(op.f("ix_review_actions_user_id"), "review_actions", ["user", "id"])
    op.create_table(
        "votes",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="A number of its own; later ones are higher.",
        ),
        sa.Column("sweep_id", sa.String(36), nullable=False, comment="The sweep in which they were compared."),
        sa.Column("user", sa.String(64), nullable=False, comment="Who voted."),
        sa.Column("left_job", sa.String(36), nullable=False, comment="One job."),
        sa.Column("right_job", sa.String(36), nullable=False, comment="The other one."),
        sa.Column("outcome", sa.String(8), nullable=False, comment="left, right, tie or skip."),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="When it was cast."),
        sa.ForeignKeyConstraint(["left_job"], ["jobs.id"], name=op.f("fk_votes_left_job"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["right_job"], ["jobs.id"], name=op.f("fk_votes_right_job"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweeps.id"], name=op.f("fk_votes_sweep_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_votes")),
        comment="Which of two pictures of a sweep a user prefers.",
    )
    op.create_index(op.f("ix_votes_left_job"), "votes", ["left_job"])
    op.create_index(op.f("ix_votes_right_job"), "votes", ["right_job"])
    op.create_index(op.f("ix_votes_sweep_id_id"), "votes", ["sweep_id", "id"])
    op.create_table(
        "saved_views",
        sa.Column("sweep_id", sa.String(36), nullable=False, comment="The sweep."),
        sa.Column("user", sa.String(64), nullable=False, comment="Whose it is."),
        sa.Column("name", sa.String(64), nullable=False, comment="What its user calls it."),
        sa.Column("query", sa.Text(), nullable=False, comment="The query of the page's address."),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it was last kept."),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweeps.id"], name=op.f("fk_saved_views_sweep_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sweep_id", "user", "name", name=op.f("pk_saved_views")),
        comment="A view of a sweep that a user has kept by name: axes, filters, order.",
    )


def _create_access() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(36), nullable=False, comment="Its id, a UUID."),
        sa.Column("sha256", sa.String(64), nullable=False, comment="The hash of the secret."),
        sa.Column("user", sa.String(64), nullable=False, comment="Whose it is."),
        sa.Column("role", sa.String(8), nullable=False, comment="read, submit or admin."),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made."),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True, comment="When it ends; null: never."),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("sha256", name=op.f("uq_tokens_sha256")),
        comment="A secret by which a program, or a person who signs in, is known; only its hash is stored.",
    )
    op.create_table(
        "browser_sessions",
        sa.Column("sha256", sa.String(64), nullable=False, comment="The hash of the cookie."),
        sa.Column("token_id", sa.String(36), nullable=False, comment="The token; the session ends with it."),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="When it ends."),
        sa.ForeignKeyConstraint(
            ["token_id"], ["tokens.id"], name=op.f("fk_browser_sessions_token_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_browser_sessions")),
        comment="A browser that has signed in with a token; only the hash of its cookie is stored.",
    )
    op.create_index(op.f("ix_browser_sessions_token_id"), "browser_sessions", ["token_id"])
    op.create_table(
        "shares",
        sa.Column("id", sa.String(36), nullable=False, comment="Its id, a UUID."),
        sa.Column("sha256", sa.String(64), nullable=False, comment="The hash of the secret in the link."),
        sa.Column("sweep_id", sa.String(36), nullable=False, comment="The sweep that it shows."),
        sa.Column("user", sa.String(64), nullable=False, comment="Who shares it."),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made."),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="When it ends."),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweeps.id"], name=op.f("fk_shares_sweep_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shares")),
        sa.UniqueConstraint("sha256", name=op.f("uq_shares_sha256")),
        comment="A link by which anybody may look at one sweep; only the hash of its secret is stored.",
    )
    op.create_index(op.f("ix_shares_sweep_id"), "shares", ["sweep_id"])
    op.create_table(
        "idempotency_keys",
        sa.Column("user", sa.String(64), nullable=False, comment="Whose request it is."),
        sa.Column("key", sa.String(255), nullable=False, comment="The client's key."),
        sa.Column("fingerprint", sa.String(64), nullable=False, comment="The hash of the request."),
        sa.Column(
            "status", sa.Integer(), nullable=True, comment="The status of the answer; null: it is being worked on."
        ),
        sa.Column("headers", sa.JSON(), nullable=False, comment="The headers of the answer that are kept."),
        sa.Column("body", sa.LargeBinary(), nullable=True, comment="The body of the answer."),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="When the key may be used anew."),
        sa.PrimaryKeyConstraint("user", "key", name=op.f("pk_idempotency_keys")),
        comment="The answer to a request that its client may send again, by the key that the client gave it.",
    )
    op.create_index(op.f("ix_idempotency_keys_expires_at"), "idempotency_keys", ["expires_at"])
