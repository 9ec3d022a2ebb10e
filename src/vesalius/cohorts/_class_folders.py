"""Class folders: which folders below a root name classes, with or without train, val and test above them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from vesalius.cohorts import _files
from vesalius.cohorts._build import as_split
from vesalius.core.case import Split

# Folder names that say what a file is for, not what it shows.
NOT_CLASSES = {
    "images", "image", "imgs", "img", "masks", "mask", "labels", "label", "segmentations", "annotations",
    "imagestr", "imagests", "labelstr", "labelsts", "gt", "groundtruth", "jpegimages",
}  # fmt: skip
# Names of patients: `patient-1`, `sub-01`, `patient-` and a pseudonym as deidentify gives one.
_PATIENT = re.compile(r"(patient|pat|subject|subj|sub|case)[-_ ]?(\d+|[0-9a-f]{8,})", re.I)


@dataclass(frozen=True, slots=True)
class Found:
    """A folder, the class that it names, and the split of the folder above it."""

    folder: Path
    name: str
    split: Split | None


def of_patients(names: set[str]) -> bool:
    """Return whether folders are called like patients, and not like classes."""
    return bool(names) and all(_PATIENT.fullmatch(n) for n in names)


def class_folders(base: Path) -> tuple[list[Found], list[str]]:
    """Return the folders that name classes, and the names of those of splits above them."""
    top = _files.subfolders(base)
    splits = [p for p in top if as_split(p.name)]
    if splits and len({as_split(p.name) for p in splits}) == len(splits):
        below = [Found(c, c.name, as_split(p.name)) for p in splits for c in _files.subfolders(p)]
        if below:
            return below, [p.name for p in splits]
    return [Found(p, p.name, None) for p in top], []
