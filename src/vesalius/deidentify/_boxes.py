"""Files made of ISO boxes (JP2, JPEG XL, MP4): keep the boxes that draw the picture, remove those with text about it.

Source: ISO/IEC 15444-1 annex I (JP2), 18181-2 (JPEG XL), 14496-12 (MP4).
"""

from __future__ import annotations

from collections.abc import Iterator

_DRAW = (b"jP  ", b"ftyp", b"jp2h", b"jp2c", b"JXL ", b"jxlc", b"jxlp", b"jxll")
_HOLD = (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"edts", b"mvex", b"moof", b"traf")
_TOLD = (b"udta", b"meta", b"uuid", b"free", b"skip", b"wide", b"cprt", b"ilst")
_DATED = (b"mvhd", b"tkhd", b"mdhd")  # seconds since 1904, of making and of change


def picture(data: bytes) -> bytes:
    """Return a JP2 or JPEG XL file with only the boxes that its picture is made of.

    Raises ValueError where it is damaged.
    """
    return b"".join(data[at:end] for at, _, end, kind in _boxes(data, 0, len(data)) if kind in _DRAW)


def film(data: bytes) -> bytes:
    """Return an MP4 file of the same length, in which titles, notes, names of tracks and dates are zeros.

    Raises ValueError where it is damaged.
    """
    out = bytearray(data)
    _blank(out, 0, len(out))
    return bytes(out)


def _blank(out: bytearray, start: int, stop: int) -> None:
    for at, content, end, kind in _boxes(out, start, stop):
        if kind in _HOLD:
            _blank(out, content, end)
        elif kind in _TOLD:
            out[at + 4 : at + 8] = b"free"
            out[content:end] = bytes(end - content)
        elif kind in _DATED and end - content >= 20:
            long = 8 if out[content] == 1 else 4
            out[content + 4 : content + 4 + 2 * long] = bytes(2 * long)
        elif kind == b"hdlr" and end - content > 24:
            out[content + 24 : end] = bytes(end - content - 24)


def _boxes(data: bytes | bytearray, start: int, stop: int) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield each box's first byte, the first of its content, its end and its kind."""
    at = start
    while at + 8 <= stop:
        size, content = int.from_bytes(data[at : at + 4], "big"), at + 8
        kind = bytes(data[at + 4 : at + 8])
        if size == 1:
            size, content = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        end = at + size if size else stop
        if not content <= end <= stop:
            raise ValueError("a box beyond the end")
        yield at, content, end, kind
        at = end
