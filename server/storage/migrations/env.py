"""Runs the revisions on the connection that `server.storage.migrate` opened."""

from __future__ import annotations

from alembic import context

from server.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
