"""TIFF and BigTIFF written anew with only the tags that say how pixels are stored; these stay bit for bit."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from vesalius.deidentify import _segments

_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
# structure, resolution, colour, prediction, tiles, samples, JPEG tables, YCbCr: none of them holds text
_KEPT = (
    254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 274, 277, 278, 280, 281, 282, 283, 284, 290, 291, 292,
    293, 296, 301, 317, 318, 319, 320, 321, 322, 323, 332, 334, 338, 339, 340, 341, 347, 529, 530, 531, 532,
    32995, 32996, 32997, 32998,
)  # fmt: skip
_DATA = {273: 279, 324: 325}  # offsets → byte counts, of strips and of tiles
_JPEG_TABLES, _COMPRESSION = 347, 259
_MOST_PAGES = 65536


@dataclass(frozen=True)
class _Layout:
    order: str
    big: bool

    @property
    def offset(self) -> str:
        return f"{self.order}{'Q' if self.big else 'I'}"

    @property
    def width(self) -> int:
        return 8 if self.big else 4


def rewrite(data: bytes) -> bytes:
    """Return the rewritten file. Raises ValueError or struct.error where it is damaged."""
    order = "<" if data[:2] == b"II" else ">"
    layout = _Layout(order, struct.unpack_from(f"{order}H", data, 2)[0] == 43)
    out = bytearray(data[:8] + b"\0" * 8 if layout.big else data[:4] + b"\0" * 4)
    link = 8 if layout.big else 4
    (at,) = struct.unpack_from(layout.offset, data, link)
    seen: set[int] = set()
    while at:
        if at in seen or len(seen) >= _MOST_PAGES:
            raise ValueError("pages in a circle")
        seen.add(at)
        tags, at = _page(data, at, layout)
        link = _write(out, tags, data, layout, link)
    if not seen:
        raise ValueError("no page")
    return bytes(out)


def _page(data: bytes, at: int, layout: _Layout) -> tuple[dict[int, tuple[int, int, bytes]], int]:
    """Return a page's tags as (type, count, bytes of the values), and where the next page is."""
    width = 20 if layout.big else 12
    (number,) = struct.unpack_from(f"{layout.order}{'Q' if layout.big else 'H'}", data, at)
    at += 8 if layout.big else 2
    tags: dict[int, tuple[int, int, bytes]] = {}
    for n in range(number):
        place = at + n * width
        tag, kind = struct.unpack_from(f"{layout.order}HH", data, place)
        (count,) = struct.unpack_from(layout.offset, data, place + 4)
        if kind not in _SIZES or not (tag in _KEPT or tag in _DATA or tag in _DATA.values()):
            continue
        length, where = _SIZES[kind] * count, place + 4 + layout.width
        if length > layout.width:
            (where,) = struct.unpack_from(layout.offset, data, where)
        if where + length > len(data):
            raise ValueError("a tag beyond the end")
        tags[tag] = (kind, count, data[where : where + length])
    (following,) = struct.unpack_from(layout.offset, data, at + number * width)
    return tags, following


def _write(
    out: bytearray, tags: dict[int, tuple[int, int, bytes]], data: bytes, layout: _Layout, link: int
) -> int:
    """Append a page with its pixels, put its place at `link`, and say where the next link goes."""
    compression = _numbers(tags.get(_COMPRESSION, (3, 1, struct.pack(f"{layout.order}H", 1))), layout)[0]
    pages = [(o, n) for o, n in _DATA.items() if o in tags and n in tags]
    if not pages:
        raise ValueError("a page without pixels")
    for offsets, counts in pages:
        places, sizes = [], []
        for where, size in zip(_numbers(tags[offsets], layout), _numbers(tags[counts], layout), strict=True):
            if where + size > len(data):
                raise ValueError("pixels beyond the end")
            piece = data[where : where + size]
            if compression == 7 and size:
                piece = _segments.frame(piece)
            places.append(len(out))
            sizes.append(len(piece))
            out += piece + b"\0" * (len(piece) % 2)
        letter, kind = ("Q", 16) if layout.big else ("I", 4)
        for tag, values in ((offsets, places), (counts, sizes)):
            tags[tag] = (kind, len(values), struct.pack(f"{layout.order}{len(values)}{letter}", *values))
    if _JPEG_TABLES in tags:
        kind, _, tables = tags[_JPEG_TABLES]
        clean = _segments.frame(tables)
        tags[_JPEG_TABLES] = (kind, len(clean), clean)
    return _directory(out, tags, layout, link)


def _directory(out: bytearray, tags: dict[int, tuple[int, int, bytes]], layout: _Layout, link: int) -> int:
    rows = bytearray()
    for tag in sorted(tags):
        kind, count, values = tags[tag]
        rows += struct.pack(f"{layout.order}HH", tag, kind) + struct.pack(layout.offset, count)
        if len(values) <= layout.width:
            rows += values.ljust(layout.width, b"\0")
        else:
            rows += struct.pack(layout.offset, len(out))
            out += values + b"\0" * (len(values) % 2)
    struct.pack_into(layout.offset, out, link, len(out))
    out += struct.pack(f"{layout.order}{'Q' if layout.big else 'H'}", len(tags)) + rows
    following = len(out)
    out += b"\0" * layout.width + b"\0" * (len(out) % 2)
    return following


def _numbers(tag: tuple[int, int, bytes], layout: _Layout) -> tuple[int, ...]:
    kind, count, values = tag
    letter = {3: "H", 4: "I", 16: "Q", 13: "I", 1: "B", 18: "Q"}.get(kind)
    if letter is None:
        raise ValueError("places that are no numbers")
    return struct.unpack(f"{layout.order}{count}{letter}", values)
