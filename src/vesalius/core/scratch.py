"""Scratch: arrays and rows in files without a name, for what does not fit into a memory that somebody declared.

Such a file has no name from the moment it is made, so that nothing of it is left on the disk, however the process ends.
It lies where temporary files lie (`TMPDIR`).
"""

from __future__ import annotations

import math
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from vesalius.core.errors import OutputError

Array = npt.NDArray[Any]
CHUNK = 32 << 20  # bytes that are worked on at once
_SPARED = 1 << 30  # bytes of a disk that others are left
_least: ContextVar[int | None] = ContextVar("least", default=None)


@contextmanager
def for_large(least: int | None) -> Iterator[None]:
    """Within this block `empty` and `zeros` make arrays of at least so many bytes in files; None makes none there."""
    token = _least.set(least)
    try:
        yield
    finally:
        _least.reset(token)


def wanted(nbytes: int) -> bool:
    """Return whether an array of so many bytes is to lie in a file, and there is room for it."""
    least = _least.get()
    return least is not None and max(least, 1) <= nbytes <= room()


def empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """Return an array of any values, in memory or in a file. Raises OutputError where the disk is full."""
    kind = np.dtype(dtype)
    nbytes = math.prod(shape) * kind.itemsize
    return _in_file(shape, kind, nbytes) if wanted(nbytes) else np.empty(shape, kind)


def zeros(shape: tuple[int, ...], dtype: Any) -> Array:
    """Return an array of zeros, in memory or in a file. Raises OutputError where the disk is full."""
    kind = np.dtype(dtype)
    nbytes = math.prod(shape) * kind.itemsize
    return _in_file(shape, kind, nbytes) if wanted(nbytes) else np.zeros(shape, kind)


def mapped(path: Path, shape: tuple[int, ...], dtype: Any, *, offset: int) -> Array:
    """Return what stands in a file from a byte on as an array that cannot be written to, read as it is needed."""
    with path.open("rb") as file:
        held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(held, dtype, math.prod(shape), offset).reshape(shape)


def let_go(array: Array) -> None:
    """Take the pages of an array that lies in a file out of memory; values stay. Others are left as they are."""
    held = _map_of(array)
    if held is not None and hasattr(mmap, "MADV_DONTNEED"):
        held.madvise(mmap.MADV_DONTNEED)


def in_file(array: Array) -> bool:
    """Return whether an array, or what it is a part of, lies in a file."""
    return _map_of(array) is not None


def in_chunks(array: Array, *, axis: int = 0, nbytes: int = CHUNK) -> Iterator[slice]:
    """Yield stretches of one axis of an array, of about so many bytes each; after each its pages are let go."""
    n = array.shape[axis]
    rows = max(1, nbytes * n // max(array.nbytes, 1))
    for start in range(0, n, rows):
        yield slice(start, min(start + rows, n))
        let_go(array)


def room() -> int:
    """Return how many bytes scratch files may take; 0 where temporary files lie in memory themselves."""
    folder = Path(tempfile.gettempdir())
    return 0 if _in_memory(folder) else max(0, shutil.disk_usage(folder).free - _SPARED)


class Rows:
    """Rows of `n` bytes each in a file without a name, written and read by their number."""

    def __init__(self, n: int) -> None:
        self.n = n
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed by `close`

    def write(self, row: int, values: Array) -> None:
        """Write one row, a C-contiguous array of `n` bytes. Raises OutputError where the disk is full."""
        try:
            self._file.seek(row * self.n)
            self._file.write(values.data)
        except OSError as error:
            raise _full(error) from error

    def read(self, row: int, into: Array) -> None:
        """Read one row into a C-contiguous array of `n` bytes."""
        self._file.seek(row * self.n)
        if self._file.readinto(into.data.cast("B")) != self.n:  # type: ignore[attr-defined]
            raise OutputError("a scratch file holds less than was written to it")

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


def _map_of(array: Array) -> mmap.mmap | None:
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    base = base.obj if isinstance(base, memoryview) else base
    return base if isinstance(base, mmap.mmap) else None


def _in_file(shape: tuple[int, ...], kind: np.dtype[Any], nbytes: int) -> Array:
    try:
        with tempfile.TemporaryFile() as file:
            if hasattr(os, "posix_fallocate"):  # a disk that is full is an error now, and no signal later
                os.posix_fallocate(file.fileno(), 0, nbytes)
            else:
                file.truncate(nbytes)
            held = mmap.mmap(file.fileno(), nbytes)
    except OSError as error:
        raise _full(error) from error
    return np.frombuffer(held, kind).reshape(shape)


def _full(error: OSError) -> OutputError:
    return OutputError(
        f"cannot write scratch files to {tempfile.gettempdir()}",
        found=error.strerror or str(error),
        hint="more memory, or TMPDIR on a disk with room",
    )


def _in_memory(folder: Path) -> bool:
    """Return whether a folder lies in memory (tmpfs); False where the system does not tell."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    places = [(Path(words[1]), words[2]) for words in map(str.split, lines) if len(words) > 2]
    whole = folder.resolve()
    above = [(len(place.parts), kind) for place, kind in places if place == whole or place in whole.parents]
    return bool(above) and max(above, key=lambda one: one[0])[1] in ("tmpfs", "ramfs")
