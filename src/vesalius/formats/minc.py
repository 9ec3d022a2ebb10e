"""MINC (mnc), version 1 in netCDF and version 2 in HDF5, through nibabel; read only. RAS in the file, LPS here.

Values are the real ones, as the file's image-min and image-max scale them slice by slice, in float32 (float64 where the
file stores that). Axes lie in the file's order: the slowest is z here, whatever it is called there, and the affine says
where it goes. Version 2 needs `vesalius[minc]`. Source: the MINC programmer's guide (MINC 1) and the MINC 2.0 file
format reference, en.wikibooks.org/wiki/MINC.
"""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from nibabel import minc1
from nibabel.externals import netcdf

from vesalius.core import file_io
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError, MissingExtra
from vesalius.core.header import Header
from vesalius.core.image import Array, Image
from vesalius.core.words import listed

SUFFIXES = (".mnc",)
MAGIC = ((0, b"CDF\x01"), (0, b"CDF\x02"), (0, b"\x89HDF\r\n\x1a\n"))
HOLDS = "Image"
WRITES = ()
EXTRA = "minc"

_HDF5 = b"\x89HDF"
_SPACES = ("xspace", "yspace", "zspace")
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_FAULTS = (
    minc1.MincError,
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    NotImplementedError,
    TypeError,
    OSError,
)
_NEAR = 1e-3  # of a whole number, to which the scaling of a label's value may be rounded


def header(ref: Ref) -> Header:
    """Return shape and geometry, without the pixels. Raises FormatError, MissingExtra for HDF5 without its library."""
    path = file_io.one_file(ref)
    with file_io.typed_errors(ref, *_FAULTS), _Opened(path, ref) as file:
        image = file.image(np.broadcast_to(np.zeros((), file.dtype), file.shape))
        name = file.dtype.name
    return Header(
        shape=image.shape,
        dtype=name,
        channels=1,
        affine=image.affine,
        spacing_mm=image.spacing_mm,
        spacing_at=image.spacing_at,
    )


def read(ref: Ref) -> Image:
    """Read all values as they are scaled. Raises FormatError for time axes, vectors, and files that are no MINC."""
    path = file_io.one_file(ref)
    with file_io.typed_errors(ref, *_FAULTS), _Opened(path, ref) as file:
        return file.image(np.asarray(file.values(), file.dtype))


def read_mask(ref: Ref) -> Image:
    """Read labels: the whole numbers that scaled values are, up to the rounding of the scaling. Raises FormatError."""
    image = read(ref)
    whole = np.rint(image.array)
    off = float(np.abs(image.array - whole).max())
    if off > _NEAR:
        raise FormatError(f"{ref}: a mask must hold whole numbers", found=f"values off by {off:.3g}")
    return Image(array=whole.astype(np.int32), affine=image.affine, spacing_mm=image.spacing_mm)


class _Opened:
    """An open MINC file: its dimensions, its type, its geometry and its values."""

    def __init__(self, path: Path, ref: Ref) -> None:
        self.path, self.ref = path, ref

    def __enter__(self) -> _Opened:
        with self.path.open("rb") as start:
            second = start.read(4) == _HDF5
        one: Any = netcdf
        self.stream = (
            _hdf5().File(self.path, "r") if second else one.netcdf_file(str(self.path), "r", mmap=False)
        )
        try:
            self.minc = (_minc2().Minc2File if second else _minc1().Minc1File)(self.stream)
            self._look(compressed=second)
        except BaseException:
            self.stream.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def _look(self, *, compressed: bool) -> None:
        self.names = [str(n) for n in self.minc._dim_names]
        stored = np.dtype(self.minc.get_data_dtype())
        shape = tuple(int(n) for n in self.minc.get_data_shape())
        if sorted(self.names) != sorted(set(self.names) & set(_SPACES)) or len(shape) not in (2, 3):
            raise FormatError(
                f"{self.ref}: has axes other than x, y and z",
                found=listed(self.names),
                hint="one volume a file: mincreshape, or mnc2nii",
            )
        if stored.kind not in "iuf" or min(shape) < 1:
            raise FormatError(f"{self.ref}: unsupported pixels", found=f"{stored} {shape}")
        size = math.prod(shape) * stored.itemsize
        file_io.check_claim(self.ref, size, self.path.stat().st_size, compressed=compressed)
        self.dtype = np.dtype(np.float64 if stored.kind == "f" and stored.itemsize == 8 else np.float32)
        self.shape = (1, *shape) if len(shape) == 3 else (1, 1, *shape)  # (C, Z, Y, X)

    def values(self) -> Array:
        """Return the real values `(C, Z, Y, X)`."""
        found: Array = np.asarray(self.minc.get_scaled_data(), np.float64).reshape(self.shape)
        return found

    def image(self, array: Array) -> Image:
        """Return an array as an image with the file's geometry: none where it says no steps."""
        dims = [self.minc._dims[k] for k in range(len(self.names))]
        if len(self.names) < 3 or not all(hasattr(d, "step") for d in dims):
            return Image(array=array)
        affine = np.asarray(self.minc.get_affine(), np.float64)[
            :, [2, 1, 0, 3]
        ]  # index (x, y, z), the fastest first
        if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
            raise FormatError(f"{self.ref}: impossible geometry", found="steps of 0, or axes in one plane")
        return Image(array=array, affine=_LPS @ affine)


def _hdf5() -> Any:
    try:
        return importlib.import_module("h5py")
    except ModuleNotFoundError as error:
        raise MissingExtra("h5py", EXTRA) from error


def _minc1() -> Any:
    return minc1


def _minc2() -> Any:
    return importlib.import_module("nibabel.minc2")
