"""JPEG and JPEG 2000 streams without comments, EXIF, XMP and other application data; the image stays bit for bit."""

from __future__ import annotations

import struct

_KEPT_APPS = (0xE0, 0xE8, 0xEE)  # JFIF, SPIFF (JPEG-LS), Adobe (colour transform)
_ALONE = (0x01, *range(0xD0, 0xDA))


def jpeg(data: bytes) -> bytes:
    """A JPEG or JPEG-LS stream that ends at its end mark. Raises ValueError for anything else."""
    if data[:2] != b"\xff\xd8":
        raise ValueError("no JPEG stream")
    out, at = bytearray(b"\xff\xd8"), 2
    while at < len(data):
        if data[at] != 0xFF:
            raise ValueError("no marker where one is due")
        while at + 1 < len(data) and data[at + 1] == 0xFF:
            at += 1
        marker = data[at + 1]
        if marker == 0xD9:
            return bytes(out + b"\xff\xd9")
        if marker in _ALONE:
            out += data[at : at + 2]
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        if length < 2 or end > len(data):
            raise ValueError("a segment beyond the end")
        out += _segment(marker, data[at:end])
        at = end
        if marker == 0xDA:
            at = _scan_end(data, end)
            out += data[end:at]
    raise ValueError("no end mark")


def _segment(marker: int, segment: bytes) -> bytes:
    if marker == 0xE0:  # JFIF without its thumbnail; JFXX is a thumbnail and nothing else
        if segment[4:9] != b"JFIF\0":
            return b""
        return b"\xff\xe0\0\x10" + segment[4:16] + b"\0\0"
    if marker == 0xE8 and segment[4:9] != b"SPIFF" and segment[4:8] != b"mrfx":
        return b""
    if marker == 0xEE:
        return segment if segment[4:9] == b"Adobe" and len(segment) == 16 else b""
    if marker == 0xFE or (0xE0 <= marker <= 0xEF and marker not in _KEPT_APPS):
        return b""
    return segment


def _scan_end(data: bytes, at: int) -> int:
    """Where the entropy-coded bytes end: at a marker that is neither stuffing nor a restart."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise ValueError("no end mark")
        following = data[at + 1]
        # JPEG-LS stuffs a zero bit, so that anything below 0x80 belongs to the scan
        if following >= 0x80 and not 0xD0 <= following <= 0xD7 and following != 0xFF:
            return at
        at += 1 if following == 0xFF else 2


def jpeg2000(data: bytes) -> bytes:
    """A JPEG 2000 codestream without the comments of its main header. Raises ValueError."""
    if data[:4] != b"\xff\x4f\xff\x51":
        raise ValueError("no JPEG 2000 codestream")
    out, at = bytearray(data[:2]), 2
    while True:
        marker = data[at : at + 2]
        if len(marker) < 2:
            raise ValueError("no tile")
        if marker == b"\xff\x90":
            return bytes(out + data[at:])
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker != b"\xff\x64":
            out += data[at : at + 2 + length]
        at += 2 + length


def frame(data: bytes) -> bytes:
    """An encapsulated frame of either kind; what is neither stays as it is."""
    try:
        return jpeg(data) if data[:2] == b"\xff\xd8" else jpeg2000(data)
    except (ValueError, struct.error):
        return data
