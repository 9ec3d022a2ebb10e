"""Benchmarks: one file, one question; `python -m benchmarks --list` names them, docs/benchmarks.md keeps what they found."""
