"""NRRD (nrrd; nhdr with its data file beside it is read only), through pynrrd's header.

A space of LPS, RAS or LAS gives an affine; another space, or spacings alone, a spacing alone. One axis may be
other than spatial (its kind says so, or its direction is none): it becomes the channels. Source: the NRRD format
definition, teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import bz2
import gzip
import math
from pathlib import Path
from typing import IO, Any, cast

import nrrd as pynrrd
import numpy as np

from vesalius.core import file_io, scratch
from vesalius.core.answers import Answer
from vesalius.core.case import Ref
from vesalius.core.channels import COLOURS
from vesalius.core.errors import FormatError, OutputError
from vesalius.core.header import Header
from vesalius.core.image import Array, Image, Triple

SUFFIXES = (".nrrd", ".nhdr")
MAGIC = ((0, b"NRRD000"),)
HOLDS = "Image"
WRITES = ("Image", "ImageAnswer")
READ_ONLY = (".nhdr",)

_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_CODES = {name: code for code, names in _TYPES.items() for name in names}
_TO_LPS = {
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
}
_COLOUR_KINDS = ("rgb-color", "rgba-color")
_SPATIAL = ("domain", "space", "???", "none", "")
_MM = {"mm": 1.0, "millimeter": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001, "µm": 0.001, "": 1.0}


class _Head:
    """What the header says: shape as the bytes lie (slowest first), type, which axis is channels, geometry."""

    def __init__(self, fields: dict[str, Any], ref: Ref) -> None:
        self.fields = fields
        sizes = [int(n) for n in fields["sizes"]]
        if len(sizes) != int(fields["dimension"]) or not sizes or min(sizes) < 1:
            raise FormatError(f"{ref}: impossible dimensions", found=f"sizes {sizes}")
        code = _CODES.get(str(fields["type"]).lower())
        if code is None:
            raise FormatError(f"{ref}: unsupported pixel type", found=str(fields["type"]))
        self.dtype = np.dtype(code).newbyteorder(">" if fields.get("endian") == "big" else "<")
        self.shape = tuple(reversed(sizes))
        self.nbytes = math.prod(sizes) * self.dtype.itemsize
        kinds = [str(k).lower() for k in fields.get("kinds", [])] or [""] * len(sizes)
        self.directions = fields.get("space directions")
        if self.directions is not None:
            self.directions = np.asarray(self.directions, np.float64)
            spatial = [bool(np.isfinite(row).all()) for row in self.directions]
        else:
            spatial = [k in _SPATIAL for k in kinds]
        self.spatial = [i for i, yes in enumerate(spatial) if yes]
        others = [i for i, yes in enumerate(spatial) if not yes]
        if len(spatial) != len(sizes) or len(self.spatial) not in (2, 3) or len(others) > 1:
            hint = "kinds, or directions of none, must say which axis is not spatial"
            raise FormatError(f"{ref}: unsupported axes", found=f"sizes {sizes}, kinds {kinds}", hint=hint)
        self.channel = len(sizes) - 1 - others[0] if others else None
        self.in_colour = bool(others) and kinds[others[0]] in _COLOUR_KINDS

    def image(self, array: Array) -> Image:
        array = array[None] if self.channel is None else np.moveaxis(array, self.channel, 0)
        if array.ndim == 3:
            array = array[:, None]
        array = array[:3] if self.in_colour else array
        affine, spacing = self._geometry()
        names = COLOURS if self.in_colour else ()
        return Image(array=array, affine=affine, spacing_mm=spacing, channels=names)

    def _geometry(self) -> tuple[Array | None, Triple | None]:
        fields = self.fields
        if self.directions is None:
            if "spacings" not in fields:
                return None, None
            found = [abs(float(fields["spacings"][i])) for i in self.spatial]
            x, y, z = [*found, 1.0][:3]
            return None, (x, y, z) if all(math.isfinite(s) and s > 0 for s in (x, y, z)) else None
        columns = self.directions[self.spatial].T  # one column an axis
        unit = fields.get("space units") or [""]
        scale = _MM.get(str(unit[0]).strip('"').lower())
        if scale is None:
            return None, None
        columns = columns * scale
        signs = _TO_LPS.get(str(fields.get("space", "")).lower())
        if signs is None or columns.shape != (3, 3) or "space origin" not in fields:
            x, y, z = [*np.sqrt((columns**2).sum(axis=0)).tolist(), 1.0][:3]
            return None, (x, y, z)
        affine = np.eye(4)
        affine[:3, :3] = columns
        affine[:3, 3] = np.asarray(fields["space origin"], np.float64) * scale
        return np.diag([*signs, 1.0]) @ affine, None


def header(ref: Ref) -> Header:
    """Return the shape and geometry from the text header."""
    path = file_io.one_file(ref)
    with file_io.typed_errors(ref, pynrrd.NRRDError), path.open("rb") as file:
        head = _Head(_fields(file), ref)
        _apart(head, path, ref)
    image = head.image(np.broadcast_to(np.zeros((), head.dtype), head.shape))
    return Header(
        shape=image.shape,
        dtype=head.dtype.newbyteorder("=").name,
        channels=image.array.shape[0],
        affine=image.affine,
        spacing_mm=image.spacing_mm,
        spacing_at=image.spacing_at,
    )


def read(ref: Ref) -> Image:
    """Read raw, gzip and bzip2 encodings in the file's own type, compressed ones to their checksum."""
    path = file_io.one_file(ref)
    with file_io.typed_errors(ref, pynrrd.NRRDError), path.open("rb") as file:
        head = _Head(_fields(file), ref)
        data = _apart(head, path, ref)
        if data is None:
            return head.image(_pixels(file, path, head, ref))
        with data.open("rb") as apart:
            return head.image(_pixels(apart, data, head, ref))


def _apart(head: _Head, path: Path, ref: Ref) -> Path | None:
    """Return the file of the pixels where the header stands apart, beside it and nowhere else. Raises FormatError."""
    name = head.fields.get("data file", head.fields.get("datafile"))
    if name is None:
        return None
    data = path.parent / str(name)
    if Path(str(name)).name not in (str(name), str(name).removeprefix("./")) or "%" in str(name):
        raise FormatError(
            f"{ref}: pixels in several files or elsewhere", found=str(name), hint="one nrrd file"
        )
    if not data.is_file():
        raise FormatError(f"{ref}: its data file is missing", found=str(name))
    return data


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write an nrrd, gzip-encoded, in LPS; several channels are the slowest axis: 'RGB-color' or 'vector'."""
    image, array = file_io.stored(thing)
    if path.suffix.lower() == ".nhdr":
        raise OutputError(f"{path}: a header with separate data cannot be written", hint=".nrrd")
    if array.ndim != 4:
        raise OutputError(f"{path}: NRRD is written without times", hint=".npz or .nii.gz")
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    several, kind = array.shape[0] > 1, "RGB-color" if image.in_colour and array.shape[0] == 3 else "vector"
    fields: dict[str, Any] = {"encoding": "gzip", "kinds": ["domain"] * 3 + [kind] * several}
    if image.affine is not None:
        fields["space"] = "left-posterior-superior"
        fields["space directions"] = np.vstack([image.affine[:3, :3].T, *[[np.nan] * 3] * several])
        fields["space origin"] = image.affine[:3, 3]
    elif image.spacing_mm is not None:
        fields["spacings"] = np.array([*image.spacing_mm, *[np.nan] * several])
    with file_io.atomic(path) as file:
        # (x, y, z, c) in Fortran order is (c, z, y, x) in C order
        pynrrd.write(file, array if several else array[0], fields, compression_level=1, index_order="C")


def _fields(file: IO[bytes]) -> dict[str, Any]:
    return cast("dict[str, Any]", pynrrd.read_header(file))


def _pixels(file: IO[bytes], path: Path, head: _Head, ref: Ref) -> Array:
    """Fill an array from where the header ends, or from the start of a file apart."""
    for _ in range(int(head.fields.get("line skip", head.fields.get("lineskip", 0)))):
        if not file.readline(file_io.CHUNK):
            raise FormatError(f"{ref}: truncated before its pixels")
    size = path.stat().st_size
    encoding = str(head.fields["encoding"]).lower()
    raw = encoding == "raw"
    if not raw and encoding not in ("gzip", "gz", "bzip2", "bz2"):
        raise FormatError(f"{ref}: unsupported encoding", found=encoding, hint="raw or gzip")
    skip = int(head.fields.get("byte skip", head.fields.get("byteskip", 0)))
    if skip == -1 and raw:
        file.seek(max(size - head.nbytes, 0))
    if not encoding.startswith("bz"):  # bzip2 expands further than any check could use
        file_io.check_claim(ref, head.nbytes, size - file.tell(), compressed=not raw)
    array = scratch.empty(head.shape, head.dtype)
    if raw:
        if skip > 0:
            file.seek(skip, 1)
        file_io.fill(file, array, ref)
        return file_io.native(array)
    stream = cast("IO[bytes]", gzip.GzipFile(fileobj=file) if encoding.startswith("g") else bz2.BZ2File(file))
    with stream:
        if skip > 0:
            stream.read(min(skip, file_io.TRAILING))
        file_io.fill(stream, array, ref)
        file_io.drain(stream, ref)
    return file_io.native(array)
