"""The screens of the phone: each .py says what happens, the .kv beside it how it looks.

A screen calls `mobile.forms`, `mobile.sync` and the lists of `mobile.storage.records`, and draws
what they say; what is true is decided there. It reaches everything through its `phone`
(`mobile.app.ChushanApp`), and work that takes time goes through `phone.in_background`.
"""
