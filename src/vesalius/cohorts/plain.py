"""Plain images: one file, or a folder of them; nothing to learn, so they are there to be predicted."""

from __future__ import annotations

from pathlib import Path

from vesalius import formats
from vesalius.cohorts import _files
from vesalius.cohorts._layout import Detection, Options
from vesalius.cohorts._series import units
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort
from vesalius.core.errors import FormatError


def detect(root: Path) -> Detection | None:
    """Any image at all: what is left when nothing else fits."""
    if root.is_file():
        if _files.is_image(root, containers=True):
            return Detection(0.3, "one image file")
        return Detection(0.25, "one file that reads as an image") if _sniffs(root) else None
    count = sum(_files.is_image(p) for p in _files.walk(root))
    return Detection(0.1, f"{count} images without targets") if count else None


def read(root: Path, *, options: Options) -> Cohort:
    """A case a file, or a DICOM series; without targets."""
    if root.is_file():
        case = Case(id=formats.stem(root), images={"image": Ref((root,))})
        return Cohort(root=root, layout="plain", cases=(case,), notes=("one image without a target",))
    found, aside = units(_files.walk(root))
    keys = [u.image.paths[0] if len(u.image.paths) == 1 else u.image.paths[0].parent for u in found]
    ids = _files.case_ids(keys, root)
    seen: dict[str, int] = {}
    cases = []
    for key, unit in zip(keys, found, strict=True):
        name = ids[key] or root.name
        seen[name] = seen.get(name, 0) + 1
        name = name if seen[name] == 1 else f"{name}_{seen[name]}"
        cases.append(Case(id=name, images={"image": unit.image}, patient=unit.patient))
    return Cohort(
        root=root,
        layout="plain",
        cases=tuple(cases),
        set_aside=tuple(aside),
        notes=("images without targets, kept for prediction",),
    )


def _sniffs(path: Path) -> bool:
    try:
        formats.sniff(path)
    except FormatError:
        return False
    return True
