"""UIDs and decimal strings of DICOM objects of phantoms, the same on every run."""

from __future__ import annotations

import hashlib

from pydicom.uid import UID


def uid(*parts: object) -> UID:
    """Return a UID under the root for UUIDs (2.25), made from the SHA-256 of what it names."""
    digest = hashlib.sha256("/".join(map(str, ("vesalius.phantom", *parts))).encode()).digest()
    return UID(f"2.25.{int.from_bytes(digest[:16], 'big')}")


def decimal(value: float) -> str:
    """Return a decimal string (DS, at most 16 characters) with as many digits as fit."""
    for digits in range(15, 0, -1):
        text = f"{value:.{digits}g}"
        if len(text) <= 16:
            return text
    return f"{value:.6g}"
