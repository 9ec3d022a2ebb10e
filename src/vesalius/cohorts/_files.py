"""Finding image files below a folder: natural order, hidden files skipped, DICOM known by its preamble."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from vesalius import formats
from vesalius.cohorts import _json_table
from vesalius.core.errors import DataError, FormatError, closest_path
from vesalius.texts import findings_table

TABLE_SUFFIXES = (".csv", ".tsv", ".xlsx", ".parquet")
CONTAINERS = (".npz",)
SPLITS: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "tr": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
    "ts": "test",
}
_JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini"}


def natural(text: str) -> list[tuple[int, int, str]]:
    """Return a sorting key under which 'image 2' comes before 'image 10'."""
    parts = re.split(r"(\d+)", text.casefold())
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p]


def walk(root: Path) -> tuple[Path, ...]:
    """Return every visible file below `root` (or `root` itself when it is a file), in natural order.

    Links are followed, but none that leads back to a folder it came through.
    """
    if root.is_file():
        return (root,)
    found: list[Path] = []
    real_root = root.resolve()
    trails = {root: frozenset({real_root, *real_root.parents})}  # the real folders on the way to each
    for name, folders, names in os.walk(root, followlinks=True):
        folder = Path(name)
        trail = trails.pop(folder)
        real = {f: (folder / f).resolve() for f in folders if _visible(f)}
        folders[:] = sorted((f for f in real if real[f] not in trail), key=natural)
        trails |= {folder / f: trail | {real[f]} for f in folders}
        found += [folder / n for n in sorted((n for n in names if _visible(n)), key=natural)]
    return tuple(found)


def subfolders(root: Path) -> tuple[Path, ...]:
    """Return the visible folders directly in `root`, in natural order."""
    if not root.is_dir():
        return ()
    return tuple(
        sorted((p for p in root.iterdir() if p.is_dir() and _visible(p.name)), key=lambda p: natural(p.name))
    )


def unwrap(root: Path) -> Path:
    """Step into a folder that holds nothing but one folder, as archives unpack, until there is something."""
    for _ in range(8):
        if not root.is_dir():
            return root
        entries = [p for p in root.iterdir() if _visible(p.name)]
        if len(entries) != 1 or not entries[0].is_dir():
            return root
        root = entries[0]
    return root


def is_dicom(path: Path) -> bool:
    """Return whether a file is DICOM: by its suffix, or by how it begins where the suffix says nothing."""
    suffix = path.suffix.lower()
    if suffix in (".dcm", ".dicom", ".ima"):
        return True
    if any(path.name.lower().endswith(s) for s in (*formats.known_suffixes(holds=None), *TABLE_SUFFIXES)):
        return False
    try:
        return formats.by_content(path) == "dicom"
    except FormatError:
        return False


def is_image(path: Path, *, containers: bool = False) -> bool:
    """Return whether a file's name (or DICOM preamble) marks it as pixels; containers of many only on demand."""
    name = path.name.lower()
    if name.endswith(CONTAINERS):
        return containers
    return name.endswith(formats.known_suffixes()) or is_dicom(path)


def images(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return those of `paths` that are images, containers of many excluded."""
    return tuple(p for p in paths if is_image(p))


def by_place(folder: Path) -> dict[str, Path]:
    """Return the images below a folder by where they lie in it, without suffix: `P03`, or `day2/P03`."""
    found = images(walk(folder)) if folder.is_dir() else ()
    return {"/".join((*p.relative_to(folder).parts[:-1], formats.stem(p))): p for p in found}


def onto(masks: Mapping[str, Path], images: Iterable[str]) -> dict[str, Path]:
    """Return masks by the place of the image that they are of: the same, or the only one of that name if one lies flat.

    A mask keeps its own place where it is of no image, or of one of several.
    """
    places = set(images)
    named: dict[str, list[str]] = {}
    for place in places - set(masks):
        named.setdefault(place.rsplit("/", 1)[-1], []).append(place)
    alike = Counter(m.rsplit("/", 1)[-1] for m in masks if m not in places)
    found: dict[str, Path] = {}
    for mask, path in masks.items():
        last = mask.rsplit("/", 1)[-1]
        fitting = [p for p in named.get(last, []) if "/" not in mask or "/" not in p]
        alone = mask not in places and len(fitting) == 1 and alike[last] == 1
        found[fitting[0] if alone else mask] = path
    return found


def short_ids(places: Iterable[str]) -> dict[str, str]:
    """Return an id for each place: its last name, or all of it where last names repeat (`day2_P03`)."""
    listed = list(places)
    counts = Counter(p.rsplit("/", 1)[-1] for p in listed)
    return {
        p: p.rsplit("/", 1)[-1] if counts[p.rsplit("/", 1)[-1]] == 1 else p.replace("/", "_") for p in listed
    }


def find_tables(root: Path) -> tuple[Path, ...]:
    """Return tables directly in `root`, but one of findings; or `root` itself when it is one."""
    if root.is_file():
        return (root,) if is_table(root) else ()
    tables = (p for p in sorted(root.iterdir()) if _visible(p.name) and is_table(p))
    return tuple(p for p in tables if not is_findings_table(p))


def is_table(path: Path) -> bool:
    """Return whether a file is a table: by its ending, or JSON with a report in its records."""
    return path.suffix.lower() in TABLE_SUFFIXES or _json_table.is_table(path)


def is_findings_table(path: Path) -> bool:
    """Return whether a file is called findings.csv and has columns of cases and of findings: no table of cases."""
    if path.name.casefold() != findings_table.TABLE:
        return False
    try:
        with path.open("rb") as file:
            head = file.readline(1 << 16).decode("utf-8-sig", errors="replace")
    except OSError:
        return False
    return findings_table.is_findings(cell.strip('" \r\n') for cell in head.replace(";", ",").split(","))


def case_ids(paths: Iterable[Path], root: Path) -> dict[Path, str]:
    """Return a short unique name for each file: its stem, or its path below `root` where stems repeat."""
    listed = list(paths)
    stems = {p: formats.stem(p) for p in listed}
    repeated = {s for s, n in Counter(stems.values()).items() if n > 1}
    ids: dict[Path, str] = {}
    for path, stem in stems.items():
        if stem in repeated:
            parts = path.relative_to(root).parts[:-1] if path.is_relative_to(root) else ()
            stem = "_".join((*parts, stem))
        ids[path] = stem
    still = {s for s, n in Counter(ids.values()).items() if n > 1}
    return {p: f"{s}_{p.suffix.lstrip('.')}" if s in still else s for p, s in ids.items()}


def require(root: Path) -> None:
    """Raise DataError unless `root` exists and can be looked into."""
    if not root.exists():
        raise DataError(
            f"no data at {root}", found="no such file or folder", hint=closest_path(root, "check the path")
        )
    if root.is_dir() and not os.access(root, os.R_OK | os.X_OK):
        raise DataError(f"{root} cannot be read", found="permission denied", hint="change its permissions")


def _visible(name: str) -> bool:
    return not name.startswith(".") and name not in _JUNK
