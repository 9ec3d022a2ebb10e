"""Namings: one file = what another library calls the tensors of nets that we have, too.

A file holds the literal `NAMES = {"torchvision": "one line"}` and one function:

    read(found: Found) -> Weights | None

It returns None for tensors that are not named so. `weights/reader.py` asks each of them.
"""

from __future__ import annotations

KIND = "weights.namings"
MUST = ("read",)

__all__ = ["KIND", "MUST"]
