"""A plain tree of DICOM files: a case a series, the patient from PatientID, nothing to learn unless a table says."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from vesalius.cohorts import _files
from vesalius.cohorts._layout import Detection, Options
from vesalius.cohorts._series import Unit, units
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort


def detect(root: Path) -> Detection | None:
    """Mostly DICOM files, in whatever folders."""
    if not root.is_dir():
        return None
    files = _files.walk(root)
    images = [p for p in files if _files.is_image(p)]
    dicom = [p for p in images if _files.is_dicom(p)]
    if not dicom or len(dicom) < 0.5 * len(images):
        return None
    return Detection(0.75, f"{len(dicom)} DICOM files among {len(files)}")


def read(root: Path, *, options: Options) -> Cohort:
    """A case for each series with pixels; what is not readable or has no pixels is set aside by name."""
    found, aside = units(_files.walk(root))
    names = _names(root if root.is_dir() else root.parent, found)
    cases = [
        Case(id=name, images={"image": unit.image}, patient=unit.patient)
        for name, unit in zip(names, found, strict=True)
    ]
    modalities = Counter(u.modality or "unknown" for u in found)
    listed = ", ".join(f"{n} {m}" for m, n in sorted(modalities.items()))
    note = f"{len(found)} series ({listed}); a series is a case, its patient is the PatientID"
    return Cohort(root=root, layout="dicomtree", cases=tuple(cases), set_aside=tuple(aside), notes=(note,))


def _names(root: Path, found: list[Unit]) -> list[str]:
    """A readable unique name for each series: its folder's where it has one alone, else with its description."""
    shared = Counter(u.image.paths[0].parent for u in found)
    names = []
    for unit in found:
        path = unit.image.paths[0]
        parts = path.parent.relative_to(root).parts
        if shared[path.parent] > 1:
            parts = (*parts, unit.name or path.stem) if len(unit.image.paths) > 1 else (*parts, path.stem)
        names.append(re.sub(r"[^\w.() -]+", "_", "_".join(parts)) or root.name)
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return unique
