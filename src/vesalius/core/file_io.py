"""What every format needs of a file: one path, typed errors, bounded reading, writing whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from vesalius.core import scratch
from vesalius.core.answers import ImageAnswer
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError, GeometryError, MissingExtra, OutputError
from vesalius.core.image import Array, Image
from vesalius.core.words import counted

CHUNK = 1 << 22  # bytes moved at once
TRAILING = 1 << 26  # bytes tolerated after the pixels before a stream is called hostile
DEFLATE_RATIO = 1032  # the most that deflate can expand one byte to

# What decoders raise on damaged bytes, besides exceptions of their own.
DAMAGE: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,  # from numpy, of an npy header
    zipfile.BadZipFile,
    zlib.error,
)


def as_ref(ref: Ref | Path | str) -> Ref:
    """Return the Ref of a path; a Ref stays itself."""
    return ref if isinstance(ref, Ref) else Ref(paths=(Path(ref),))


def one_file(ref: Ref) -> Path:
    """Return the one file of a Ref. Raises FormatError if there are several, none, a folder or no bytes."""
    if len(ref.paths) != 1:
        raise FormatError(f"{ref}: this format is one file a picture", found=counted(len(ref.paths), "file"))
    path = ref.paths[0]
    if path.is_dir():
        raise FormatError(f"{path} is a folder, not an image file")
    if not path.exists():
        raise FormatError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise FormatError(f"{path}: an empty file", found="0 bytes")
    return path


@contextlib.contextmanager
def typed_errors(ref: Ref | Path, *also: type[Exception]) -> Iterator[None]:
    """Turn what a decoder raises on damaged bytes into one FormatError that names the file."""
    try:
        yield
    except (FormatError, MissingExtra):
        raise
    except GeometryError as error:
        raise FormatError(f"{ref}: {error.what}", found=error.found, hint=error.hint) from error
    except ModuleNotFoundError:
        raise
    except MemoryError as error:
        raise FormatError(f"{ref}: needs more memory than there is", found=str(error) or None) from error
    except (*DAMAGE, *also) as error:
        text = " ".join(str(error).split())[:200]
        raise FormatError(
            f"{ref}: cannot be read, it is damaged or not of this format", found=text or repr(error)
        ) from error


def check_claim(ref: Ref | Path, nbytes: int, available: int, *, compressed: bool) -> None:
    """Refuse a header that claims more than the file can hold, before anything is allocated.

    `available` is what is left in the file for the pixels. Raises FormatError.
    """
    limit = available * DEFLATE_RATIO + 1024 if compressed else available
    if nbytes > limit:
        raise FormatError(
            f"{ref}: truncated, or its header claims too much",
            found=f"{nbytes:,} bytes claimed, at most {max(limit, 0):,} can be there",
        )


def fill(stream: IO[bytes], array: Array, ref: Ref | Path) -> None:
    """Read a C-contiguous array's bytes straight into it. Raises FormatError when the stream ends before."""
    view = memoryview(cast("Any", array.reshape(-1).view(np.uint8)))
    done = 0
    held = 0
    while done < len(view):
        data = stream.read(min(CHUNK, len(view) - done))
        if not data:
            raise FormatError(f"{ref}: truncated", found=f"{done:,} of {len(view):,} bytes of pixels")
        view[done : done + len(data)] = data
        done += len(data)
        held += len(data)
        if held >= scratch.CHUNK:
            scratch.let_go(array)
            held = 0


def drain(stream: IO[bytes], ref: Ref | Path, *, limit: int = TRAILING) -> None:
    """Read a compressed stream to its end, which is where its checksum is verified."""
    left = limit
    while data := stream.read(CHUNK):
        left -= len(data)
        if left < 0:
            raise FormatError(f"{ref}: more than {limit:,} bytes follow the pixels")


def native(array: Array) -> Array:
    """Return the same values in the machine's byte order, swapped in place."""
    if array.dtype.isnative:
        return array
    return array.byteswap(inplace=True).view(array.dtype.newbyteorder("="))


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """Yield a binary file that appears under its name only when it is complete and on the disk.

    Raises OutputError for a full disk, a read-only or missing folder; nothing half-written is left.
    """
    part = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}.part")
    try:
        with part.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}", found=error.strerror or str(error)) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def pixels(thing: object) -> Image:
    """Return the image inside what is to be written: an Image, or an answer that is one. Raises OutputError."""
    if isinstance(thing, Image):
        return thing
    if isinstance(thing, ImageAnswer):
        return thing.image
    raise OutputError(
        "only images, masks, maps and pictures have pixels to write", found=type(thing).__name__
    )


def label_array(array: Array) -> Array:
    """Return integers in the smallest type that holds them (bits become uint8); other arrays stay as they are."""
    if array.dtype == np.bool_:
        return array.view(np.uint8)
    if array.dtype.kind not in "iu" or array.dtype.itemsize == 1:
        return array
    low, high = int(array.min()), int(array.max())
    kind = np.result_type(np.min_scalar_type(low), np.min_scalar_type(high))
    return array.astype(kind) if kind.itemsize < array.dtype.itemsize else array


def stored(thing: object) -> tuple[Image, Array]:
    """Return the image to write and its pixels as files keep them: bits as uint8, a mask in the smallest type."""
    image = pixels(thing)
    labels = isinstance(thing, ImageAnswer) and thing.holds == "labels"
    if labels or image.array.dtype == np.bool_:
        return image, label_array(image.array)
    return image, image.array
