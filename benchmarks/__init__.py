"""Measurements beside a peer, each runnable alone: `python -m benchmarks.push_pull`.

A module has `measure() -> Section`; `benchmarks.run` runs them all and writes docs/benchmarks.md.
"""
