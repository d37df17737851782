"""The phone's database: records, drafts, outbox, what the county said. All SQL of the phone is here.

Imports `shared_schemas` only. Everything that the app knows is in one SQLite file, so a kill at any
moment loses nothing that was touched.
"""
