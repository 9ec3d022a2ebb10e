"""NIfTI-1 and NIfTI-2 single files, plain or gzipped; RAS in the file, LPS here.

The sform counts where it has a code, else the qform. What lies on the grid of the NIfTI that it was made from is
written with both of that file's forms, their codes and its unit of length.

A 4th axis is channels (as the Medical Segmentation Decathlon stores its modalities), unless the header gives it
a unit of time and a step other than 0 or 1: then it is times. Source: the NIfTI-1.1 header, nifti1.h.
"""

from __future__ import annotations

import gzip
import math
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Literal, cast

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from vesalius.core import file_io, grids, scratch
from vesalius.core.answers import Answer
from vesalius.core.case import Ref
from vesalius.core.channels import COLOURS
from vesalius.core.errors import FormatError, OutputError
from vesalius.core.header import Header
from vesalius.core.image import Array, Forms, Image, Source, Triple

SUFFIXES = (".nii", ".nii.gz")
MAGIC = ((344, b"n+1\x00"), (4, b"n+2\x00"))
HOLDS = "Image"
WRITES = ("Image", "ImageAnswer")

_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # xyzt_units, lowest three bits, in millimetres
_SECONDS = {8: 1.0, 16: 1e-3, 24: 1e-6}  # xyzt_units, the next three bits
_FORMS = (
    "qform_code", "sform_code", "pixdim", "quatern_b", "quatern_c", "quatern_d",
    "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z", "xyzt_units",
)  # fmt: skip
_RGB_VECTORS = (2003, 2004)  # NIFTI_INTENT_RGB_VECTOR and NIFTI_INTENT_RGBA_VECTOR, along the 5th axis
_GZIP_LEVEL = 1  # masks shrink a hundredfold at any level; time is what counts


def header(ref: Ref) -> Header:
    """Shape and geometry from the header alone. Raises FormatError where the file cannot hold what it claims."""
    path = file_io.one_file(ref)
    with file_io.typed_errors(ref, HeaderDataError), _open(path) as stream:
        head = _read_head(stream, ref)
        layout = _Layout(head, ref)
        _checked_offset(head, layout, ref, compressed=isinstance(stream, gzip.GzipFile))
    dtype = layout.dtype if layout.scaling is None else layout.scaled_dtype
    image = layout.image(np.broadcast_to(np.zeros((), dtype), layout.shape), ref)
    return Header(
        shape=image.shape,
        dtype=dtype.newbyteorder("=").name,
        channels=image.array.shape[-4],
        frames=1 if image.times_s is None else len(image.times_s),
        times_s=image.times_s,
        affine=image.affine,
        spacing_mm=image.spacing_mm,
        spacing_at=image.spacing_at,
        forms=image.source.forms,
    )


def read(ref: Ref) -> Image:
    """Read the whole file, checksum included, in its own type; float32 or 64 where it stores a scaling."""
    path = file_io.one_file(ref)
    with file_io.typed_errors(ref, HeaderDataError), _open(path) as stream:
        head = _read_head(stream, ref)
        layout = _Layout(head, ref)
        compressed = isinstance(stream, gzip.GzipFile)
        offset = _checked_offset(head, layout, ref, compressed=compressed)
        _skip(stream, offset - int(head["sizeof_hdr"]), ref)
        if not compressed and layout.dtype.isnative and scratch.wanted(layout.nbytes):
            array = scratch.mapped(path, layout.shape, layout.dtype, offset=offset)
        else:
            array = scratch.empty(layout.shape, layout.dtype)
            file_io.fill(stream, array, ref)
        if compressed:
            file_io.drain(stream, ref)
    array = file_io.native(array)
    if layout.scaling is not None:
        array = _scaled(array, layout.scaling, layout.scaled_dtype)
    return layout.image(array, ref)


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write in the array's own type (bits as uint8, half floats as float32), streamed.

    What lies on the grid of the NIfTI that it was made from gets that file's sform and qform. Else, with an affine,
    both are set with code 1 (the qform only where the affine has no shear); with a spacing alone both codes are 0.
    Raises OutputError for what NIfTI cannot hold.
    """
    image, array = file_io.stored(thing)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    head = _make_head(image, array.dtype, path)
    forms = thing.source.forms or (source.source.forms if source is not None else None)
    if forms is not None and forms.fit(image):
        _set_forms(head, forms)
    # (x, y, z, t, c) in Fortran order is (c, t, z, y, x) in C order: one contiguous block a (c, t, z)
    planes = array if array.ndim == 4 else array.swapaxes(0, 1).reshape(-1, *array.shape[2:])
    with file_io.atomic(path) as file:
        if path.name.lower().endswith(".gz"):
            with gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0) as stream:
                _write_body(cast("IO[bytes]", stream), head, planes)
        else:
            _write_body(file, head, planes)


class _Layout:
    """What a header says of the pixels: C-order shape, type, scaling, geometry."""

    def __init__(self, head: Any, ref: Ref) -> None:
        self.head = head
        dims = [int(d) for d in head["dim"]]
        if not 1 <= dims[0] <= 5 or any(d < 1 for d in dims[1 : dims[0] + 1]):
            raise FormatError(f"{ref}: impossible dimensions", found=f"dim {dims}")
        x, y, z, t, c = (dims[1 : dims[0] + 1] + [1] * 5)[:5]
        kind = head.get_data_dtype()
        self.colour = 0
        if kind.names is not None:  # RGB24, RGBA32: bytes side by side
            self.colour, kind = len(kind.names), np.dtype(np.uint8)
        if kind.kind not in "iuf":
            raise FormatError(f"{ref}: unsupported pixel type", found=str(kind), hint="save the magnitude")
        self.dtype = np.dtype(kind)
        self.shape: tuple[int, ...] = (c, t, z, y, x) + ((self.colour,) if self.colour else ())
        self.nbytes = math.prod(self.shape) * self.dtype.itemsize
        self.scaling = None if self.colour else _scaling(head)
        exact = (
            self.dtype.itemsize < 4 or self.dtype == np.float32 or self.dtype.newbyteorder("=") == np.float32
        )
        self.scaled_dtype = np.dtype(np.float32 if exact else np.float64)

    def image(self, array: Array, ref: Ref) -> Image:
        names: tuple[str, ...] = ()
        if self.colour:
            array = np.moveaxis(array[0], -1, 0)[:3]  # (t, z, y, x, rgb) → (rgb, t, z, y, x)
            names = COLOURS[: array.shape[0]]
        channels, frames = array.shape[:2]
        if int(self.head["intent_code"]) in _RGB_VECTORS and channels in (3, 4) and frames == 1:
            array, names = array[:3], COLOURS
        times = self._times(frames)
        if frames == 1:
            array, times = array[:, 0], None
        elif times is None and channels == 1:
            array = array[0]
        elif times is None:
            raise FormatError(
                f"{ref}: has a 4th and a 5th axis, and neither is time", found=f"dim {list(self.head['dim'])}"
            )
        else:
            array = array.swapaxes(0, 1)  # (T, C, Z, Y, X)
        affine, spacing = _geometry(self.head)
        image = Image(array=array, affine=affine, spacing_mm=spacing, times_s=times, channels=names)
        return replace(image, source=Source(forms=_forms(self.head, image)))

    def _times(self, frames: int) -> tuple[float, ...] | None:
        second = _SECONDS.get(int(self.head["xyzt_units"]) & 0x38)
        step = float(self.head["pixdim"][4])
        if (
            second is None
            or not math.isfinite(step)
            or step <= 0
            or (step == 1 and int(self.head["dim"][5]) < 2)
        ):
            return None
        start = float(self.head["toffset"])
        start = start if math.isfinite(start) else 0.0
        return tuple((start + k * step) * second for k in range(frames))


def _open(path: Path) -> IO[bytes]:
    """Return the file, or what is in it if it is gzipped, whatever its suffix says."""
    file = path.open("rb")
    magic = file.read(2)
    file.seek(0)
    if magic != b"\x1f\x8b":
        return file
    file.close()
    return cast("IO[bytes]", gzip.open(path, "rb"))


def _read_head(stream: IO[bytes], ref: Ref) -> Any:
    with file_io.typed_errors(ref, HeaderDataError):
        raw = stream.read(4)
        size = {int.from_bytes(raw, "little"), int.from_bytes(raw, "big")}
        kind: Any = nib.Nifti2Header if 540 in size else nib.Nifti1Header
        length = 540 if 540 in size else 348
        if not size & {348, 540}:
            raise FormatError(f"{ref}: not a NIfTI file", found=f"first bytes {raw!r}")
        raw += stream.read(length - 4)
        if len(raw) < length:
            raise FormatError(f"{ref}: truncated inside its header", found=f"{len(raw)} bytes")
        head = kind(raw, check=False)
        if bytes(head["magic"])[:2] not in (b"n+",):
            raise FormatError(f"{ref}: not a single-file NIfTI", found=f"magic {bytes(head['magic'])!r}")
        return head


def _checked_offset(head: Any, layout: _Layout, ref: Ref, *, compressed: bool) -> int:
    """Return where the pixels begin. Raises FormatError where they cannot, or where the file is too short for them."""
    offset, at = int(head["vox_offset"]), int(head["sizeof_hdr"])
    if offset < at:
        raise FormatError(f"{ref}: the pixels begin inside the header", found=f"vox_offset {offset}")
    if offset - at > file_io.TRAILING:
        raise FormatError(f"{ref}: header extensions too long", found=f"{offset - at:.4g} bytes")
    size = ref.paths[0].stat().st_size
    file_io.check_claim(ref, offset + layout.nbytes, size, compressed=compressed)
    return offset


def _skip(stream: IO[bytes], count: int, ref: Ref) -> None:
    if len(stream.read(count)) < count:
        raise FormatError(f"{ref}: truncated before its pixels")


def _scaling(head: Any) -> tuple[float, float] | None:
    slope, inter = float(head["scl_slope"]), float(head["scl_inter"])
    if slope == 0 or not math.isfinite(slope):
        return None
    inter = inter if math.isfinite(inter) else 0.0
    return None if (slope, inter) == (1.0, 0.0) else (slope, inter)


def _scaled(array: Array, scaling: tuple[float, float], kind: np.dtype[Any]) -> Array:
    slope, inter = (kind.type(s) for s in scaling)
    own = array.dtype == kind and array.flags.writeable
    out = array if own else scratch.empty(array.shape, kind)
    given, made = (one.reshape(-1, *one.shape[2 if one.ndim > 2 else 0 :]) for one in (array, out))
    with np.errstate(over="ignore", invalid="ignore"):
        for part in scratch.in_chunks(made):
            np.multiply(given[part], slope, out=made[part], dtype=kind, casting="unsafe")
            np.add(made[part], inter, out=made[part])
            scratch.let_go(given)
    return out


def _geometry(head: Any) -> tuple[Array | None, Triple | None]:
    """LPS affine by sform, otherwise qform; with both codes 0 the voxel sizes alone, if they are any."""
    unit = _MM.get(int(head["xyzt_units"]) & 0x07)
    if unit is None:
        return None, None
    scale = np.diag([unit, unit, unit, 1.0])
    if int(head["sform_code"]) > 0:
        return _LPS @ scale @ np.asarray(head.get_sform(), np.float64), None
    if int(head["qform_code"]) > 0:
        return _LPS @ scale @ np.asarray(head.get_qform(), np.float64), None
    x, y, z = (abs(float(s)) * unit for s in head["pixdim"][1:4])
    if int(head["dim"][0]) < 3 and not z > 0:
        z = 1.0
    if (x, y, z) == (1.0, 1.0, 1.0) and not int(head["xyzt_units"]) & 0x07:
        return None, None  # the defaults of a header that nobody filled
    return None, (x, y, z) if all(math.isfinite(s) and s > 0 for s in (x, y, z)) else None


def _forms(head: Any, image: Image) -> Forms:
    """Return both forms as the header has them, and how far apart they put the image's corners."""
    fields = {name: np.array(head[name]) for name in _FORMS}
    fields["pixdim"], fields["xyzt_units"] = fields["pixdim"][:4], fields["xyzt_units"] & 0x07
    said = int(head["sform_code"]) > 0, int(head["qform_code"]) > 0
    used: Literal["sform", "qform", ""] = "sform" if said[0] else "qform" if said[1] else ""
    forms = Forms(fields, used, image.affine, image.spacing_mm)
    if not all(said) or image.affine is None or image.spacing_mm is None:
        return forms
    try:
        other = np.asarray(head.get_qform(), np.float64)
    except (HeaderDataError, ValueError):
        return forms
    unit = _MM[int(head["xyzt_units"]) & 0x07]
    shown = np.diag([unit, unit, unit, 1.0]) @ other
    apart = grids.apart_mm(image.affine, _LPS @ shown, image.shape)
    if not math.isfinite(apart):
        return forms
    return replace(forms, apart_mm=apart, apart_voxels=apart / min(image.spacing_mm))


def _set_forms(head: Any, forms: Forms) -> None:
    """Say of a header's place what another's said."""
    for name in set(_FORMS) - {"pixdim", "xyzt_units"}:
        head[name] = forms.fields[name]
    head["pixdim"][:4] = forms.fields["pixdim"]
    head["xyzt_units"] = int(head["xyzt_units"]) & 0x38 | int(forms.fields["xyzt_units"])


def _make_head(image: Image, dtype: np.dtype[Any], path: Path) -> Any:
    z, y, x = image.shape
    channels, frames = image.array.shape[-4], 1 if image.times_s is None else len(image.times_s)
    if image.times_s is not None and channels > 1:
        shape: tuple[int, ...] = (x, y, z, frames, channels)
    elif image.times_s is not None or channels > 1:
        shape = (x, y, z, frames * channels)
    else:
        shape = (x, y, z)
    kind: Any = nib.Nifti1Header if max(shape) < 2**15 else nib.Nifti2Header
    head = kind()
    try:
        head.set_data_dtype(dtype)
        head.set_data_shape(shape)
    except HeaderDataError as error:
        raise OutputError(f"{path}: NIfTI cannot hold this", found=f"{dtype} {shape}") from error
    spacing = image.spacing_mm or (1.0, 1.0, 1.0)
    head.set_zooms([*spacing, *([1.0] * (len(shape) - 3))])
    # without any geometry the unit stays unknown, which is how a reader can tell
    head.set_xyzt_units("mm" if image.spacing_mm else None, "sec" if image.times_s else None)
    if image.times_s is not None:
        head["pixdim"][4], head["toffset"] = _even_step(image.times_s, path), image.times_s[0]
    if image.affine is None:
        head.set_sform(None, code=0)
        head.set_qform(None, code=0)
    else:
        affine = _LPS @ image.affine
        head.set_sform(affine, code=1)
        head.set_qform(affine, code=1, strip_shears=True)
        if not np.allclose(head.get_qform(), affine, rtol=1e-4, atol=1e-3):
            head["qform_code"] = 0
    head["vox_offset"] = int(head["sizeof_hdr"]) + 4
    head["scl_slope"], head["scl_inter"] = 1.0, 0.0
    return head


def _even_step(times: tuple[float, ...], path: Path) -> float:
    steps = np.diff(times) if len(times) > 1 else np.array([0.0])
    if not np.allclose(steps, steps[0], rtol=1e-4, atol=1e-6):
        raise OutputError(f"{path}: NIfTI holds evenly spaced times only", hint=".npz")
    return float(steps[0])


def _write_body(stream: IO[bytes], head: Any, planes: Array) -> None:
    stream.write(bytes(head.binaryblock) + bytes(4))
    for volume in planes:
        for plane in volume:
            stream.write(np.ascontiguousarray(plane).data)
