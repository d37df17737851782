"""Invented people and a prepared database, to try Chushan without anybody's data.

`people` invents households that pass the rules, the same ones for the same seed; `roster` writes
them as a county's spreadsheet; `prepare` fills a database with them through the ordinary services.
Nothing here is used by a server in service.
"""
