"""What lies beside YOLO's text files: the names of its classes, and which pictures are of which split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from vesalius.cohorts._build import as_split
from vesalius.core.case import Split
from vesalius.core.errors import DataError

_LISTS = ("classes.txt", "labels.txt", "names.txt", "_darknet.labels")  # a name a line, from 0 on
_OTHERS = {
    *_LISTS,
    "train.txt",
    "val.txt",
    "valid.txt",
    "test.txt",
    "trainval.txt",
    "readme.txt",
    "license.txt",
}
_SPLITS = ("train", "val", "test")
_LARGEST = 1 << 20  # bytes of a file of names


@dataclass(frozen=True)
class Named:
    """The names of classes by their number, where they stand, and the places of each split as they are written."""

    names: Mapping[int, str] = field(default_factory=dict)
    source: str = ""
    places: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def is_other(path: Path) -> bool:
    """Return whether a text file is called as lists of names or pictures are, and so holds no boxes."""
    name = path.name.casefold()
    return name in _OTHERS or name.startswith(("readme", "license"))


def names_of(files: Sequence[Path], base: Path) -> Named:
    """Return the names of the classes, from data.yaml or from a list of names. Raises DataError."""
    for path in sorted(files, key=lambda p: len(p.parts)):
        if path.suffix.lower() in (".yaml", ".yml") and (data := _yaml(path)) is not None:
            places = {s: _texts(data.get(s)) for s in _SPLITS}
            return Named(_numbered(data, path), path.name, {s: p for s, p in places.items() if p})
    for path in sorted(files, key=lambda p: len(p.parts)):
        if path.name.casefold() in _LISTS or path.suffix.lower() == ".names":
            lines = path.read_bytes()[:_LARGEST].decode("utf-8-sig", errors="replace").splitlines()
            names = [line.strip() for line in lines]
            while names and not names[-1]:
                names.pop()
            return Named(dict(enumerate(names)), path.name)
    return Named()


def _yaml(path: Path) -> Mapping[str, Any] | None:
    """Return a YAML file that names classes; None for another."""
    import yaml

    try:
        if path.stat().st_size > _LARGEST:
            return None
        data = yaml.safe_load(path.read_bytes().decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError):
        return None
    return data if isinstance(data, dict) and "names" in data else None


def _numbered(data: Mapping[str, Any], path: Path) -> dict[int, str]:
    """Return the names by number, from a list or from numbers with names. Raises DataError."""
    raw = data["names"]
    pairs = (
        list(enumerate(raw)) if isinstance(raw, list) else list(raw.items()) if isinstance(raw, dict) else []
    )
    names: dict[int, str] = {}
    for k, name in pairs:
        if not str(k).strip().isdecimal():
            raise DataError(f"the names in {path.name} are not numbered", found=repr(k)[:40], hint="0: cell")
        names[int(k)] = str(name).strip()
    said = data.get("nc")
    if not names or (isinstance(said, int) and said != len(names)):
        raise DataError(
            f"{path.name} has {len(names)} names" + (f" and says that there are {said}" if said else ""),
            hint="names: [cell, …], one for each class",
        )
    if len(set(names.values())) < len(names):
        raise DataError(f"{path.name} gives two classes one name", found=", ".join(names.values())[:80])
    return names


def _texts(value: Any) -> list[str]:
    return (
        [value]
        if isinstance(value, str)
        else [v for v in value if isinstance(v, str)]
        if isinstance(value, list)
        else []
    )


def splits_of(
    pictures: Sequence[Path], named: Named, base: Path
) -> tuple[dict[Path, Split], dict[Path, str]]:
    """Return the split of each picture, as data.yaml or the folders say, and why some pictures are in several."""
    found: dict[Path, Split] = {}
    twice: dict[Path, str] = {}
    for split, places in named.places.items():
        for path in _listed(places, pictures, base):
            if found.setdefault(path, as_split(split) or "train") != split:
                twice[path] = f"it stands in {found[path]} and in {split} of {named.source}"
    if not found:
        for path in pictures:
            for part in path.relative_to(base).parts[:-1]:
                if (word := as_split(part)) is not None:
                    found.setdefault(path, word)
    return (found if len(set(found.values())) > 1 else {}), twice


def _listed(places: Sequence[str], pictures: Sequence[Path], base: Path) -> list[Path]:
    """Return the pictures below folders, or in lists, that are named as they lay on somebody's machine."""
    found: list[Path] = []
    for place in places:
        parts = [p for p in PurePosixPath(place.replace("\\", "/")).parts if p not in ("..", ".", "/")]
        if parts and parts[-1].casefold().endswith(".txt"):
            lines = base / parts[-1]
            text = lines.read_text(encoding="utf-8-sig", errors="replace") if lines.is_file() else ""
            names = {
                PurePosixPath(line.strip().replace("\\", "/")).name
                for line in text.splitlines()
                if line.strip()
            }
            found += [p for p in pictures if p.name in names]
            continue
        for k in range(len(parts)):  # what is above the data may be called otherwise here
            folder = base.joinpath(*parts[k:])
            if folder.is_dir():
                found += [p for p in pictures if p.is_relative_to(folder)]
                break
    return found
