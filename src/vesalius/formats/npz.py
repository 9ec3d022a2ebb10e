"""numpy's npz archives and npy files: never unpickled, members by name, items along the first axis.

An archive that `write` made says `axes` and is read as it was. In others an array, or one item of it, is taken as
`(Y, X)`, `(Y, X, 3 or 4)` colour, `(Z, Y, X)`, `(Z, Y, X, 3 or 4)` colour, or `(C, Z, Y, X)`; a fourth colour is
dropped, and a last axis of one channel too. An item of `(3, Y, X)`, of an array `(N, 3, Y, X)`, is a colour picture
with its channels first; an array `(3, Y, X)` on its own is three slices.
"""

from __future__ import annotations

import contextlib
import functools
import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from vesalius.core import file_io
from vesalius.core.answers import Answer
from vesalius.core.case import Ref
from vesalius.core.channels import COLOURS
from vesalius.core.errors import FormatError, UnknownName
from vesalius.core.header import Header
from vesalius.core.image import Array, Image

SUFFIXES = (".npz", ".npy")
MAGIC = ((0, b"\x93NUMPY"),)  # a zip without the suffix may be anything
HOLDS = "Image"
WRITES = ("Image", "ImageAnswer")

_KEEP = 1 << 29  # the largest member, in bytes, of which items are served from memory


@dataclass(frozen=True, slots=True)
class Member:
    """One array of an archive: its shape and type, as its header says."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of all its items."""
        return math.prod(self.shape) * self.dtype.itemsize


def members(path: Path) -> dict[str, Member]:
    """Return every array of an archive by name, unread; an npy file has one, named ''. Raises FormatError."""
    file_io.one_file(Ref(paths=(path,)))
    with file_io.typed_errors(Ref(paths=(path,))):
        stat = path.stat()
        return dict(_members(path, stat.st_mtime_ns, stat.st_size))


@functools.lru_cache(maxsize=16)
def _members(path: Path, modified: int, size: int) -> dict[str, Member]:
    """Return the same, kept: hundreds of cases may be items of one file."""
    ref = Ref(paths=(path,))
    if not _is_archive(path):
        with path.open("rb") as file:
            return {"": _member(file, ref, size)}
    found = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.endswith(".npy"):
                with archive.open(info) as stream:
                    found[info.filename[:-4]] = _member(stream, ref, info.file_size)
    return found


def table(path: Path, member: str) -> Array:
    """Return a whole member as it stands, whatever its shape (labels, ids). Raises FormatError, UnknownName."""
    ref = Ref(paths=(path,), member=member)
    file_io.one_file(ref)
    with file_io.typed_errors(ref):
        return _load(path, member, ref)


def header(ref: Ref) -> Header:
    """Return the shape and type from the headers inside, without inflating pixels."""
    path = file_io.one_file(ref)
    known = members(path)
    name = _choose(ref, known)
    member = known[name]
    if "axes" in known:
        image = read(ref)
        return Header(
            shape=image.shape,
            dtype=image.array.dtype.name,
            channels=image.array.shape[-4],
            frames=1 if image.times_s is None else len(image.times_s),
            times_s=image.times_s,
            affine=image.affine,
            spacing_mm=image.spacing_mm,
            spacing_at=image.spacing_at,
            modality=image.modality,
        )
    shape = member.shape if ref.index is None else member.shape[1:]
    if ref.index is not None:
        _check_index(ref, member)
    array = _arrange(np.broadcast_to(np.zeros((), member.dtype), shape), ref)
    channels, z, y, x = array.shape
    items = member.shape[0] if member.shape else 1
    return Header(shape=(z, y, x), dtype=member.dtype.newbyteorder("=").name, channels=channels, items=items)


def read(ref: Ref) -> Image:
    """Read a member, or one item of it, in its own type; bits become uint8."""
    path = file_io.one_file(ref)
    with file_io.typed_errors(ref):
        known = members(path)
        name = _choose(ref, known)
        if "axes" in known and name == "array":
            return _own(path, known, ref)
        if ref.index is None:
            array = _load(path, name, ref)
        else:
            array = _item(path, name, known[name], ref)
        first = ref.index is not None and channels_first(array.shape)
        names = COLOURS if first or _in_colour(array) else ()
        array = _arrange(array, ref)
        return Image(array=array.view(np.uint8) if array.dtype == np.bool_ else array, channels=names)


def channels_first(shape: tuple[int, ...]) -> bool:
    """Return whether one item's shape is that of a colour picture with its channels first, `(3, Y, X)`."""
    return len(shape) == 3 and shape[0] == 3 and min(shape[1:]) > 4


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write the array and its geometry; an npy file holds the array `(C, Z, Y, X)` alone."""
    image, array = file_io.stored(thing)
    with file_io.atomic(path) as file:
        if path.suffix.lower() == ".npy":
            np.lib.format.write_array(file, array, allow_pickle=False)
            return
        kept: dict[str, Any] = {"array": array, "axes": np.array("CZYX" if array.ndim == 4 else "TCZYX")}
        for name in ("affine", "spacing_mm", "spacing_at", "times_s", "unit", "modality"):
            value = getattr(image, name)
            if value is not None:
                kept[name] = np.asarray(value)
        if image.channels:
            kept["channels"] = np.array(image.channels)
        np.savez_compressed(file, **kept)


def _own(path: Path, known: dict[str, Member], ref: Ref) -> Image:
    kept = {name: _load(path, name, ref) for name in known}
    times, spacing = kept.get("times_s"), kept.get("spacing_mm")
    return Image(
        array=kept["array"],
        affine=kept.get("affine"),
        spacing_mm=None if spacing is None else (float(spacing[0]), float(spacing[1]), float(spacing[2])),
        spacing_at=cast(Any, _text(kept, "spacing_at")),
        times_s=None if times is None else tuple(float(t) for t in times),
        unit=_text(kept, "unit"),
        modality=_text(kept, "modality"),
        channels=tuple(str(c) for c in kept.get("channels", ())),
    )


def _text(kept: dict[str, Array], name: str) -> str | None:
    return str(kept[name]) if name in kept else None


def _is_archive(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _choose(ref: Ref, known: dict[str, Member]) -> str:
    if ref.member is not None:
        if ref.member not in known:
            error = UnknownName("array", ref.member, known)
            raise FormatError(f"{ref.paths[0]}: {error.what}", hint=error.hint)
        return ref.member
    if "axes" in known and "array" in known:
        return "array"
    if len(known) != 1:
        raise FormatError(
            f"{ref}: holds several arrays" if known else f"{ref}: holds no array",
            found=", ".join(known) or None,
            hint="name one as the member" if known else None,
        )
    return next(iter(known))


def _member(stream: IO[bytes], ref: Ref, size: int) -> Member:
    """Parse one npy header and hold it against the bytes there are."""
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise FormatError(f"{ref}: unknown npy version", found=str(version))
    parse = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = parse(stream)
    if dtype.hasobject:
        raise FormatError(f"{ref}: holds pickled objects, which are never loaded", hint="save plain arrays")
    member = Member(shape=shape, dtype=dtype, fortran=fortran)
    if any(n < 0 for n in shape):
        raise FormatError(f"{ref}: an impossible shape", found=str(shape))
    file_io.check_claim(ref, member.nbytes, size - stream.tell(), compressed=False)
    return member


@contextlib.contextmanager
def _stream(path: Path, name: str, ref: Ref) -> Iterator[tuple[IO[bytes], Member]]:
    if not _is_archive(path):
        with path.open("rb") as file:
            yield file, _member(file, ref, path.stat().st_size)
        return
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(name + ".npy")
        file_io.check_claim(ref, info.file_size, info.compress_size, compressed=info.compress_type != 0)
        with archive.open(info) as stream:
            yield stream, _member(stream, ref, info.file_size)


def _load(path: Path, name: str, ref: Ref) -> Array:
    with _stream(path, name, ref) as (stream, member):
        shape = member.shape[::-1] if member.fortran else member.shape
        array = np.empty(shape, member.dtype)
        if array.nbytes:
            file_io.fill(stream, array, ref)
        file_io.drain(stream, ref)  # the archive's CRC is checked at the end
    array = array.T if member.fortran else array
    return file_io.native(array)


def _check_index(ref: Ref, member: Member) -> int:
    if ref.index is None or not member.shape or not 0 <= ref.index < member.shape[0]:
        raise FormatError(f"{ref}: no such item", found=f"an array of shape {member.shape}")
    return ref.index


def _item(path: Path, name: str, member: Member, ref: Ref) -> Array:
    index = _check_index(ref, member)
    if member.nbytes <= _KEEP or member.fortran:
        stat = path.stat()
        return np.array(_kept(path, name, stat.st_mtime_ns, stat.st_size)[index])
    item = np.empty(member.shape[1:], member.dtype)
    with _stream(path, name, ref) as (stream, _):
        stream.seek(stream.tell() + index * item.nbytes)
        file_io.fill(stream, item, ref)
    return file_io.native(item)


@functools.lru_cache(maxsize=2)
def _kept(path: Path, name: str, modified: int, size: int) -> Array:
    """Return a whole member, kept so that its items are not inflated anew one by one."""
    return _load(path, name, Ref(paths=(path,), member=name))


def _in_colour(array: Array) -> bool:
    """Return whether the last axis is that of red, green, blue and perhaps an opacity."""
    return array.ndim in (3, 4) and array.shape[-1] in (3, 4) and min(array.shape[-3:-1]) > 4


def _arrange(array: Array, ref: Ref) -> Array:
    """Return one picture or volume as `(C, Z, Y, X)`."""
    if array.dtype.kind not in "iufb":
        raise FormatError(f"{ref}: not pixels", found=f"type {array.dtype}")
    if 0 in array.shape:
        raise FormatError(f"{ref}: an image without pixels", found=f"shape {array.shape}")
    if array.ndim in (3, 4) and array.shape[-1] == 1 and min(array.shape[-3:-1]) > 4:
        array = array[..., 0]
    if ref.index is not None and channels_first(array.shape):
        return array[:, None]
    if _in_colour(array):
        array = np.moveaxis(array[..., :3], -1, 0)  # (3, …, Y, X)
        return array[:, None] if array.ndim == 3 else array
    if array.ndim == 2:
        return array[None, None]
    if array.ndim == 3:
        return array[None]
    if array.ndim == 4:
        return array
    raise FormatError(
        f"{ref}: not one picture or volume",
        found=f"shape {array.shape}",
        hint="name an item along the first axis",
    )
