"""Plain images: one file, or a folder of them; nothing to learn, so they are there to be predicted."""

from __future__ import annotations

import re
from pathlib import Path

from vesalius import formats
from vesalius.cohorts import _files
from vesalius.cohorts._layout import Detection, Options
from vesalius.cohorts._series import units
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, SetAside
from vesalius.core.errors import FormatError
from vesalius.core.words import counted

_MASKS = re.compile(r"mask|label|segm|ground.?truth|annotation", re.IGNORECASE)


def detect(root: Path) -> Detection | None:
    """Any image at all: what is left when nothing else fits."""
    if root.is_file():
        if _files.is_image(root, containers=True):
            return Detection(0.3, "one image file")
        return Detection(0.25, "one file that reads as an image") if _sniffs(root) else None
    count = sum(_files.is_image(p) for p in _files.walk(root))
    return Detection(0.1, f"{counted(count, 'image')} without targets") if count else None


def read(root: Path, *, options: Options) -> Cohort:
    """Read one case per file or DICOM series, without targets."""
    if root.is_file():
        case = Case(id=formats.stem(root), images={"image": Ref((root,))})
        return Cohort(root=root, layout="plain", cases=(case,), notes=("one image without a target",))
    files, strange = _without_masks(root)
    found, aside = units(files, root)
    aside = [*aside, *strange]
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


def _without_masks(root: Path) -> tuple[tuple[Path, ...], list[SetAside]]:
    """Return the files but for those in folders of masks that nobody could read as such; these are set aside.

    Such a folder is called like masks, and its files like those of another folder.
    """
    files = _files.walk(root)
    stems: dict[Path, set[str]] = {}
    for path in files:
        stems.setdefault(path.parent, set()).add(formats.stem(path))
    masks = {
        folder
        for folder, own in stems.items()
        if _MASKS.search(folder.name)
        and any(len(own & other) >= 0.5 * len(own) for place, other in stems.items() if place != folder)
    }
    why = "in a folder of masks, but holds no whole label values: save masks as PNG or NIfTI of whole numbers"
    aside = [SetAside(f"{p.parent.name}/{formats.stem(p)}", why) for p in files if p.parent in masks]
    return tuple(p for p in files if p.parent not in masks), aside


def _sniffs(path: Path) -> bool:
    try:
        formats.sniff(path)
    except FormatError:
        return False
    return True
