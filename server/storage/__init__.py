"""All SQL of the server. Functions take an open connection; the caller owns the transaction.

`engine.py` is the one place that knows SQLite from PostgreSQL. `tables.py` says what is stored.
"""
