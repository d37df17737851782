"""The phone app of a village cadre: forms without a network, and a sync when there is one.

`storage/` is the phone's database and all its SQL. `forms/` is what is true of a visit, `sync/` is
the way to the county and back; both stand on storage and know nothing of each other. `device/` is
what a phone and a PC do differently. None of these knows Kivy: `app.py`, `screens/` and `widgets/`
draw what they say.
"""

VERSION = "0.1.0"
"""Of the app and of the package; pyproject.toml and buildozer.spec read it here."""
