"""Code streams of frames without comments, EXIF, XMP and other application data; the image stays bit for bit."""

from __future__ import annotations

import struct

from vesalius.deidentify import _boxes

_KEPT_APPS = (0xE0, 0xE8, 0xEE)  # JFIF, SPIFF (JPEG-LS), Adobe (colour transform)
_TILE, _COMMENT = b"\xff\x90", b"\xff\x64"
_ALONE = (0x01, *range(0xD0, 0xDA))


def jpeg(data: bytes) -> bytes:
    """Return a JPEG or JPEG-LS stream that ends at its end mark. Raises ValueError for anything else."""
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
    """Return where the entropy-coded bytes end: at a marker that is neither stuffing nor a restart."""
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
    """Return a JPEG 2000 codestream that ends at its end mark, without comments; those of a tile's header are blanked.

    Raises ValueError.
    """
    if data[:4] != b"\xff\x4f\xff\x51":
        raise ValueError("no JPEG 2000 codestream")
    out, at = bytearray(data[:2]), 2
    while (marker := data[at : at + 2]) != _TILE:
        end = _after(data, at)
        if marker != _COMMENT:
            out += data[at:end]
        at = end
    while data[at : at + 2] == _TILE:
        (length,) = struct.unpack_from(">I", data, at + 6)  # 0: all that is left
        end = at + length if length else max(data.rfind(b"\xff\xd9"), at)
        if not at + 14 <= end <= len(data):
            raise ValueError("a tile beyond the end")
        out += _tile(data[at:end])
        at = end
    return bytes(out + b"\xff\xd9")


def _tile(part: bytes) -> bytes:
    """Return a tile-part of the same length, since others say where it ends; without what its header's comments say."""
    out, at = bytearray(part), 12
    while part[at : at + 2] != b"\xff\x93":
        end = _after(part, at)
        if part[at : at + 2] == _COMMENT:
            out[at + 6 : end] = bytes(end - at - 6)
        at = end
    return bytes(out)


def _after(data: bytes, at: int) -> int:
    """Return where the marker segment at `at` ends."""
    if data[at : at + 1] != b"\xff" or at + 4 > len(data):
        raise ValueError("no marker where one is due")
    (length,) = struct.unpack_from(">H", data, at + 2)
    if length < 2 or at + 2 + length > len(data):
        raise ValueError("a segment beyond the end")
    return at + 2 + int(length)


def frame(data: bytes) -> bytes:
    """Return an encapsulated frame of any of these kinds; what is of none stays as it is."""
    try:
        if data[:2] == b"\xff\xd8":
            return jpeg(data)
        return _boxes.picture(data) if data[4:8] in (b"jP  ", b"JXL ") else jpeg2000(data)
    except (ValueError, struct.error):
        return data
