"""The counties' server: sync, merge, review, roster import and the available-labour list.

`app.py` puts it together; `api/` and `web/` are the routes, `services/` decide (no Flask, no SQL),
`storage/` holds all SQL. `cli.py` is the command `chushan`.
"""
