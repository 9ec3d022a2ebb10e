"""Code streams of DICOM pixels: which decoder reads them, and what they say of their size before one allocates for it.

Source: PS3.5 annex A.4; ISO/IEC 10918-1 B.2.2 (JPEG), 14495-1 (JPEG-LS), 15444-1 A.5.1 (JPEG 2000), 18181-1 (JPEG XL).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from vesalius.core.errors import FormatError
from vesalius.core.image import Array

FRAME_DEFLATED = "1.2.840.10008.1.2.8.1"
RLE = "1.2.840.10008.1.2.5"
JPEG_XL = tuple(f"1.2.840.10008.1.2.4.11{k}" for k in (0, 1, 2))
_J2K = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_HTJ2K = tuple(f"1.2.840.10008.1.2.4.20{k}" for k in (1, 2, 3))
_JPEG = tuple(f"1.2.840.10008.1.2.4.{k}" for k in (50, 51, 57, 70))
_JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
EXACT = (RLE, *JPEG_XL, *_J2K, *_HTJ2K, _JPEG[-2], _JPEG[-1], *_JPEG_LS)  # which can hold every bit
_PADDING = 16  # bytes that may follow a code stream's end
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # of a JPEG XL's width to its height


def decoder(syntax: str) -> Callable[[bytes], Array] | None:
    """Return imagecodecs' decoder for grey frames of a transfer syntax, where there is one."""
    try:
        import imagecodecs
    except ImportError:
        return None
    decoders: dict[str, Any] = {
        **dict.fromkeys((*_J2K, *_HTJ2K), imagecodecs.jpeg2k_decode),
        **dict.fromkeys(_JPEG, imagecodecs.jpeg8_decode),
        **dict.fromkeys(_JPEG_LS, imagecodecs.jpegls_decode),
        **dict.fromkeys(JPEG_XL, imagecodecs.jpegxl_decode),
    }
    return decoders.get(syntax)


def plugins(syntax: str) -> tuple[str, ...]:
    """pydicom's decoders that are there for a syntax; never GDCM, in which a damaged file can end the process."""
    try:
        found = get_decoder(UID(syntax)).available_plugins
    except NotImplementedError:
        return ()
    return tuple(name for name in found if name != "gdcm")


def rle(data: bytes, size: int, samples: int, nbytes: int, path: object) -> Array:
    """Return an RLE frame (PS3.5 G) as `(size, samples)` of unsigned whole numbers of `nbytes`. Raises FormatError.

    By imagecodecs, since the decoder that pydicom would take ends in a panic on damaged segments.
    """
    import imagecodecs

    count, *offsets = struct.unpack_from("<16I", data.ljust(64, b"\0"))
    if count != samples * nbytes:
        raise FormatError(
            f"{path}: RLE segments of another number than said", found=f"{count}, not {samples * nbytes}"
        )
    ends = [*offsets[1:count], len(data)]
    out = np.empty((samples, nbytes, size), np.uint8)
    for k, (first, end) in enumerate(zip(offsets[:count], ends, strict=True)):
        if not 64 <= first < end <= len(data):
            raise FormatError(f"{path}: truncated", found=f"an RLE segment from byte {first} to {end}")
        plane = imagecodecs.packbits_decode(data[first:end], out=size + _PADDING)
        if len(plane) < size:
            raise FormatError(f"{path}: truncated", found=f"{len(plane)} of {size} bytes of an RLE segment")
        out[k // nbytes, nbytes - 1 - k % nbytes] = np.frombuffer(plane, np.uint8, size)
    return np.ascontiguousarray(out.transpose(2, 0, 1)).view(f"<u{nbytes}")[..., 0]


def check(data: bytes, shape: tuple[int, int], syntax: str, path: object) -> None:
    """Refuse a code stream of another size than its header's `(rows, columns)`. Raises FormatError.

    And a JPEG-LS stream without its end, beyond which CharLS looks for bits for seconds.
    """
    if syntax in _JPEG_LS and b"\xff\xd9" not in data[-_PADDING:]:
        raise FormatError(f"{path}: truncated", found="a JPEG-LS stream without its end")
    if syntax in (*_J2K, *_HTJ2K) and data[4:8] == b"jP  ":
        _check_boxes(data, path)
    size = _jpeg_xl_size(data) if syntax in JPEG_XL else _size(data)
    if size is None and syntax in JPEG_XL:
        raise FormatError(
            f"{path}: its pixels are not what its transfer syntax says", found="no JPEG XL stream"
        )
    if size is not None and size != shape:
        raise FormatError(
            f"{path}: its pixels are of another size than its header says",
            found=f"{size[0]} × {size[1]}, not {shape[0]} × {shape[1]}",
        )


def _check_boxes(data: bytes, path: object) -> None:
    """Raise FormatError for a JP2 file whose boxes lead nowhere, in which pydicom would look without end."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"jp2c":
            return
        if size < 8:
            break
        at += size
    raise FormatError(f"{path}: damaged", found="a JP2 file whose boxes lead to no code stream")


def precision(data: bytes) -> int | None:
    """Return bits of a sample that a JPEG, JPEG-LS or JPEG 2000 code stream declares; None where it declares none."""
    at = data.find(b"\xff\x4f\xff\x51", 0, 4096)
    if at >= 0:
        return (data[at + 42] & 0x7F) + 1 if len(data) > at + 42 else None
    frame = _frame_header(data)
    return None if frame is None else data[frame + 4]


def _size(data: bytes) -> tuple[int, int] | None:
    """(rows, columns) that a JPEG, JPEG-LS or JPEG 2000 code stream declares; None where none is found."""
    at = data.find(b"\xff\x4f\xff\x51", 0, 4096)
    if at >= 0:
        x, y, x0, y0 = (int.from_bytes(data[at + 8 + 4 * n : at + 12 + 4 * n], "big") for n in range(4))
        return y - y0, x - x0
    frame = _frame_header(data)
    if frame is None:
        return None
    rows, columns = (int.from_bytes(data[frame + n : frame + n + 2], "big") for n in (5, 7))
    return rows, columns


def _frame_header(data: bytes) -> int | None:
    """Return where a JPEG or JPEG-LS stream's frame header (SOF) begins."""
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0), 0xF7):
            return at
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _jpeg_xl_size(data: bytes) -> tuple[int, int] | None:
    """(rows, columns) of a bare JPEG XL code stream, or of the one in a container; None where none is found."""
    if data[:2] != b"\xff\x0a":
        box = max(data.find(b"jxlc", 0, 1 << 16) + 4, data.find(b"jxlp", 0, 1 << 16) + 8)
        data = data[box:] if b"JXL " in data[:12] and data[box : box + 2] == b"\xff\x0a" else b""
    if len(data) < 12:
        return None
    bits, at = int.from_bytes(data[2:16], "little"), 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return bits >> at - count & (1 << count) - 1

    small = take(1)

    def side() -> int:
        return 8 * (1 + take(5)) if small else 1 + take((9, 13, 18, 30)[take(2)])

    rows, ratio = side(), take(3)
    if not ratio:
        return rows, side()
    wide, high = _RATIOS[ratio - 1]
    return rows, rows * wide // high
