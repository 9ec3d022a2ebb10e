"""Seeds: numbers that follow from names, so that the same work draws the same random numbers."""

from __future__ import annotations

import hashlib


def seed_of(*parts: int | str) -> int:
    """Return a 63-bit seed from a run's seed, a member, a step, a case's id …: the same parts, the same seed."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
