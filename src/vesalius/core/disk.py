"""Writing so that a crash leaves the old file or the new one, never half of one; and hashing."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vesalius.core.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write `path` into OutputError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OutputError(
                f"no space left to write {path}", hint="free some disk, or write elsewhere"
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise OutputError(
                f"{path} cannot be written: permission denied", hint="write elsewhere"
            ) from error
        found = error.strerror or str(error)
        raise OutputError(f"{path} cannot be written", found=found, hint="write elsewhere") from error


def assert_apart(source: Path, out: Path) -> None:
    """Raise OutputError where what is written would lie among what is read, and be read as such the next time."""
    here, there = source.resolve(), out.resolve()
    if there.is_relative_to(here) or here.is_relative_to(there):
        within = (
            f"{out} lies within {source}" if there.is_relative_to(here) else f"{source} lies within {out}"
        )
        raise OutputError(f"{within}: output and input are kept apart", hint="a folder elsewhere")


def write_with(path: Path, write: Callable[[Path], None]) -> None:
    """Call `write` on a temporary neighbour of `path`, fsync it, and put it in place.

    The temporary name keeps the suffixes, for writers that look at them. Raises OutputError.
    """
    temporary = path.with_name(f".{secrets.token_hex(4)}.tmp.{path.name}")
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text whole or not at all. Raises OutputError."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes whole or not at all. Raises OutputError."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(data)

    write_with(path, write)


def append(handle: int, data: bytes) -> None:
    """Add bytes to the end of an open file, whole and fsynced, or leave the file as it was. Raises OSError."""
    size = os.fstat(handle).st_size
    try:
        while data:
            data = data[os.write(handle, data) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, size)
        raise


@contextmanager
def held(path: Path, *, surely: bool = False) -> Iterator[None]:
    """Keep a folder or a file to this process; it is let go however the process ends.

    Raises OutputError where another process has it; where there are no locks, only if it must be kept `surely`.
    """
    unknown = OutputError(f"{path} cannot be locked", hint="a file system that has locks")
    if fcntl is None:
        if surely:
            raise unknown
        yield
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                f"{path} is in use by another process", hint="wait for it, or stop it"
            ) from error
        except OSError as error:  # a file system without locks
            if surely:
                raise unknown from error
        yield
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """Return hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def new_folder(path: Path | None, *, default: str, base: Path | None = None) -> Path:
    """Make a folder for output; an existing one must be empty, so nothing is ever overwritten.

    Without `path` it is `runs/<default>-<n>` under `base` with the first free n. Raises OutputError.
    """
    if path is None:
        root = (base or Path.cwd()) / "runs"
        n = 1
        while True:
            path = root / f"{default}-{n}"
            with output_errors(path):
                root.mkdir(parents=True, exist_ok=True)
                try:
                    path.mkdir()
                    return path
                except FileExistsError:
                    n += 1
    with output_errors(path):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise OutputError(f"{path} exists and is not empty; nothing is overwritten", hint="another -o")
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".{secrets.token_hex(4)}.tmp"
        probe.touch()
        probe.unlink()
    return path
