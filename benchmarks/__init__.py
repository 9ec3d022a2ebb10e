"""Benchmarks: one file, one question; `python -m benchmarks --list` names them, docs/benchmarks.md has the answers."""
