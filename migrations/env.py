"""Alembic's entry: runs the migrations over the connection that `migrations.upgrade` hands in."""

from __future__ import annotations

from alembic import context

from stylefarm.shared.db.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
