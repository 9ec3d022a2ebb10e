"""nnU-Net raw folders: imagesTr/*_0000 with a file a channel, labelsTr, imagesTs, dataset.json."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from vesalius import formats
from vesalius.cohorts import _files
from vesalius.cohorts._build import some
from vesalius.cohorts._dataset_json import channel_names, labels_of, load, target_info
from vesalius.cohorts._layout import Detection, Options
from vesalius.core.case import Case, Ref, Split, Target
from vesalius.core.cohort import Cohort, SetAside
from vesalius.core.image import Image

_CHANNEL = re.compile(r"^(.+)_(\d{4})$")


def detect(root: Path) -> Detection | None:
    """imagesTr (or imagesTs) whose files end in a channel number of four digits."""
    base = _files.unwrap(root)
    for part in ("imagesTr", "imagesTs"):
        if (base / part).is_dir():
            names = [formats.stem(p) for p in _files.images(_files.walk(base / part))[:200]]
            share = sum(bool(_CHANNEL.match(n)) for n in names) / max(len(names), 1)
            if share < 0.9:
                continue
            if (base / "dataset.json").is_file():
                return Detection(1.0, f"{part}/*_0000 and a dataset.json (nnU-Net raw)")
            return Detection(0.93, f"{part}/*_0000 (nnU-Net raw)")
    return None


def read(root: Path, *, options: Options) -> Cohort:
    """Read one case per name before the channel number, with one image per channel and its mask from labelsTr."""
    base = _files.unwrap(root)
    data = load(base / "dataset.json", strict=True) or {}
    channels = channel_names(data)
    cases: list[Case] = []
    aside: list[SetAside] = []
    notes: list[str] = []
    seen: set[str] = set()
    parts: tuple[tuple[str, str, Split | None], ...] = (
        ("imagesTr", "labelsTr", None),
        ("imagesTs", "labelsTs", "test"),
    )
    for images, labels, split in parts:
        grouped = _channels(base / images)
        masks = _files.onto(_files.by_place(base / labels), grouped)
        expected = len(channels) or max((len(g) for g in grouped.values()), default=1)
        ids = _files.short_ids({*grouped, *masks})
        for name in sorted(ids, key=lambda n: _files.natural(ids[n])):
            case_id = f"{ids[name]}_test" if ids[name] in seen else ids[name]
            seen.add(case_id)
            files = grouped.get(name, {})
            fault = _fault(files, expected)
            if fault is not None:
                aside.append(SetAside(case_id, fault))
                continue
            cases.append(_case(case_id, files, masks.get(name), channels, split))
    if any(c.split == "test" and c.targets for c in cases):
        cases = [c if c.split else replace(c, split="train") for c in cases]
    orphans = [c.id for c in cases if not c.targets and c.split != "test"]
    if orphans:
        notes.append(f"images without a label, kept for prediction: {some(orphans)}")
    info = target_info(labels_of(data), "dataset.json names the labels", notes)
    return Cohort(
        root=root,
        layout="nnunet",
        cases=tuple(cases),
        targets={"mask": info} if any(c.targets for c in cases) else {},
        set_aside=tuple(aside),
        notes=tuple(notes),
        modalities=channel_names(data),
    )


def _fault(files: Mapping[int, Path], expected: int) -> str | None:
    """Return why the files of a case, by channel, make no image; None where they do."""
    if not files:
        return "a label without an image"
    absent = [k for k in range(expected) if k not in files]
    return f"no file for channel {', '.join(f'{k:04d}' for k in absent)}" if absent else None


def _case(
    case_id: str, files: Mapping[int, Path], mask: Path | None, channels: tuple[str, ...], split: Split | None
) -> Case:
    targets: dict[str, Target] = {} if mask is None else {"mask": Ref((mask,))}
    refs: dict[str, Ref | Image] = {_name(k, channels, len(files)): Ref((files[k],)) for k in sorted(files)}
    return Case(
        id=case_id,
        images=refs,
        reference=next(iter(refs)),
        targets=targets,
        split=split,
        registered=True,
    )


def _name(k: int, channels: tuple[str, ...], count: int) -> str:
    if count == 1:
        return "image"
    return channels[k] if k < len(channels) else f"channel {k}"


def _channels(folder: Path) -> dict[str, dict[int, Path]]:
    grouped: dict[str, dict[int, Path]] = {}
    for place, path in _files.by_place(folder).items():
        match = _CHANNEL.match(place)
        name, k = (match.group(1), int(match.group(2))) if match else (place, 0)
        grouped.setdefault(name, {})[k] = path
    return grouped
