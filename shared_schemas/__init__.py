"""What a record is and what a change is: the one language of phone and server.

Nothing here does I/O, reads a clock or draws random numbers (the code lists read their own package
data). Both `mobile` and `server` may import everything here; nothing here imports them.
"""

SCHEMA_VERSION = 3
"""Version of the declared fields; every change carries the version it was written under."""
