"""Class folders: a sub-folder for each class, with or without train, val and test above it."""

from __future__ import annotations

from pathlib import Path

from vesalius import formats
from vesalius.cohorts import _files
from vesalius.cohorts._build import class_labels, some
from vesalius.cohorts._class_folders import NOT_CLASSES, Found, class_folders, of_patients
from vesalius.cohorts._layout import Detection, Options
from vesalius.cohorts._series import Unit, mask_of, units
from vesalius.core.case import Case, Target
from vesalius.core.cohort import Cohort, SetAside, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.words import counted

TARGET = "class"


def detect(root: Path) -> Detection | None:
    """Return at least two class folders that hold images, and nothing that says otherwise."""
    if not root.is_dir():
        return None
    classes, splits = class_folders(_files.unwrap(root))
    names = sorted({c.name for c in classes}, key=_files.natural)
    if len(names) < 2:
        return None
    if any(n.casefold() in NOT_CLASSES for n in names):
        return None
    files = {c.folder: [p for p in _files.walk(c.folder) if _files.is_image(p)] for c in classes}
    filled = {c.name for c in classes if files[c.folder]}
    if len(filled) < 2:
        return None
    every = [p for paths in files.values() for p in paths]
    text = f"{len(filled)} class folders ({some(sorted(filled, key=_files.natural))})"
    stems = {(p.parent, formats.stem(p)) for p in every}
    masks = sum((p.parent, mask_of(formats.stem(p)) or "") in stems for p in every)
    if of_patients(filled) and not masks:
        return None
    if masks:
        return Detection(0.95, f"{text}, with {counted(masks, 'mask')} beside their images")
    if splits:
        return Detection(0.9, f"{text} below {', '.join(splits)}")
    if 2 * sum(_files.is_dicom(p) for p in every) >= len(every):
        return Detection(0.4, f"{text} of DICOM files")
    if len(every) < 2 * len(filled):
        return Detection(0.35, f"{text}, hardly an image in each")
    return Detection(0.8, text)


def read(root: Path, *, options: Options) -> Cohort:
    """Read one case per image or DICOM series: its folder is its class, and masks beside it are targets.

    Folders that are named like patients name these, and no class.
    """
    base = _files.unwrap(root)
    classes, _ = class_folders(base)
    if not classes:
        raise DataError(
            f"no class folders in {root}", hint="a sub-folder for each class, or another --layout"
        )
    notes: list[str] = []
    rows: list[tuple[Found, Unit]] = []
    aside: list[SetAside] = []
    empty = []
    for found in classes:
        here, bad = units(_files.walk(found.folder), base)
        aside += bad
        if not here:
            empty.append(str(found.folder.relative_to(base)))
        rows += [(found, unit) for unit in here]
    if empty:
        notes.append(f"folders without images: {some(empty)}")
    keys = {unit.image.paths[0]: unit.image for _, unit in rows}
    patients = of_patients({found.name for found, _ in rows})
    ids = _files.case_ids([p if len(r.paths) == 1 else p.parent for p, r in keys.items()], base)
    cases = []
    for found, unit in rows:
        image, mask = unit.image, unit.mask
        key = image.paths[0] if len(image.paths) == 1 else image.paths[0].parent
        targets: dict[str, Target] = {} if patients else {TARGET: found.name}
        patient = unit.patient or (found.name if patients else None)
        if mask is not None:
            targets["mask"] = mask
        named = {"image": image}
        cases.append(Case(id=ids[key], images=named, targets=targets, split=found.split, patient=patient))
    table = class_labels(c.name for c in classes if any(r[0].name == c.name for r in rows))
    infos: dict[str, TargetInfo] = {}
    if patients:
        notes.append("the folder an image lies in names its patient, where the image does not")
    else:
        why = "the folder an image lies in names its class"
        infos[TARGET] = TargetInfo(TARGET, "class", table, why)
    if any("mask" in c.targets for c in cases):
        infos["mask"] = TargetInfo("mask", "mask", (), "files named like an image with '_mask' added")
    return Cohort(
        root=root,
        layout="folder",
        cases=tuple(cases),
        targets=infos,
        set_aside=tuple(aside),
        notes=tuple(notes),
    )
