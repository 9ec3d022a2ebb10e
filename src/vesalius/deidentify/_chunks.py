"""PNG, GIF and WebP streams with only those blocks that draw."""

from __future__ import annotations

import struct
import zlib
from typing import Any

_PNG = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs",
        b"acTL", b"fcTL", b"fdAT", b"cICP")  # fmt: skip
_PNG_SIZES = {
    b"gAMA": 4,
    b"cHRM": 32,
    b"sRGB": 1,
    b"pHYs": 9,
    b"acTL": 8,
    b"fcTL": 26,
    b"cICP": 4,
    b"IEND": 0,
    b"IHDR": 13,
}
_WEBP = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF")
_NO_META = 0b11010010  # of VP8X's flags: no colour profile (bit 5), EXIF (3), XMP (2)
_HAS_EXIF = 0b00001000


def png(data: bytes, exif: bytes = b"") -> bytes:
    """Return a PNG with `exif` before the pixels instead of its own text and EXIF chunks.

    Raises ValueError where a checksum, a length or the end is wrong.
    """
    out, at, pixels = bytearray(data[:8]), 8, zlib.decompressobj()
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data) or zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(
            data[end - 4 : end], "big"
        ):
            raise ValueError("a damaged chunk")
        if exif and kind in (b"PLTE", b"IDAT"):
            out += struct.pack(">I", len(exif)) + b"eXIf" + exif
            out += struct.pack(">I", zlib.crc32(b"eXIf" + exif))
            exif = b""
        if kind == b"IDAT":
            out += _idat(pixels, data[at + 8 : end - 4])
        elif kind in _PNG and _PNG_SIZES.get(kind, length) == length:
            out += data[at:end]
        if kind == b"IEND":
            return bytes(out)
        at = end
    raise ValueError("no end")


def _idat(pixels: Any, body: bytes) -> bytes:
    """Return the chunk anew, without bytes behind the end of the pixels' stream; nothing once that has ended."""
    if pixels.eof:
        return b""
    rest = body
    while rest and not pixels.eof:
        pixels.decompress(rest, 1 << 20)
        rest = pixels.unconsumed_tail
    body = body[: len(body) - len(pixels.unused_data)]
    checksum = zlib.crc32(b"IDAT" + body)
    return struct.pack(">I", len(body)) + b"IDAT" + body + struct.pack(">I", checksum)


def gif(data: bytes) -> bytes:
    """Return a GIF with pictures and the loop count alone, without comments. Raises ValueError, IndexError."""
    flags = data[10]
    at = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    out = bytearray(data[:at])
    while True:
        kind = data[at]
        if kind == 0x3B:
            return bytes(out + b";")
        if kind == 0x2C:
            local = data[at + 9]
            start = at + 10 + (3 << ((local & 7) + 1) if local & 0x80 else 0) + 1
            end = _blocks(data, start)
            out += data[at:end]
        elif kind == 0x21:
            end = _blocks(data, at + 2)
            label = data[at + 1]
            if label == 0xF9 or (
                label == 0xFF and data[at + 3 : at + 14] == b"NETSCAPE2.0" and end - at == 19
            ):
                out += data[at:end]
        else:
            raise ValueError("an unknown block")
        at = end


def _blocks(data: bytes, at: int) -> int:
    while data[at]:
        at += 1 + data[at]
    return at + 1


def webp(data: bytes, exif: bytes = b"") -> bytes:
    """Return a WebP without XMP, profiles and unknown chunks, and with `exif` for its EXIF. Raises ValueError."""
    total = 8 + struct.unpack_from("<I", data, 4)[0]
    if total > len(data):
        raise ValueError("truncated")
    out, at = bytearray(), 12
    while at + 8 <= total:
        kind, (length,) = data[at : at + 4], struct.unpack_from("<I", data, at + 4)
        body = data[at + 8 : at + 8 + length]
        if len(body) < length:
            raise ValueError("truncated")
        if kind == b"VP8X":
            body = bytes([body[0] & _NO_META | (_HAS_EXIF if exif else 0)]) + body[1:]
        if kind in _WEBP:
            out += kind + struct.pack("<I", length) + body + b"\0" * (length % 2)
        at += 8 + length + length % 2
    if exif:
        out += b"EXIF" + struct.pack("<I", len(exif)) + exif + b"\0" * (len(exif) % 2)
    return b"RIFF" + struct.pack("<I", len(out) + 4) + b"WEBP" + bytes(out)
