"""Origins: one file = where models of others come from; they are read as data and never run.

A file holds the literal `NAMES = {"nnunet": "one line"}`, `ORDER`, its place among those that are asked whether a
source is theirs, and two functions:

    suits(source: Path) -> bool                              whether it looks like that, by names and first bytes
    bring(source: Path, told: Told) -> Brought               the model; see `imports/contract.py`
"""

from __future__ import annotations

KIND = "imports.origins"
MUST = ("suits", "bring")

__all__ = ["KIND", "MUST"]
