"""NIfTI single files: free text, extensions and what follows the pixels removed; the pixels' own bytes stay."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np

from vesalius.core import file_io
from vesalius.core.disk import write_with
from vesalius.core.image import Array
from vesalius.deidentify._read import SetAside
from vesalius.deidentify.dicom import Done
from vesalius.deidentify.options import Settings

Face = Callable[
    [Array, float], Array
]  # stored values (X, Y, Z …) and the air's value → values without the face
_LARGEST = 1 << 33

# where free text stands: (name, offset, length), by header
_TEXT1 = (
    ("data_type", 4, 10),
    ("db_name", 14, 18),
    ("extents, session_error", 32, 6),
    ("descrip", 148, 80),
    ("aux_file", 228, 24),
    ("intent_name", 328, 16),
)
_TEXT2 = (("descrip", 240, 80), ("aux_file", 320, 24), ("intent_name", 508, 16), ("unused_str", 525, 15))


def deidentify(
    path: Path, out: Path, target: PurePosixPath, *, settings: Settings, face: Face | None = None
) -> Done:
    """Write the copy. Raises SetAside, OutputError."""
    packed = path.name.lower().endswith(".gz")
    counts: Counter[tuple[str, str]] = Counter()
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            header, order, offset, nbytes = _header(file, path, packed)
            between = file.read(offset - len(header))
            pixels = file.read(nbytes)
            beyond = file.read(1 << 16)
            while packed and file.read(file_io.CHUNK):  # to the end, where the checksum is
                pass
    except SetAside:
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile, struct.error, ValueError, MemoryError) as error:
        raise SetAside("damaged, or not NIfTI") from error
    if len(pixels) < nbytes:
        raise SetAside("truncated")
    if between.strip(b"\0"):
        counts["header extensions", "X"] += 1
    if beyond:
        counts["bytes after the pixels", "X"] += 1
    clean = _clean(header, order, counts)
    if face is not None:
        pixels = _faceless(pixels, clean, order, face, counts)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as raw:
            if packed:  # no file name and no time in the stream's header
                with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as file:
                    file.write(clean + b"\0" * 4)
                    file.write(pixels)
            else:
                raw.write(clean + b"\0" * 4)
                raw.write(pixels)

    write_with(out / target, write)
    note = ("burned-in text is not looked for in NIfTI files",) if settings.has("clean-pixels") else ()
    return Done(target, counts, note)


def _header(file: BinaryIO | gzip.GzipFile, path: Path, packed: bool) -> tuple[bytes, str, int, int]:
    """Return the header, its byte order, where the pixels begin, and how many bytes they are."""
    first = file.read(348)
    for order in "<>":
        size = struct.unpack(f"{order}i", first[:4])[0]
        if size == 348 and first[344:348] == b"n+1\0":
            dims = struct.unpack(f"{order}8h", first[40:56])
            bits, (offset,) = (
                struct.unpack(f"{order}h", first[72:74])[0],
                struct.unpack(f"{order}f", first[108:112]),
            )
            break
        if size == 540:
            first += file.read(192)
            if first[4:8] != b"n+2\0":
                raise SetAside("damaged, or not NIfTI")
            dims = struct.unpack(f"{order}8q", first[16:80])
            bits, (offset,) = (
                struct.unpack(f"{order}h", first[14:16])[0],
                struct.unpack(f"{order}q", first[168:176]),
            )
            break
    else:
        raise SetAside("damaged, or not a single NIfTI file")
    if not 1 <= dims[0] <= 7 or any(d < 1 for d in dims[1 : dims[0] + 1]) or bits < 1:
        raise SetAside("its header is inconsistent")
    nbytes = (int(np.prod([int(d) for d in dims[1 : dims[0] + 1]], dtype=object)) * bits + 7) // 8
    held = path.stat().st_size * (file_io.DEFLATE_RATIO if packed else 1) + 1024
    if nbytes > min(held, _LARGEST) or not len(first) <= offset <= held:
        raise SetAside("truncated, or its header claims too much")
    return first, order, int(offset), nbytes


def _clean(header: bytes, order: str, counts: Counter[tuple[str, str]]) -> bytes:
    new = bytearray(header)
    second = len(header) == 540
    for name, at, length in _TEXT2 if second else _TEXT1:
        if header[at : at + length].strip(b"\0"):
            new[at : at + length] = bytes(length)
            counts[f"header field {name}", "X"] += 1
    if second:
        struct.pack_into(f"{order}q", new, 168, 544)
    else:
        new[38:39] = b"r"
        struct.pack_into(f"{order}f", new, 108, 352.0)
    return bytes(new)


def _faceless(
    pixels: bytes, header: bytes, order: str, face: Face, counts: Counter[tuple[str, str]]
) -> bytes:
    import nibabel

    kind: Any = nibabel.Nifti2Header if len(header) == 540 else nibabel.Nifti1Header
    known = kind(header, endianness=order, check=False)
    stored = np.reshape(np.frombuffer(pixels, known.get_data_dtype()), known.get_data_shape(), order="F")
    counts["face", "X"] += 1
    return face(stored, 0.0).tobytes(order="F")
