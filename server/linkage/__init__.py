"""Finding the same person in whole registers: Fellegi-Sunter by Splink, then a strict gate.

`levels` declares what is compared and how, `gate` what a machine may link by itself, `clusters` how
links become persons, `batch` runs it on DuckDB or Spark, `files` reads and writes. docs/matching.md
explains it to whoever has to defend a figure.
"""
