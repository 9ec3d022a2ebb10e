"""Namings: one file = what another library calls the tensors of nets that we have, too.

A file holds the literal `NAMES = {"torchvision": "one line"}` and one function:

    read(found: Found) -> Weights | None

It returns None for tensors that are not named so. `weights/reader.py` asks each of them. A file that has the literal
`FINDS = True` also has `find(what: str) -> Found | None` for what is no single file of tensors: a folder, a hub's name.
"""

from __future__ import annotations

KIND = "weights.namings"
MUST = ("read",)

__all__ = ["KIND", "MUST"]
