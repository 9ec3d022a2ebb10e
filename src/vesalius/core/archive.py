"""Files within zip archives, under paths that go on inside: `study.zip/series/IM1`. Nothing is unpacked to disk."""

from __future__ import annotations

import functools
import hashlib
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from vesalius.core.errors import FormatError

MOST_MEMBERS = 500_000
MOST_BYTES = 1 << 32  # of one member
_RATIO = 1032  # the most that deflate can expand one byte to
DAMAGE = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, KeyError, ValueError)


def is_archive(path: Path) -> bool:
    """Return whether a file is a zip, by its name and its first bytes."""
    if path.suffix.lower() != ".zip" or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def members(path: Path) -> tuple[Path, ...]:
    """Return the files in a zip, as paths that go on within it.

    Hidden ones and those that point elsewhere are left out.
    Raises FormatError for a damaged archive, or one with too many files.
    """
    return tuple(path / n for n in _names(path) if n.parts and not _leads_out(n) and not _hidden(n))


def strays(path: Path) -> tuple[str, ...]:
    """Return the names in a zip that lead out of it, which are in no way followed.

    Raises FormatError like `members`.
    """
    return tuple(str(n) for n in _names(path) if _leads_out(n))


def claimed_bytes(path: Path) -> int:
    """Return what a zip says that its files are unpacked, believable or not. Raises FormatError like `members`."""
    return sum(i.file_size for i in _infos(path))


def _infos(path: Path) -> list[zipfile.ZipInfo]:
    try:
        if directory_bytes(path) > MOST_MEMBERS * 256:
            raise FormatError(f"{path}: a zip of too many files")
        infos = _opened(path, path.stat().st_mtime_ns).infolist()
    except (*DAMAGE, OSError) as error:
        raise FormatError(f"{path}: not a zip that can be read", found=str(error) or None) from error
    if len(infos) > MOST_MEMBERS:
        raise FormatError(f"{path}: a zip of too many files", found=f"{len(infos):,}")
    return infos


def _names(path: Path) -> list[PurePosixPath]:
    return [_name(i) for i in _infos(path) if not i.is_dir()]


def _name(info: zipfile.ZipInfo) -> PurePosixPath:
    """Return a file's name with slashes; some programs of Windows write backslashes."""
    return PurePosixPath(info.filename.replace("\\", "/"))


def directory_bytes(path: Path) -> int:
    """Return how long a zip's directory says it is, in bytes, before anything of it is read; 0 where it does not say.

    A reader builds an object for each 46 bytes of it. Source: PKWARE's APPNOTE 4.3.14 to 4.3.16.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - (1 << 16) - 64))
        tail = file.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or at + 22 > len(tail):
            return 0
        said = int.from_bytes(tail[at + 12 : at + 16], "little")
        locator = tail[max(0, at - 20) : at]
        if not locator.startswith(b"PK\x06\x07"):
            return said
        file.seek(int.from_bytes(locator[8:16], "little"))
        return max(said if said < 0xFFFFFFFF else 0, int.from_bytes(file.read(56)[40:48], "little"))


def _leads_out(name: PurePosixPath) -> bool:
    return name.is_absolute() or any(part == ".." or ":" in part for part in name.parts)


def _hidden(name: PurePosixPath) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in name.parts)


def exists(path: Path) -> bool:
    """Return whether there is such a file, on disk or in an archive."""
    return path.is_file() or _within(path) is not None


def size(path: Path) -> int:
    """Return bytes of a file, on disk or (uncompressed) in an archive.

    Raises FormatError for what a zip cannot hold.
    """
    found = None if path.is_file() else _within(path)
    if found is None:
        return path.stat().st_size
    info = found[1]
    if info.file_size > min(MOST_BYTES, info.compress_size * _RATIO + 1024):
        raise FormatError(f"{path}: its archive claims too much", found=f"{info.file_size:,} bytes")
    if info.flag_bits & 1:
        raise FormatError(f"{path}: encrypted in its archive", hint="unpack it first")
    return info.file_size


def open_file(path: Path) -> IO[bytes]:
    """Return a file for reading, on disk or in an archive. Raises FormatError, OSError."""
    found = None if path.is_file() else _within(path)
    if found is None:
        return path.open("rb")
    size(path)
    try:
        return found[0].open(found[1])
    except DAMAGE as error:
        raise FormatError(f"{path}: cannot be taken from its archive", found=str(error)) from error


def sha256(path: Path) -> str:
    """Return hex SHA-256 of a file's bytes, on disk or in an archive."""
    with open_file(path) as file:
        digest = hashlib.sha256()
        while data := file.read(1 << 20):
            digest.update(data)
        return digest.hexdigest()


def _within(path: Path) -> tuple[zipfile.ZipFile, zipfile.ZipInfo] | None:
    for parent in path.parents:
        if parent.suffix.lower() == ".zip" and parent.is_file():
            try:
                mtime_ns = parent.stat().st_mtime_ns
                archive = _opened(parent, mtime_ns)
                return archive, _by_name(parent, mtime_ns)[path.relative_to(parent).as_posix()]
            except (*DAMAGE, OSError):
                return None
    return None


@functools.lru_cache(maxsize=4)
def _by_name(path: Path, mtime_ns: int) -> dict[str, zipfile.ZipInfo]:
    return {str(_name(info)): info for info in _opened(path, mtime_ns).infolist()}


@functools.lru_cache(maxsize=4)
def _opened(path: Path, mtime_ns: int) -> zipfile.ZipFile:
    """Return an open archive; its directory is read once, not for each of its files."""
    return zipfile.ZipFile(path)
