"""Alembic revisions of the fixed tables; the record tables follow the declared fields."""
