"""Files that belong together as one image: DICOM series, and masks that lie beside their image."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vesalius import formats
from vesalius.cohorts import _files
from vesalius.core import registry
from vesalius.core.case import Ref
from vesalius.core.cohort import SetAside
from vesalius.dicom.dicomdir import without_short

if TYPE_CHECKING:
    from vesalius.dicom.series.grouping import Found, Series

_MASK_END = re.compile(
    r"[ _\-.](mask|masks|seg|segmentation|gt|groundtruth|ground_truth|annotation|roi)([_\- ]?\d+)?$", re.I
)


@dataclass(frozen=True, slots=True)
class Unit:
    """One image, and the mask beside it if there is one."""

    image: Ref
    mask: Ref | None = None
    patient: str | None = None
    name: str | None = None
    modality: str | None = None
    series_uid: str | None = None


def mask_of(stem: str) -> str | None:
    """Return the image's stem if `stem` ends like a mask's (`x_mask`, `x-seg`, `x_mask_1`), else None."""
    match = _MASK_END.search(stem)
    return stem[: match.start()] if match and match.start() else None


def units(paths: Iterable[Path], root: Path) -> tuple[list[Unit], list[SetAside]]:
    """Return the images among `paths`: a unit a file, a unit a DICOM series; masks are put beside their image.

    What is set aside is named by its path below `root`.
    """
    files = [p for p in paths if _files.is_image(p)]
    dicom = [p for p in files if _files.is_dicom(p)]
    plain = [p for p in files if p not in set(dicom)] if dicom else files
    series, bad = group_series(dicom, root) if dicom else ([], [])
    by_place = {(p.parent, formats.stem(p)): p for p in plain}
    masks: dict[Path, Path] = {}
    taken: set[Path] = set()
    for path in plain:
        origin = mask_of(formats.stem(path))
        image = by_place.get((path.parent, origin)) if origin else None
        if image is not None:
            taken.add(path)
            if image in masks:
                bad.append(SetAside(formats.stem(path), f"a further mask of '{formats.stem(image)}'"))
            else:
                masks[image] = path
    found = [Unit(Ref((p,)), Ref((masks[p],)) if p in masks else None) for p in plain if p not in taken]
    return found + series, bad


def group_series(paths: Iterable[Path], root: Path) -> tuple[list[Unit], list[SetAside]]:
    """DICOM files grouped by series and stack; what is no image, is not needed or cannot be read is set aside."""
    found = sort_dicom(paths)
    others = [(d.path, f"a DICOM object without an image ({d.code})") for d in found.documents]
    bad = [*unread(found, root), *(SetAside(place(p, root), why) for p, why in (*found.spare, *others))]
    return [unit_of(series) for series in found.series], bad


def sort_dicom(paths: Iterable[Path]) -> Found:
    """Return DICOM files as the format sorts them: images, other objects, what nobody needs, what cannot be read.

    A series of which a DICOMDIR among them lists files that are not there cannot.
    """
    sorted_: Found = registry.lookup("formats", "dicom").sort(paths)
    return without_short(sorted_)


def unread(found: Found, root: Path) -> list[SetAside]:
    """Return what cannot be read, and each series that would be read wrongly, by its first file's path below `root`.

    One of many files is set aside as one.
    """
    firsts = {path for path, _ in found.left} | {paths[0] for paths, _ in found.refused}
    seen = Counter(place(path, root) for path in firsts)
    names = {path: place(path, root) for path in firsts}
    names = {p: f"{n}{p.suffix}" if seen[n] > 1 else n for p, n in names.items()}
    series = [
        SetAside(
            names[paths[0]], f"{reason} ({len(paths)} files)" if len(paths) > 1 else reason, files=len(paths)
        )
        for paths, reason in found.refused
    ]
    return [*(SetAside(names[path], reason) for path, reason in found.left), *series]


def place(path: Path, root: Path) -> str:
    """Return where a file lies below `root`, without its suffix, as a person would look for it: `IM/0032`."""
    below = path.relative_to(root).parts[:-1] if path.is_relative_to(root) else ()
    return "/".join((*below, formats.stem(path)))


def unit_of(series: Series) -> Unit:
    """Return a series, or one of its stacks, as a unit."""
    number = None if series.number is None else str(series.number)
    words = [series.description or number or "", series.part]
    return Unit(
        image=replace(
            series.ref, paths=tuple(sorted(series.ref.paths, key=lambda p: _files.natural(p.name)))
        ),
        patient=(series.patient_id or "").strip() or None,
        name=" ".join(w.strip() for w in words if w) or None,
        modality=series.modality,
        series_uid=series.series_uid,
    )
