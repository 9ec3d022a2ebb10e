"""Finding the files that a table means: by path, name, stem, folder, or a DICOM series' or patient's id."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from vesalius import formats
from vesalius.cohorts import _files
from vesalius.cohorts._series import group_series
from vesalius.core.case import Ref

_MOST_FILES = 1000  # below a folder that a table's cell names


@dataclass
class Index:
    """What lies below a folder, by every name that a table could use for it."""

    root: Path
    by_name: dict[str, list[Path]] = field(default_factory=dict)
    by_stem: dict[str, list[Path]] = field(default_factory=dict)
    series: dict[str, list[tuple[str, Ref]]] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path) -> Index:
        """Look below `root` once; DICOM files are grouped by series."""
        index = cls(root)
        paths = [p for p in _files.walk(root) if _files.is_image(p, containers=True)]
        dicom = [p for p in paths if _files.is_dicom(p)]
        for path in paths:
            index.by_name.setdefault(path.name.casefold(), []).append(path)
            index.by_stem.setdefault(formats.stem(path).casefold(), []).append(path)
        for unit in group_series(dicom, root)[0] if dicom else ():
            name = unit.name or unit.modality or "series"
            folder = unit.image.paths[0].parent
            keys = (unit.series_uid, unit.patient, folder.name, str(folder))
            for key in {k.casefold() for k in keys if k}:
                index.series.setdefault(key, []).append((name, unit.image))
        return index

    def find(self, text: str) -> dict[str, Ref]:
        """Images that `text` means, by name ('' where there is one); empty where nothing fits or it is ambiguous."""
        if len(text) > 255 or not text.isprintable():
            return {}
        asked = Path(text.replace("\\", "/"))
        direct = self.root / asked
        for path in (direct, asked) if asked.is_absolute() else (direct,):
            if path.is_file() and _files.is_image(path, containers=True):
                return {"": Ref((path,))}
            if path.is_dir() and not self.root.resolve().is_relative_to(
                path.resolve()
            ):  # nor all that it lies in
                held = self.series.get(str(path).casefold())
                if held:
                    return _named(held)
                only = _only_image(path)
                if only is not None:
                    return {"": Ref((only,))}
        for found in (self.by_name.get(asked.name.casefold()), self.by_stem.get(asked.name.casefold())):
            fitting = [p for p in found or () if _ends_with(p, asked)] or (found or [])
            if len(fitting) == 1:
                return {"": Ref((fitting[0],))}
        return _named(self.series.get(asked.name.casefold(), []))


def _only_image(folder: Path) -> Path | None:
    """The one image below a folder; None where there are more, or so many files that it is no case's folder."""
    found, seen = None, 0
    for name, _, names in os.walk(folder):
        seen += len(names)
        for image in _files.images(Path(name) / n for n in names if not n.startswith(".")):
            if found is not None:
                return None
            found = image
        if seen > _MOST_FILES:
            return None
    return found


def _ends_with(path: Path, asked: Path) -> bool:
    folders = asked.parts[:-1]
    return bool(folders) and path.parts[:-1][-len(folders) :] == folders


def _named(found: list[tuple[str, Ref]]) -> dict[str, Ref]:
    if len(found) == 1:
        return {"": found[0][1]}
    named: dict[str, Ref] = {}
    for name, ref in sorted(found, key=lambda item: -len(item[1].paths)):
        key, n = name, 1
        while key in named:
            n += 1
            key = f"{name} {n}"
        named[key] = ref
    return named
