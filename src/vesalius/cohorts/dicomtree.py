"""A tree, a zip or a DICOMDIR of DICOM files: a case a series; segmentations, contours and reports are targets."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from vesalius import formats
from vesalius.cohorts import _files
from vesalius.cohorts._build import some
from vesalius.cohorts._dicom_targets import collect, of_reports_alone
from vesalius.cohorts._layout import SPARE, Detection, Options
from vesalius.cohorts._series import Unit, place, sort_dicom, unit_of, units, unread
from vesalius.core import archive
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, SetAside
from vesalius.core.errors import DataError
from vesalius.core.words import counted
from vesalius.dicom.dicomdir import listing

if TYPE_CHECKING:
    from vesalius.dicom.series.grouping import Found


def detect(root: Path) -> Detection | None:
    """Mostly DICOM files, in whatever folders or zips; or a DICOMDIR."""
    if not root.is_dir():
        return _detect_file(root)
    files = _files.walk(root)
    images = [p for p in files if _files.is_image(p)]
    dicom = [p for p in images if _files.is_dicom(p)]
    zips = [p for p in files if archive.is_archive(p)] if not dicom else []
    if not dicom and zips and not images and any(_detect_file(p) for p in zips[:8]):
        return Detection(0.7, f"{counted(len(zips), 'zip')} of DICOM files")
    if not dicom or len(dicom) < 0.5 * len(images):
        return None
    return Detection(0.75, f"{len(dicom)} DICOM files among {len(files)}")


def _detect_file(path: Path) -> Detection | None:
    if path.name.upper().startswith("DICOMDIR") and _files.is_dicom(path):
        return Detection(0.9, "a DICOMDIR")
    if not archive.is_archive(path):
        return None
    try:
        inside = archive.members(path)
        dicom = sum(_files.is_dicom(p) for p in inside[:50])
    except DataError:
        return None
    return (
        Detection(0.85, f"a zip of DICOM files ({counted(len(inside), 'file')})")
        if dicom * 2 >= len(inside[:50]) > 0
        else None
    )


def read(root: Path, *, options: Options) -> Cohort:
    """Return a case for each series with pixels, or for each of its stacks.

    Segmentations, structure sets and reports become targets of the images that they refer to. Localisers, copies
    and other objects are noted; what cannot be read is set aside by name.
    """
    paths, missing = _paths(root)
    found = sort_dicom(p for p in paths if _files.is_dicom(p))
    inside = root.is_dir() or archive.is_archive(root)
    base = root if inside else root.parent
    plain, bad = units([p for p in paths if not _files.is_dicom(p) and p.is_file()], base)
    if not found.series and not plain and any(d.code == "SR" for d in found.documents):
        return _of_reports(root, found, [*missing, *bad, *unread(found, base)], base)
    said = collect(found.series, found.documents)
    series = [unit_of(s) for s in found.series]
    names = _names(base, [*series, *plain])
    cases = [
        Case(
            id=name,
            images={"image": unit.image},
            patient=unit.patient,
            targets=said.targets[k] if k < len(series) else {},
            report="\n".join(said.reports[k]) or None if k < len(series) else None,
        )
        for k, (name, unit) in enumerate(zip(names, [*series, *plain], strict=True))
    ]
    aside = [*missing, *bad, *said.bad, *unread(found, base)]
    modalities = Counter(u.modality or "unknown" for u in series)
    listed = ", ".join(f"{n} {m}" for m, n in sorted(modalities.items()))
    notes = (
        [f"{len(series)} series ({listed}); a series is a case, its patient is the PatientID"]
        if series
        else []
    )
    notes += [f"{SPARE}{place(path, base)}: {reason}" for path, reason in found.spare[:5]]
    if len(found.spare) > 5:
        notes.append(f"set aside: {len(found.spare)} localisers and copies in all")
    others = Counter(d.code for d in found.documents if d.code not in ("SEG", "RTSTRUCT", "SR", "DICOMDIR"))
    if others:
        notes.append(f"not images: {some(f'{n} {code}' for code, n in others.items())}")
    return Cohort(
        root=root,
        layout="dicomtree",
        cases=tuple(cases),
        targets=said.infos,
        set_aside=tuple(aside),
        notes=(*notes, *said.notes),
    )


def _of_reports(root: Path, found: Found, aside: list[SetAside], base: Path) -> Cohort:
    """Return a cohort of structured reports without images: a case a report, its patient is the PatientID."""
    documents = [d for d in found.documents if d.code == "SR"]
    said = of_reports_alone(documents)
    ids = _files.case_ids([d.path for d in documents], base)
    cases = [
        Case(
            id=ids[document.path],
            images={},
            reference=None,
            patient=(document.patient_id or "").strip() or None,
            targets=said.targets[k],
            report="\n".join(said.reports[k]) or None,
        )
        for k, document in enumerate(documents)
    ]
    bare = [c.id for c in cases if c.report is None and not c.targets]
    return Cohort(
        root=root,
        layout="dicomtree",
        cases=tuple(c for c in cases if c.id not in bare),
        targets=said.infos,
        set_aside=(*aside, *said.bad, *(SetAside(name, "its report is empty") for name in bare)),
        notes=(f"{counted(len(documents), 'structured report')} without images", *said.notes),
    )


def _paths(root: Path) -> tuple[list[Path], list[SetAside]]:
    """Return every file that is meant, and what cannot be looked into.

    Meant are the files of a folder and of the zips in it, of a zip, or a DICOMDIR and those that it lists.
    """
    if root.is_file() and not archive.is_archive(root) and formats.by_content(root) == "dicom":
        listed = listing(root)
        if listed is not None:
            return [root, *listed.there], []
    paths: list[Path] = []
    bad: list[SetAside] = []
    for path in _files.walk(root):
        if not archive.is_archive(path):
            paths.append(path)
            continue
        try:
            paths += archive.members(path)
        except DataError as error:
            bad.append(SetAside(path.stem, str(error)))
    return paths, bad


def _names(root: Path, found: list[Unit]) -> list[str]:
    """Return a readable unique name for each series: its folder's where it has one alone, else with its description."""
    shared = Counter(u.image.paths[0].parent for u in found)
    names = []
    for unit in found:
        path = unit.image.paths[0]
        parts = path.parent.relative_to(root).parts
        if shared[path.parent] > 1:
            many = len(unit.image.paths) > 1 or unit.image.member is not None
            parts = (*parts, unit.name or path.stem) if many else (*parts, path.stem)
        names.append(re.sub(r"[^\w.() -]+", "_", "_".join(parts)) or root.name)
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return unique
