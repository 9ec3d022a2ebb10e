"""Files that belong together as one image: DICOM series, and masks that lie beside their image."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vesalius import formats
from vesalius.cohorts import _files
from vesalius.core.case import Ref
from vesalius.core.cohort import SetAside

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
    """The image's stem if `stem` ends like a mask's (`x_mask`, `x-seg`, `x_mask_1`), else None."""
    match = _MASK_END.search(stem)
    return stem[: match.start()] if match and match.start() else None


def units(paths: Iterable[Path]) -> tuple[list[Unit], list[SetAside]]:
    """The images among `paths`: a unit a file, a unit a DICOM series; masks are put beside their image."""
    files = [p for p in paths if _files.is_image(p)]
    dicom = [p for p in files if _files.is_dicom(p)]
    plain = [p for p in files if p not in set(dicom)] if dicom else files
    series, bad = group_series(dicom) if dicom else ([], [])
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


def group_series(paths: Iterable[Path]) -> tuple[list[Unit], list[SetAside]]:
    """DICOM files grouped by series; what has no pixels or cannot be read is set aside by name."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    tags = [
        "SeriesInstanceUID", "PatientID", "Modality", "SeriesDescription", "SeriesNumber", "Rows",
        "InstanceNumber", "SOPClassUID", "SOPInstanceUID",
    ]  # fmt: skip
    groups: dict[str, list[tuple[int, Path]]] = {}
    facts: dict[str, tuple[str | None, str | None, str]] = {}
    bad: list[SetAside] = []
    for path in paths:
        try:
            with warnings.catch_warnings(action="ignore"):
                data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags)
            uid = str(data.get("SeriesInstanceUID") or f"file:{path}")
            number = int(data.get("InstanceNumber") or 0)
            rows = data.get("Rows")
            patient = str(data.get("PatientID") or "").strip() or None
            modality = str(data.get("Modality") or "") or None
            label = str(data.get("SeriesDescription") or data.get("SeriesNumber") or "").strip()
        except InvalidDicomError:
            bad.append(SetAside(path.stem, "not readable as DICOM: it does not begin as such a file does"))
            continue
        except (OSError, ValueError, TypeError, AttributeError, KeyError, EOFError,
                NotImplementedError, RecursionError) as error:  # fmt: skip
            bad.append(SetAside(path.stem, f"not readable as DICOM: {' '.join(str(error).split())[:120]}"))
            continue
        if not rows:
            bad.append(SetAside(path.stem, f"a DICOM object without pixels ({modality or 'no modality'})"))
            continue
        groups.setdefault(uid, []).append((number, path))
        facts.setdefault(uid, (patient, modality, label))
    found = []
    for uid, members in groups.items():
        members.sort(key=lambda m: (m[0], _files.natural(m[1].name)))
        patient, modality, label = facts[uid]
        found.append(Unit(Ref(tuple(p for _, p in members)), None, patient, label or None, modality, uid))
    return found, bad
