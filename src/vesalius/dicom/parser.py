"""DICOM files as bytes: their elements up to the pixels, and where those lie; nothing is trusted, all of it is bounded.

A file is walked without recursion and each length is held against what is left of it before anything is copied;
sequences nest to a depth, deflated data sets grow to a size. Source: PS3.5 7 and 10, annex A; PS3.10 7.
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from vesalius.core import archive, file_io
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError
from vesalius.dicom.damage import DAMAGE
from vesalius.dicom.head import Head, Raw

IMPLICIT, EXPLICIT, DEFLATED, BIG = (f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".1.99", ".2"))
NATIVE = (IMPLICIT, EXPLICIT, DEFLATED, BIG)
UNDEFINED = 0xFFFFFFFF
DEEPEST = 32  # sequences in sequences
MOST_INFLATED = 1 << 28  # bytes of a deflated data set
MOST_ELEMENTS = 1 << 22
_FIRST_LOOK = 1 << 15  # bytes; a header that is longer is read again, to eight times as far
_PRIVATE_KEPT = 64  # bytes; of private elements only such small ones are ever asked for
_PRIVATE_KEPT_OF_MOSAICS = 1 << 18  # but what says which way their slices go
_IMAGE_TYPE = 0x00080008
_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_SHORT = frozenset((b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS")) | frozenset(
    (b"LO", b"LT", b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US")
)
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXELS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}


def reading(where: Ref | Path) -> contextlib.AbstractContextManager[None]:
    """Turn whatever pydicom raises on damaged bytes into one FormatError that names the file."""
    return file_io.typed_errors(where, *DAMAGE)


class _Short(Exception):
    """The parser needs more bytes than were read."""


@dataclass(frozen=True)
class Span:
    """Where the pixels lie: from `at`, `length` bytes, or in fragments to the file's end where it is None."""

    name: str
    at: int
    length: int | None
    kind: str | None = None
    inflated: bool = False


@dataclass(frozen=True, eq=False)
class File:
    """One DICOM file: its elements before the pixels, its transfer syntax and where its pixels lie."""

    path: Path
    head: Head
    syntax: str
    span: Span | None

    def pixel_bytes(self) -> bytes:
        """Return the bytes of the pixel element, which are there as far as the header could tell.

        Raises FormatError.
        """
        assert_pixels(self)
        span = self.span
        if span is None:
            return b""
        if span.inflated:
            body = _inflate(_whole(self.path), self.path)[0]
            return body[span.at : None if span.length is None else span.at + span.length]
        with archive.open_file(self.path) as file:
            file.seek(span.at)
            return file.read(-1 if span.length is None else span.length)


def assert_pixels(file: File) -> None:
    """Raise FormatError where a file has no pixels."""
    if file.span is None:
        raise FormatError(f"{file.path}: a DICOM image without its pixels")


def parse(path: Path) -> File:
    """Return the elements of a file before its pixels. Raises FormatError if it is not DICOM, damaged or hostile."""
    size = archive.size(path)
    if size == 0:
        raise FormatError(f"{path}: an empty file", found="0 bytes")
    look = _FIRST_LOOK
    with archive.open_file(path) as stream:
        start = stream.read(look)
        while True:
            try:
                return _parse(path, start, size)
            except _Short:
                if len(start) >= size:
                    raise FormatError(f"{path}: truncated", found=f"{size:,} bytes") from None
                look *= 8
                start += stream.read(look - len(start))


def _whole(path: Path) -> bytes:
    with archive.open_file(path) as file:
        return file.read()


def _parse(path: Path, start: bytes, size: int) -> File:
    walk = _Walk(path, start, size)
    walk.at = 132 if start[128:132] == b"DICM" else 0
    if walk.at == 0 and not looks_bare(start):
        raise FormatError(f"{path}: not a DICOM file", found=f"it begins with {start[:8].hex(' ')}")
    meta: dict[int, Raw] = {}
    while walk.at < size and walk.peek_group() == 2:
        raw = walk.element()
        meta[raw.tag] = raw
    said = meta.get(0x00020010)
    syntax = said.value.rstrip(b"\0 ").decode("ascii", "replace") if said else ""
    inflated = False
    if syntax == DEFLATED:
        body, at = _inflate(start if len(start) >= size else _whole(path), path, walk.at)
        walk, inflated = _Walk(path, body, len(body)), True
        walk.at = at
    walk.set_encoding(syntax)
    found, span = walk.data_set(inflated)
    if not found and span is None:
        raise FormatError(f"{path}: a DICOM file with nothing in it")
    syntax = syntax or (BIG if walk.order == ">" else IMPLICIT if walk.implicit else EXPLICIT)
    return File(path, Head(found, meta=meta), syntax, span)


def _inflate(whole: bytes, path: Path, at: int | None = None) -> tuple[bytes, int]:
    """Return the data set of a deflated file, and where in it to begin. Raises FormatError beyond MOST_INFLATED."""
    if at is None:
        walk = _Walk(path, whole, len(whole))
        walk.at = 132 if whole[128:132] == b"DICM" else 0
        while walk.at < len(whole) and walk.peek_group() == 2:
            walk.element()
        at = walk.at
    loose = zlib.decompressobj(-zlib.MAX_WBITS)
    body = loose.decompress(whole[at:], MOST_INFLATED)
    if loose.unconsumed_tail:
        raise FormatError(
            f"{path}: its deflated data set grows too large", found=f"over {MOST_INFLATED:,} bytes"
        )
    return body, 0


def looks_bare(start: bytes) -> bool:
    """Return whether bytes could begin a data set without preamble: a low element of group 2 or 8, of a length that
    fits.
    """
    if len(start) < 16:
        return False
    for order in "<>":
        group, element = struct.unpack(f"{order}HH", start[:4])
        if group not in (2, 8) or element > 0x1000:
            continue
        if start[4:6] in _SHORT or start[4:6] in _LONG:
            return True
        return bool(struct.unpack(f"{order}I", start[4:8])[0] < 1 << 16)
    return False


class _Walk:
    """A position in the bytes, with the encoding to read them in."""

    def __init__(self, path: Path, buffer: bytes, size: int) -> None:
        self.path, self.buffer, self.size = path, buffer, size
        self.at, self.count = 0, 0
        self.implicit, self.order = False, "<"
        self.private_kept = _PRIVATE_KEPT
        self._pack()

    def _pack(self) -> None:
        self.two = struct.Struct(f"{self.order}HH").unpack_from
        self.four = struct.Struct(f"{self.order}I").unpack_from
        self.short = struct.Struct(f"{self.order}H").unpack_from

    def set_encoding(self, syntax: str) -> None:
        """Set byte order by the transfer syntax or else by the first group; VRs by what the bytes hold."""
        here = self.buffer[self.at : self.at + 8]
        big = syntax == BIG or (not syntax and here[:1] == b"\0" and here[1:2] != b"\0")
        self.order = ">" if big else "<"
        self._pack()
        self.implicit = here[4:6] not in _SHORT and here[4:6] not in _LONG
        if len(here) < 8 and self.at + 8 <= self.size:
            raise _Short

    def peek_group(self) -> int:
        """Return the group of the element that comes next."""
        if self.at + 4 > len(self.buffer):
            raise _Short
        return int(self.two(self.buffer, self.at)[0])

    def _start(self, implicit: bool) -> tuple[int, bytes | None, int]:
        """Tag, VR and length of the element here; moves to its value. Raises _Short, FormatError."""
        at, buffer = self.at, self.buffer
        if at + 8 > len(buffer):
            if at + 8 > self.size:
                raise FormatError(
                    f"{self.path}: truncated within a data element", found=f"{self.size:,} bytes"
                )
            raise _Short
        self.count += 1
        if self.count > MOST_ELEMENTS:
            raise FormatError(
                f"{self.path}: more data elements than are read", found=f"over {MOST_ELEMENTS:,}"
            )
        group, element = self.two(buffer, at)
        tag = group << 16 | element
        if not implicit and group != 0xFFFE:
            kind = buffer[at + 4 : at + 6]
            if kind in _SHORT:
                self.at = at + 8
                return tag, kind, self.short(buffer, at + 6)[0]
            if kind in _LONG:
                if at + 12 > len(buffer):
                    raise _Short
                self.at = at + 12
                return tag, kind, self.four(buffer, at + 8)[0]
        self.at = at + 8  # implicit, or an element that some writers left so among explicit ones
        return tag, None, self.four(buffer, at + 4)[0]

    def element(self) -> Raw:
        """Return the element here with its value. Raises _Short, FormatError."""
        tag, kind, length = self._start(self.implicit)
        return self._value(tag, kind, length)

    def _value(self, tag: int, kind: bytes | None, length: int) -> Raw:
        begin = self.at
        if length == UNDEFINED:
            self._to_sequence_end(self.implicit or kind == b"UN" or kind is None)
            value = self.buffer[begin : self.at]
            return Raw(tag, b"SQ", value, self.implicit or kind in (b"UN", None), self.order == "<")
        end = begin + length
        if end > len(self.buffer):
            if end > self.size:
                raise FormatError(
                    f"{self.path}: truncated, or element ({tag >> 16:04X},{tag & 0xFFFF:04X}) claims too much",
                    found=f"{length:,} bytes claimed, {self.size - begin:,} left",
                )
            raise _Short
        self.at = end
        if tag >> 16 & 1 and length > self.private_kept:
            return Raw(tag, kind, b"", self.implicit, self.order == "<")
        return Raw(tag, kind, self.buffer[begin:end], self.implicit or kind is None, self.order == "<")

    def data_set(self, inflated: bool) -> tuple[dict[int, Raw], Span | None]:
        """Return every element up to the pixels, and where these lie."""
        found: dict[int, Raw] = {}
        while self.at < self.size:
            if self.size - self.at < 8 and not any(self.buffer[self.at : self.size]):
                break  # padding
            tag, kind, length = self._start(self.implicit)
            if tag in _PIXELS:
                return found, self._span(tag, kind, length, inflated)
            found[tag] = self._value(tag, kind, length)
            if tag == _IMAGE_TYPE and b"MOSAIC" in found[tag].value:
                self.private_kept = _PRIVATE_KEPT_OF_MOSAICS
        return found, None

    def _span(self, tag: int, kind: bytes | None, length: int, inflated: bool) -> Span:
        said = None if kind is None else kind.decode()
        if length == UNDEFINED:
            return Span(_PIXELS[tag], self.at, None, said, inflated)
        if self.at + length > self.size:
            raise FormatError(
                f"{self.path}: truncated",
                found=f"{self.size - self.at:,} of {length:,} bytes of pixels",
            )
        return Span(_PIXELS[tag], self.at, length, said, inflated)

    def _to_sequence_end(self, implicit: bool) -> None:
        """Move past a sequence of undefined length, however deep it nests, without recursion."""
        inside: list[tuple[str, bool]] = [("sequence", implicit)]
        while inside:
            what, implicit = inside[-1]
            if len(inside) > 2 * DEEPEST:
                raise FormatError(f"{self.path}: sequences nested too deep", found=f"over {DEEPEST} levels")
            tag, kind, length = self._start(implicit)
            if tag in (_ITEM_END, _SEQUENCE_END):
                inside.pop()
                if tag == _SEQUENCE_END and what == "item" and inside:
                    inside.pop()  # an item that was never closed
            elif what == "sequence" and tag != _ITEM:
                raise FormatError(
                    f"{self.path}: damaged within a sequence", found=f"element {tag:08X} in place of an item"
                )
            elif length == UNDEFINED:
                odd = kind is None or kind == b"UN"
                inside.append(("item" if tag == _ITEM else "sequence", implicit or (odd and tag != _ITEM)))
            elif self.at + length > len(self.buffer):
                if self.at + length > self.size:
                    raise FormatError(
                        f"{self.path}: truncated within a sequence", found=f"{length:,} bytes claimed"
                    )
                raise _Short
            else:
                self.at += length
