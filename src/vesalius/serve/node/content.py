"""A digest of what an instance holds: the same for the same data set, whatever its transfer syntax."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from vesalius.dicom.pixels import decoded

_PIXELS = Tag(0x7FE0, 0x0010)
_PADDING = Tag(0xFFFC, 0xFFFC)
_MOST_DECODED = 1 << 29  # bytes; larger images are compared by their encoded bytes


def same(path: Path, data: bytes) -> bool:
    """Return whether an instance that was sent again has the content of the file at `path`. Raises OSError."""
    kept = path.read_bytes()
    return kept == data or digest(kept) == digest(data)


def digest(data: bytes) -> str:
    """Return the SHA-256 of a data set's elements and decoded pixels; of its bytes where it cannot be read."""
    try:
        with warnings.catch_warnings(action="ignore"):
            read = pydicom.dcmread(io.BytesIO(data))
            pixels = _pixels(read)
            for element in [e.tag for e in read]:
                if element in (_PIXELS, _PADDING) or element.element == 0:  # group lengths
                    del read[element]
            said = json.dumps(read.to_json_dict(suppress_invalid_tags=False), sort_keys=True)
    except decoded.UNREADABLE:
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha256(said.encode() + pixels).hexdigest()


def _pixels(read: Dataset) -> bytes:
    """Return a digest of the decoded pixels, or of the encoded bytes where they cannot be decoded."""
    if _PIXELS not in read:
        return b""
    raw: bytes = read[_PIXELS].value or b""
    bits = int(read.get("BitsAllocated") or 0)
    samples = int(read.get("NumberOfFrames") or 1) * int(read.get("SamplesPerPixel") or 1)
    if int(read.get("Rows") or 0) * int(read.get("Columns") or 0) * samples * bits // 8 <= _MOST_DECODED:
        try:
            return hashlib.sha256(decoded.frames(read).tobytes()).digest()
        except decoded.UNREADABLE:
            pass
    return hashlib.sha256(raw).digest()
