"""MedMNIST files: one .npz of images and labels with its official split, 2-D or 3-D, grey or RGB."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np

from vesalius.cohorts._layout import Detection, Options
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case, Ref, Split
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import FormatError
from vesalius.core.image import Array
from vesalius.formats import npz

SPLITS: tuple[Split, ...] = ("train", "val", "test")
ORDINAL = ("retinamnist",)
MANY = "chestmnist"  # several findings at once, also where each case of a part has one

# Class names as published with MedMNIST v2 (Yang et al., Scientific Data 2023), by file name.
_CHEST = (
    "atelectasis cardiomegaly effusion infiltration mass nodule pneumonia pneumothorax consolidation edema"
)
_ORGANS = "bladder, femur-left, femur-right, heart, kidney-left, kidney-right, liver, lung-left, lung-right"
CLASSES: dict[str, tuple[str, ...]] = {
    "breastmnist": ("malignant", "normal, benign"),
    "pneumoniamnist": ("normal", "pneumonia"),
    "chestmnist": (*_CHEST.split(), "emphysema", "fibrosis", "pleural", "hernia"),
    "dermamnist": (
        "actinic keratoses and intraepithelial carcinoma",
        "basal cell carcinoma",
        "benign keratosis-like lesions",
        "dermatofibroma",
        "melanoma",
        "melanocytic nevi",
        "vascular lesions",
    ),
    "octmnist": ("choroidal neovascularization", "diabetic macular edema", "drusen", "normal"),
    "pathmnist": (
        "adipose",
        "background",
        "debris",
        "lymphocytes",
        "mucus",
        "smooth muscle",
        "normal colon mucosa",
        "cancer-associated stroma",
        "colorectal adenocarcinoma epithelium",
    ),
    "bloodmnist": (
        "basophil",
        "eosinophil",
        "erythroblast",
        "immature granulocytes",
        "lymphocyte",
        "monocyte",
        "neutrophil",
        "platelet",
    ),
    "retinamnist": ("0", "1", "2", "3", "4"),
    "organamnist": (*_ORGANS.split(", "), "pancreas", "spleen"),
    "organcmnist": (*_ORGANS.split(", "), "pancreas", "spleen"),
    "organsmnist": (*_ORGANS.split(", "), "pancreas", "spleen"),
    "nodulemnist3d": ("benign", "malignant"),
    "adrenalmnist3d": ("normal", "hyperplasia"),
    "vesselmnist3d": ("vessel", "aneurysm"),
    "fracturemnist3d": ("buckle rib fracture", "nondisplaced rib fracture", "displaced rib fracture"),
    "synapsemnist3d": ("inhibitory synapse", "excitatory synapse"),
}


def detect(root: Path) -> Detection | None:
    """Return an .npz whose arrays are called train_images, train_labels and so on."""
    root = _file(root)
    if not root.is_file() or root.suffix.lower() != ".npz":
        return None
    try:
        with zipfile.ZipFile(root) as archive:
            members = {n.removesuffix(".npy") for n in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return Detection(0.5, "an .npz file, though a damaged one")
    splits = [s for s in SPLITS if f"{s}_images" in members]
    if not splits:
        return None
    return Detection(1.0, f"an .npz with {', '.join(f'{s}_images' for s in splits)}")


def read(root: Path, *, options: Options) -> Cohort:
    """Return a case for each row of each split's images; labels `(N, 1)` are classes, `(N, K)` are several at once.

    `(N, K)` of which each row of each split holds a single 1 are classes, too: one of K.
    Raises FormatError for a truncated or damaged file and for images and labels of different lengths.
    """
    root = _file(root)
    shapes = {name: member.shape for name, member in npz.members(root).items() if member.shape}
    splits = [s for s in SPLITS if f"{s}_images" in shapes]
    if not splits:
        raise FormatError(f"{root}: no train_images, val_images or test_images", found=", ".join(shapes))
    labels = {s: _labels(root, s) for s in splits if f"{s}_labels" in shapes}
    for split, found in labels.items():
        if len(found) != shapes[f"{split}_images"][0]:
            raise FormatError(
                f"{root}: {split}_images and {split}_labels differ in length",
                found=f"{shapes[f'{split}_images'][0]} and {len(found)}",
            )
    name = re.sub(r"_\d+$", "", root.stem.lower())
    info = _target(name, labels)
    cases = []
    width = len(str(max(shapes[f"{s}_images"][0] for s in splits) - 1))
    for split in splits:
        rows = labels.get(split)
        for k in range(shapes[f"{split}_images"][0]):
            targets = {}
            if info is not None and rows is not None:
                targets = {info.name: _value(info, rows[k])}
            cases.append(
                Case(
                    id=f"{split}_{k:0{width}d}",
                    images={"image": Ref((root,), f"{split}_images", k)},
                    targets=targets,
                    split=split,
                )
            )
    notes = ["no patient ids in a MedMNIST file: each image counts as a patient"]
    columns = any(rows.shape[1:] > (1,) for rows in labels.values())
    if info is not None and kinds.of(info.kind).nominal and columns:
        notes.append(f"{info.name}: {info.reason}: one of {len(info.labels)} classes")
    first = next(
        (shapes[f"{s}_images"] for s in splits if npz.channels_first(shapes[f"{s}_images"][1:])), None
    )
    if first is not None:
        notes.append(f"images of shape {first} are read as colours, channels first: red, green, blue")
    return Cohort(
        root=root,
        layout="medmnist",
        cases=tuple(cases),
        targets={info.name: info} if info else {},
        notes=tuple(notes),
    )


def _file(root: Path) -> Path:
    """Return the one .npz in a folder that holds nothing else, or the path itself."""
    if root.is_dir():
        found = [p for p in root.iterdir() if not p.name.startswith(".")]
        if len(found) == 1:
            return found[0]
    return root


def _target(name: str, labels: dict[Split, Array]) -> TargetInfo | None:
    if not labels:
        return None
    stacked = np.concatenate([rows.reshape(len(rows), -1) for rows in labels.values()])
    known = CLASSES.get(name)
    kind = "class"
    if stacked.shape[1] > 1 and name != MANY and _one_hot(stacked):
        values = list(range(stacked.shape[1]))
        why = f"{len(values)} columns of labels, of which each row has exactly one"
    elif stacked.shape[1] > 1:
        kind, count = "multilabel", stacked.shape[1]
        why = f"{count} columns of labels, which may hold together"
        values = list(range(count))
    else:
        values = [int(v) for v in np.unique(stacked)]
        if name in ORDINAL:
            kind, why = "ordinal", f"{name} grades severity"
        else:
            why = f"one column of labels with the values {', '.join(map(str, values))}"
    if known is not None:
        values = sorted(set(values) | set(range(len(known))))
    table = tuple(Label(v, known[v] if known and v < len(known) else str(v)) for v in values)
    return TargetInfo("label", kind, table, why)


def _value(info: TargetInfo, row: Array) -> str | tuple[str, ...]:
    flat = row.reshape(-1)
    if kinds.of(info.kind).several:
        return tuple(label.name for label in info.labels if flat[label.value])
    if flat.size > 1:
        flat = np.flatnonzero(flat)
    names = {label.value: label.name for label in info.labels}
    return names[int(flat[0])]


def _one_hot(rows: Array) -> bool:
    """Return whether each row holds a single 1, and zeros."""
    return bool(np.isin(rows, (0, 1)).all() and (rows.sum(axis=1) == 1).all())


def _labels(root: Path, split: Split) -> Array:
    rows = npz.table(root, f"{split}_labels")
    if rows.dtype.kind == "f" and rows.size and np.array_equal(rows, np.round(rows)):
        rows = rows.astype(np.int64)
    if rows.dtype.kind not in "iub" or rows.ndim not in (1, 2):
        raise FormatError(
            f"{root}: {split}_labels must be whole numbers, one row per case",
            found=f"{rows.dtype} of shape {rows.shape}",
        )
    return rows
