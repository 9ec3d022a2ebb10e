"""The studies of a folder: each entry so many folders deep is one, found without holding the list in memory."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from vesalius import formats
from vesalius.cohorts import TABLE_SUFFIXES, is_image
from vesalius.core import archive
from vesalius.core.errors import DataError

_COHORT = {"dataset.json", "dicomdir", "vesalius-dataset.json"}
_PARTS = re.compile(
    r"(masks?|segmentations?|labels?|annotations?|gt|ground.?truth)(tr|ts)?|images?(tr|ts)?", re.I
)
_JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini"}


def studies_of(root: Path, depth: int) -> Iterator[tuple[str, str, str]]:
    """Yield where each study lies below `root`, what it is called, and a name that no other can have.

    A study is a visible folder, or an image or a zip by itself. Raises DataError where the folder is a cohort: tables,
    and folders of images and of masks, belong together.
    """
    for parts, entry in _entries(root, (), depth):
        place = "/".join(parts)
        name = "_".join((*parts[:-1], parts[-1] if entry.is_dir() else formats.stem(Path(parts[-1]))))
        study = re.sub(r"[^\w.() -]+", "_", name).strip(". ") or "study"
        yield place, study, f"{study}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"


def _entries(
    folder: Path, parts: tuple[str, ...], depth: int
) -> Iterator[tuple[tuple[str, ...], os.DirEntry[str]]]:
    try:
        scanned = os.scandir(folder)
    except OSError as error:
        raise DataError(f"{folder} cannot be looked into", found=error.strerror) from error
    with scanned:
        for entry in scanned:
            if entry.name.startswith(".") or entry.name in _JUNK:
                continue
            if entry.is_dir():
                _assert_study(folder, entry.name)
                if depth > 1:
                    yield from _entries(Path(entry.path), (*parts, entry.name), depth - 1)
                else:
                    yield (*parts, entry.name), entry
                continue
            path = Path(entry.path)
            if entry.name.lower() in _COHORT or path.suffix.lower() in TABLE_SUFFIXES:
                raise _cohort(folder, entry.name)
            if archive.is_archive(path) or is_image(path):
                yield (*parts, entry.name), entry


def _assert_study(folder: Path, name: str) -> None:
    if _PARTS.fullmatch(name):
        raise _cohort(folder, name)


def _cohort(folder: Path, name: str) -> DataError:
    return DataError(
        f"{folder} is a cohort, whose files belong together, and no archive of studies",
        found=name,
        hint="predict without --workers, or --depth for studies that lie deeper",
    )


def fingerprint(place: Path) -> tuple[str, int, int, float]:
    """Return a hash of a study's files by name, size and time; how many they are, their bytes, and the newest time."""
    digest, files, size, newest = hashlib.sha256(), 0, 0, 0.0
    for name, stat in sorted(_stats(place, "")):
        digest.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
        files, size, newest = files + 1, size + stat.st_size, max(newest, stat.st_mtime)
    return digest.hexdigest()[:32] if files else "", files, size, newest


def _stats(place: Path, name: str) -> Iterator[tuple[str, os.stat_result]]:
    if not place.is_dir():
        if place.exists():
            yield name or place.name, place.stat()
        return
    with os.scandir(place) as scanned:
        for entry in scanned:
            if entry.is_dir(follow_symlinks=False):
                yield from _stats(Path(entry.path), f"{name}/{entry.name}")
            elif entry.is_file():
                yield f"{name}/{entry.name}", entry.stat()
