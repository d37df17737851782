"""The way to the county's server and back: enrol, push, pull (sync.md). Runs off the UI thread.

Imports `mobile.storage` and `shared_schemas`; `requests` is imported when the first request is made.
"""
