"""Medical Segmentation Decathlon folders: imagesTr, labelsTr and a dataset.json with a training list."""

from __future__ import annotations

import os
from pathlib import Path

from vesalius import formats
from vesalius.cohorts import _files
from vesalius.cohorts._build import some
from vesalius.cohorts._dataset_json import channel_names, labels_of, load, target_info
from vesalius.cohorts._layout import Detection, Options
from vesalius.core.case import Case, Ref, Target
from vesalius.core.cohort import Cohort, SetAside


def detect(root: Path) -> Detection | None:
    """Return a dataset.json with a training list, beside imagesTr."""
    base = _files.unwrap(root)
    if not (base / "imagesTr").is_dir():
        return None
    data = load(base / "dataset.json", strict=False)
    if data is None:
        return None
    if isinstance(data.get("training"), list) and "channel_names" not in data:
        return Detection(0.97, "imagesTr and a dataset.json with a training list (Decathlon)")
    return None


def read(root: Path, *, options: Options) -> Cohort:
    """Read one case per image of imagesTr, with its mask of that name in labelsTr, and of imagesTs, without target.

    What the list and the folders disagree about is named: a label without an image is set aside, an image
    without a label is kept for prediction.
    """
    base = _files.unwrap(root)
    data = load(base / "dataset.json", strict=True) or {}
    listed = _listed(base, data)
    images = _files.by_place(base / "imagesTr")
    masks = _files.onto(_files.by_place(base / "labelsTr"), images)
    for name, (image, mask) in listed.items():
        if image.is_file():
            images.setdefault(name, image)
        if mask is not None and mask.is_file():
            masks.setdefault(name, mask)
    cases: list[Case] = []
    aside: list[SetAside] = []
    notes: list[str] = []
    ids = _files.short_ids({*images, *masks, *listed})
    for name in sorted(ids, key=lambda n: _files.natural(ids[n])):
        if name in images:
            mask_path = masks.get(name)
            targets: dict[str, Target] = {"mask": Ref((mask_path,))} if mask_path else {}
            cases.append(Case(id=ids[name], images={"image": Ref((images[name],))}, targets=targets))
        elif name in masks:
            aside.append(SetAside(ids[name], "a label without an image"))
        else:
            aside.append(SetAside(ids[name], "listed in dataset.json, but neither image nor label is there"))
    orphans = [c.id for c in cases if not c.targets]
    if orphans:
        notes.append(f"images without a label, kept for prediction: {some(orphans)}")
    strangers = [c.id for c in cases if listed and c.id not in {ids[n] for n in listed}]
    if strangers:
        notes.append(f"not listed in dataset.json, used all the same: {some(strangers)}")
    if (base / "imagesTs").is_dir():
        known = {c.id for c in cases}
        for path in _files.images(_files.walk(base / "imagesTs")):
            name = formats.stem(path)
            case_id = f"{name}_test" if name in known else name
            cases.append(Case(id=case_id, images={"image": Ref((path,))}, split="test"))
    info = target_info(labels_of(data), "dataset.json names the labels", notes)
    return Cohort(
        root=root,
        layout="msd",
        cases=tuple(cases),
        targets={"mask": info} if any(c.targets for c in cases) else {},
        set_aside=tuple(aside),
        notes=tuple(notes),
        modalities=channel_names(data),
    )


def _listed(base: Path, data: dict[str, object]) -> dict[str, tuple[Path, Path | None]]:
    found: dict[str, tuple[Path, Path | None]] = {}
    rows = data.get("training")
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and isinstance(row.get("image"), str):
            label = row.get("label")
            image = base / row["image"]
            found[_place(base, row["image"])] = (image, base / label if isinstance(label, str) else None)
    return found


def _place(base: Path, named: str) -> str:
    """Return where a listed image lies in its folder, as `by_place` has it."""
    below = Path(os.path.normpath(base / named))
    parts = below.relative_to(base / "imagesTr").parts[:-1] if below.is_relative_to(base / "imagesTr") else ()
    return "/".join((*parts, formats.stem(below)))
