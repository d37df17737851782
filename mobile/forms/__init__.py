"""Forms without a screen: what a visit asks, what it answered, what is wrong with it.

Imports `mobile.storage` and `shared_schemas`; a screen draws what these modules say.
"""
