"""MetaImage (mha; mhd with its raw file is read only). LPS millimetres in the file as here.

Source: MetaIO's documentation of MetaImage tags. TransformMatrix holds the direction of one axis a row. A file
with ElementSpacing but neither TransformMatrix nor Offset has a spacing alone; one with none of them, no geometry.
Planes stored as two dimensions have a spacing alone, of 1 along z.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from vesalius.core import file_io, scratch
from vesalius.core.answers import Answer
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError, OutputError
from vesalius.core.header import Header
from vesalius.core.image import Array, Image, Triple

SUFFIXES = (".mha", ".mhd")
MAGIC = ((0, b"ObjectType = Image"), (0, b"ObjectType=Image"), (0, b"NDims = "))
HOLDS = "Image"
WRITES = ("Image", "ImageAnswer")
READ_ONLY = (".mhd",)

_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",  # MetaIO stores its LONG in four bytes
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_NAMES = {code: name for name, code in _TYPES.items() if name not in ("MET_LONG", "MET_ULONG")}
_LONGEST_HEADER = 1 << 16
_UNKNOWN = "0" * 20  # overwritten once the compressed size is known; ITK does not inflate without it


@dataclass(frozen=True, eq=False)
class _Head:
    shape: tuple[int, ...]  # (Z, Y, X, C), as the bytes lie
    dtype: np.dtype[Any]
    affine: Array | None
    spacing_mm: Triple | None
    compressed: bool
    stored: int | None  # bytes of compressed data, where the header says
    skip: int  # bytes before the pixels; -1: the pixels end the file
    data: Path
    offset: int  # where the pixels start in `data`


def header(ref: Ref) -> Header:
    """Return the shape and geometry from the text header."""
    head = _parse(file_io.one_file(ref), ref)
    spacing = head.spacing_mm
    if head.affine is not None:
        x, y, z = (float(s) for s in np.sqrt((head.affine[:3, :3] ** 2).sum(axis=0)))
        spacing = (x, y, z)
    return Header(
        shape=(head.shape[0], head.shape[1], head.shape[2]),
        dtype=head.dtype.newbyteorder("=").name,
        channels=head.shape[3],
        affine=head.affine,
        spacing_mm=spacing,
        spacing_at=None if spacing is None else "patient",
    )


def read(ref: Ref) -> Image:
    """Read in the file's own type; compressed data to its checksum."""
    head = _parse(file_io.one_file(ref), ref)
    with file_io.typed_errors(ref):
        size = head.data.stat().st_size
        nbytes = math.prod(head.shape) * head.dtype.itemsize
        offset = size - nbytes if head.skip == -1 else head.offset + head.skip
        file_io.check_claim(ref, nbytes, size - offset, compressed=head.compressed)
        array = scratch.empty(head.shape, head.dtype)
        with head.data.open("rb") as file:
            file.seek(offset)
            if head.compressed:
                _inflate(file, array, ref, head.stored)
            else:
                file_io.fill(file, array, ref)
    array = np.moveaxis(file_io.native(array), -1, 0)  # (C, Z, Y, X)
    return Image(array=array, affine=head.affine, spacing_mm=head.spacing_mm)


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write an mha, compressed; always three dimensions, so that a plane keeps its affine."""
    image, array = file_io.stored(thing)
    if path.suffix.lower() == ".mhd":
        raise OutputError(f"{path}: a header with separate data cannot be written", hint=".mha")
    if array.ndim != 4:
        raise OutputError(f"{path}: MetaImage is written without times", hint=".npz or .nii.gz")
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    name = _NAMES.get(f"{array.dtype.kind}{array.dtype.itemsize}")
    if name is None:
        raise OutputError(f"{path}: MetaImage cannot hold this type", found=str(array.dtype))
    channels, z, y, x = array.shape
    fields = [
        ("ObjectType", "Image"),
        ("NDims", "3"),
        ("BinaryData", "True"),
        ("BinaryDataByteOrderMSB", "False"),
    ]
    fields += [("CompressedData", "True"), ("CompressedDataSize", _UNKNOWN)]
    if image.affine is not None and image.spacing_mm is not None:
        directions = image.affine[:3, :3] / np.asarray(image.spacing_mm)
        fields.append(("TransformMatrix", _numbers(directions.T.reshape(-1))))
        fields.append(("Offset", _numbers(image.affine[:3, 3])))
    if image.spacing_mm is not None:
        fields.append(("ElementSpacing", _numbers(image.spacing_mm)))
    fields += [("DimSize", f"{x} {y} {z}"), ("ElementNumberOfChannels", str(channels)), ("ElementType", name)]
    squeeze = zlib.compressobj(1)
    interleaved = np.moveaxis(array, 0, -1)
    with file_io.atomic(path) as file:
        text = "".join(f"{key} = {value}\n" for key, value in fields) + "ElementDataFile = LOCAL\n"
        file.write(text.encode("ascii"))
        for plane in interleaved:
            little = plane.astype(plane.dtype.newbyteorder("<"), copy=False)
            file.write(squeeze.compress(np.ascontiguousarray(little).data))
        file.write(squeeze.flush())
        size = file.tell() - len(text)
        file.seek(text.index(_UNKNOWN))
        file.write(f"{size:020d}".encode("ascii"))


def _parse(path: Path, ref: Ref) -> _Head:
    with file_io.typed_errors(ref):
        fields, end = _fields(path, ref)
        name = fields["ElementDataFile"]
        if name == "LOCAL":
            data, offset = path, end
        else:
            data, offset = path.parent / name, 0
            if Path(name).name != name or "%" in name or name == "LIST":
                raise FormatError(
                    f"{ref}: pixels in several files or elsewhere", found=name, hint="one mha file"
                )
            if not data.is_file():
                raise FormatError(f"{ref}: its pixel file is missing", found=name)
        dims = [int(v) for v in fields["DimSize"].split()]
        channels = int(fields.get("ElementNumberOfChannels", "1"))
        count = int(fields["NDims"])
        if len(dims) != count or count not in (2, 3) or min(*dims, channels) < 1:
            raise FormatError(f"{ref}: unsupported dimensions", found=f"NDims {count}, DimSize {dims}")
        kind = fields["ElementType"].removesuffix("_ARRAY")
        if kind not in _TYPES:
            raise FormatError(f"{ref}: unsupported pixel type", found=kind)
        if not _true(fields.get("BinaryData", "True")):
            raise FormatError(f"{ref}: pixels stored as text are not supported")
        big = _true(fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False")))
        affine, spacing = _geometry(fields, count)
        stored = fields.get("CompressedDataSize")
        return _Head(
            shape=(dims[2] if count == 3 else 1, dims[1], dims[0], channels),
            dtype=np.dtype(_TYPES[kind]).newbyteorder(">" if big else "<"),
            affine=affine,
            spacing_mm=spacing,
            compressed=_true(fields.get("CompressedData", "False")),
            stored=int(stored) if stored else None,
            skip=int(fields.get("HeaderSize", "0")),
            data=data,
            offset=offset,
        )


def _fields(path: Path, ref: Ref) -> tuple[dict[str, str], int]:
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        while file.tell() < _LONGEST_HEADER:
            line = file.readline(_LONGEST_HEADER)
            key, equals, value = line.decode("utf-8").partition("=")
            if not equals:
                break
            fields[key.strip()] = value.strip()
            if key.strip() == "ElementDataFile":
                return fields, file.tell()
    raise FormatError(f"{ref}: not a MetaImage header", found="no ElementDataFile line")


def _geometry(fields: dict[str, str], count: int) -> tuple[Array | None, Triple | None]:
    def numbers(*keys: str) -> list[float] | None:
        return next(([float(v) for v in fields[k].split()] for k in keys if k in fields), None)

    matrix = numbers("TransformMatrix", "Rotation", "Orientation")
    offset = numbers("Offset", "Position", "Origin")
    spacing = numbers("ElementSpacing", "ElementSize")
    if spacing is None and (matrix is None or offset is None):
        return None, None
    steps = spacing or [1.0] * count
    if count == 2 or (matrix is None and offset is None):
        x, y, z = [*steps, 1.0][:3]
        return None, (abs(x), abs(y), abs(z))
    affine = np.eye(4)
    affine[:3, :3] = np.array(matrix or np.eye(3).reshape(-1)).reshape(3, 3).T * np.array(steps)
    affine[:3, 3] = offset or 0.0
    return affine, None


def _inflate(file: IO[bytes], array: Array, ref: Ref, stored: int | None) -> None:
    """A zlib stream straight into the array, to its checksum."""
    view = memoryview(array.reshape(-1).view(np.uint8).data)
    loose = zlib.decompressobj(47)  # zlib or gzip
    done, left = 0, stored
    while not loose.eof:
        fresh = loose.unconsumed_tail or file.read(
            file_io.CHUNK if left is None else min(file_io.CHUNK, left)
        )
        if left is not None and not loose.unconsumed_tail:
            left -= len(fresh)
        data = loose.decompress(fresh, file_io.CHUNK)
        if not fresh and not data:
            raise FormatError(f"{ref}: truncated", found=f"{done:,} of {len(view):,} bytes of pixels")
        if done + len(data) > len(view):
            raise FormatError(
                f"{ref}: holds more pixels than its header says", found=f"over {len(view):,} bytes"
            )
        view[done : done + len(data)] = data
        done += len(data)
    if done < len(view):
        raise FormatError(f"{ref}: truncated", found=f"{done:,} of {len(view):,} bytes of pixels")


def _true(text: str) -> bool:
    return text.strip().lower() in ("true", "1", "t", "yes")


def _numbers(values: Any) -> str:
    return " ".join(repr(float(v)) for v in values)
