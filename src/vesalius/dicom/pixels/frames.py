"""DICOM pixels: the frames of one file as stored values with their sign, or as RGB; one at a time.

What is declared is held against the bytes that are there before anything is decoded. Grey pixels are decoded by
imagecodecs, which leaves the other threads running, where it is installed; the rest by pydicom's decoders.
Source: PS3.5 8 and annex A.4; PS3.3 C.7.6.3.
"""

from __future__ import annotations

import contextlib
import zlib
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
from pydicom.encaps import generate_fragments, generate_frames
from pydicom.pixels.processing import apply_color_lut, convert_color_space
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from vesalius.core import archive
from vesalius.core.errors import FormatError
from vesalius.core.image import Array
from vesalius.dicom import elements
from vesalius.dicom import parser as raw
from vesalius.dicom.pixels import streams, video
from vesalius.dicom.series.mosaic import Mosaic, mosaic

MOST_BYTES = 1 << 32  # of one file's decoded pixels
_TIMES_LARGER = 1000  # what compressed pixels may grow to, beyond _ALWAYS
_ALWAYS = 1 << 26


@dataclass(frozen=True)
class Layout:
    """How a file's pixels are laid out. `high` is the number of the highest stored bit.

    Of a mosaic, frames, rows and columns are those of its tiles.
    """

    frames: int
    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    high: int
    signed: bool
    photometric: str
    mosaic: Mosaic | None = None

    @property
    def colour(self) -> bool:
        """Whether the frames are read as RGB."""
        return self.samples == 3 or self.photometric == "PALETTE COLOR"

    @property
    def reach(self) -> tuple[int, int]:
        """The lowest and the highest value that can be stored."""
        if self.signed:
            return -(1 << self.stored - 1), (1 << self.stored - 1) - 1
        return 0, (1 << self.stored) - 1

    @property
    def bits(self) -> int:
        """Bits of all frames, decoded."""
        return self.frames * self.rows * self.columns * self.samples * self.allocated


def layout(file: raw.File) -> Layout:
    """Return the layout that a file declares. Raises FormatError for one that cannot be, or not with its bytes."""
    head = file.head
    rows, columns = int(head.get("Rows") or 0), int(head.get("Columns") or 0)
    frames = int(head.get("NumberOfFrames") or 1)
    samples = int(head.get("SamplesPerPixel") or 1)
    floats = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(file.span.name if file.span else "", 0)
    allocated = floats or int(head.get("BitsAllocated") or 8)
    stored = int(head.get("BitsStored") or allocated)
    high = int(head.get("HighBit") or stored - 1)
    if rows < 1 or columns < 1 or frames < 1:
        raise FormatError(f"{file.path}: an image without pixels", found=f"{frames} × {rows} × {columns}")
    if samples not in (1, 3) or allocated not in (1, 8, 16, 32, 64):
        raise FormatError(
            f"{file.path}: pixels of a kind that is not read", found=f"{samples} samples of {allocated} bits"
        )
    if not 1 <= stored <= allocated or high >= allocated:
        raise FormatError(
            f"{file.path}: impossible bits", found=f"{stored} stored up to {high} of {allocated}"
        )
    high = max(high, stored - 1)
    signed = int(head.get("PixelRepresentation") or 0) == 1
    found = Layout(
        frames, rows, columns, samples, allocated, stored, high, signed, elements.photometric(head)
    )
    _check_claim(file, found)
    tiles = mosaic(head)
    if tiles is None:
        return found
    if frames > 1:
        raise FormatError(f"{file.path}: a mosaic of several frames", found=f"{frames}")
    return replace(found, frames=tiles.count, rows=tiles.rows, columns=tiles.columns, mosaic=tiles)


def _check_claim(file: raw.File, found: Layout) -> None:
    """Raise FormatError for a claim that the file's bytes cannot hold, before anything is allocated."""
    claimed, span = (found.bits + 7) // 8, file.span
    if found.photometric == "YBR_FULL_422" and span is not None and span.length is not None:
        claimed = claimed * 2 // 3
    limit = MOST_BYTES
    if span is not None and span.length is None:
        limit = min(limit, max(_ALWAYS, _TIMES_LARGER * archive.size(file.path)))
    if claimed > limit:
        said = f"{found.frames} × {found.rows} × {found.columns}"
        raise FormatError(f"{file.path}: its header claims too much", found=said)
    if span is not None and span.length is not None and claimed > span.length:
        raise FormatError(
            f"{file.path}: truncated, it is damaged or its header claims too much",
            found=f"{span.length:,} bytes of pixels, not {claimed:,}",
        )


class Frames:
    """The frames of one file, decoded one by one. Raises FormatError, or what a decoder raises on damage."""

    def __init__(self, file: raw.File, known: Layout | None = None) -> None:
        raw.assert_pixels(file)
        self.file, self.layout = file, known or layout(file)
        self._lock = Lock()
        self._whole: Array | None = None
        self.bytes = file.pixel_bytes()
        self.packed = file.span is not None and file.span.length is None
        self._fragments: list[bytes] | None = None
        self._stream: video.Video | None = None

    def plane(self, k: int) -> Array:
        """Return frame `k`: `(Y, X)` of stored values (floats where floats are stored), or `(Y, X, 3)` of RGB."""
        if self.layout.mosaic is not None:
            return self.layout.mosaic.tile(self._large(self.layout.mosaic), k)
        found = self._decoded(k)
        if self.layout.photometric == "PALETTE COLOR":
            found = apply_color_lut(found, self.file.head.dataset)[..., :3]
        shape = (self.layout.rows, self.layout.columns, *((3,) if self.layout.colour else ()))
        if found.shape != shape:
            raise FormatError(f"{self.file.path}: pixels of another shape than said", found=str(found.shape))
        return found

    def check_first(self) -> None:
        """Hold the first frame's stream, where it is one of a size of its own, against the header; nothing is decoded.

        Raises FormatError, or what pydicom raises on damage.
        """
        if self.packed and self.layout.mosaic is None and self.file.syntax not in video.SYNTAXES:
            self._fragment(0)

    def _large(self, tiles: Mosaic) -> Array:
        """Return the one plane of a mosaic, decoded once for all threads."""
        with self._lock:
            if self._whole is None:
                rows, columns = tiles.rows * tiles.across, tiles.columns * tiles.across
                large = replace(self.layout, frames=1, rows=rows, columns=columns, mosaic=None)
                self._whole = Frames(self.file, large).plane(0)
            return self._whole

    def _decoded(self, k: int) -> Array:
        here, syntax = self.layout, self.file.syntax
        if here.samples == 1 and not self.packed and syntax != raw.BIG:
            return self._native(k) if here.allocated > 1 else self._bits(k)
        if syntax in video.SYNTAXES:
            return self._video().plane(k)
        if syntax == streams.FRAME_DEFLATED:
            return self._deflated(k)
        if syntax == streams.RLE:
            return self._run_lengths(k)
        decode = streams.decoder(syntax)
        if here.samples == 1 and self.packed and decode is not None:
            return _whole_values(decode(self._fragment(k)), here)
        return self._by_pydicom(k)

    def _native(self, k: int) -> Array:
        here = self.layout
        count = here.rows * here.columns
        name = self.file.span.name if self.file.span else ""
        letter = "f" if name != "PixelData" else "u"
        flat = np.frombuffer(
            self.bytes, f"<{letter}{here.allocated // 8}", count, k * count * here.allocated // 8
        )
        plane = flat.reshape(here.rows, here.columns)
        return plane if letter == "f" else _whole_values(plane, here)

    def _bits(self, k: int) -> Array:
        """Return a frame of single bits, which begins within a byte where the ones before it end there (PS3.5
        8.1.1).
        """
        here = self.layout
        size = here.rows * here.columns
        first, skipped = divmod(k * size, 8)
        packed = np.frombuffer(self.bytes, np.uint8, (skipped + size + 7) // 8, first)
        bits: Array = np.unpackbits(packed, bitorder="little")[skipped : skipped + size]
        return bits.reshape(here.rows, here.columns)

    def _video(self) -> video.Video:
        """Return the stream in which all frames are, in one fragment or in several."""
        if self._stream is None:
            whole = b"".join(list(generate_fragments(self.bytes))[1:])
            self._stream = video.Video(whole, (self.layout.rows, self.layout.columns), self.file.path)
        return self._stream

    def _deflated(self, k: int) -> Array:
        nbytes = (self.layout.bits // self.layout.frames + 7) // 8
        unpack = zlib.decompressobj(-zlib.MAX_WBITS)
        data = unpack.decompress(self._fragment(k), nbytes + 1)
        if len(data) < nbytes:
            raise FormatError(f"{self.file.path}: truncated", found=f"{len(data):,} bytes of frame {k + 1}")
        here = self.layout
        if here.allocated == 1:
            return self._of_bits(np.frombuffer(data, np.uint8))
        flat = np.frombuffer(data, f"<u{here.allocated // 8}", here.rows * here.columns * here.samples)
        apart = here.samples > 1 and int(self.file.head.get("PlanarConfiguration") or 0) == 1
        return self._of_samples(flat.reshape(here.samples, -1).T if apart else flat.reshape(-1, here.samples))

    def _run_lengths(self, k: int) -> Array:
        here, fragment, path = self.layout, self._fragment(k), self.file.path
        size = here.rows * here.columns
        if here.allocated == 1:
            return self._of_bits(streams.rle(fragment, (size + 7) // 8, 1, 1, path)[:, 0])
        return self._of_samples(streams.rle(fragment, size, here.samples, here.allocated // 8, path))

    def _of_bits(self, data: Array) -> Array:
        """Return a frame of single bits by itself, which begins with a byte."""
        here = self.layout
        bits = np.unpackbits(data, bitorder="little")[: here.rows * here.columns]
        return bits.reshape(here.rows, here.columns)

    def _of_samples(self, pixels: Array) -> Array:
        """Return a frame from its stored samples `(rows * columns, samples)`."""
        here = self.layout
        if here.samples == 1:
            return _whole_values(pixels.reshape(here.rows, here.columns), here)
        plane = pixels.reshape(here.rows, here.columns, here.samples)
        return convert_color_space(plane, "YBR_FULL", "RGB") if here.photometric == "YBR_FULL" else plane

    def _fragment(self, k: int) -> bytes:
        if self._fragments is None:
            self._fragments = list(generate_frames(self.bytes, number_of_frames=self.layout.frames))
        if k >= len(self._fragments):
            raise FormatError(
                f"{self.file.path}: truncated", found=f"{len(self._fragments)} of {self.layout.frames} frames"
            )
        fragment = self._fragments[k]
        streams.check(fragment, (self.layout.rows, self.layout.columns), self.file.syntax, self.file.path)
        return fragment

    def _by_pydicom(self, k: int) -> Array:
        span = self.file.span
        if span is None:
            raise FormatError(f"{self.file.path}: a DICOM image without its pixels")
        index = k if self.layout.frames > 1 else None
        if not self.packed:
            data = self.file.head.with_pixels(span.name, span.kind, self.bytes, self.file.syntax)
            return self._tidy(np.asarray(pixel_array(data, index=index)))
        fragment = self._fragment(k)
        plugins = streams.plugins(self.file.syntax)
        if not plugins:
            return self._tidy(self._by_imagecodecs(fragment))
        data = self.file.head.with_pixels(span.name, span.kind, self.bytes, self.file.syntax)
        for plugin in plugins[:-1]:
            with contextlib.suppress(RuntimeError):
                return self._tidy(np.asarray(pixel_array(data, index=index, decoding_plugin=plugin)))
        return self._tidy(np.asarray(pixel_array(data, index=index, decoding_plugin=plugins[-1])))

    def _by_imagecodecs(self, fragment: bytes) -> Array:
        """Colour for which pydicom has no decoder here, such as lossless JPEG. Raises FormatError without any."""
        decode = streams.decoder(self.file.syntax)
        if decode is None:
            raise FormatError(
                f"{self.file.path}: no decoder is installed for it",
                found=UID(self.file.syntax).name,
                hint="decompress it first (gdcmconv, dcmdjpeg)",
            )
        plane = decode(fragment)
        if (
            self.layout.photometric == "YBR_FULL"
            and plane.ndim == 3
            and self.file.syntax not in streams.JPEG_XL
        ):
            plane = convert_color_space(plane, "YBR_FULL", "RGB")
        return plane

    def _tidy(self, plane: Array) -> Array:
        plane = plane.astype(plane.dtype.newbyteorder("="), copy=False)
        whole = plane.ndim == 2 and plane.dtype.kind in "iu" and self.layout.allocated > 1
        return _whole_values(plane, self.layout) if whole else plane


def _whole_values(plane: Array, here: Layout) -> Array:
    """Stored values: the bits that are said to be stored, with their sign; others (old overlays) are dropped."""
    kind = np.dtype(f"{'i' if here.signed else 'u'}{max(here.allocated // 8, plane.dtype.itemsize)}")
    plane = (
        plane.astype(kind.newbyteorder("="), copy=False)
        if plane.itemsize != kind.itemsize
        else plane.view(kind)
    )
    below = here.high + 1 - here.stored
    if below:
        plane = plane >> below
    width = kind.itemsize * 8
    if here.stored == width:
        return plane
    low, high = here.reach
    if plane.max() <= high and plane.min() >= low:
        return plane
    up = width - here.stored
    return plane << up >> up  # drops what lies above, and extends the sign where there is one
