"""nnU-Net v2's folders of results: plans.json, dataset.json and the checkpoints of its folds, which are never run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vesalius.core.cohort import Label
from vesalius.core.errors import BundleError
from vesalius.core.words import counted, listed
from vesalius.imports.contract import Brought, Told
from vesalius.imports.planning import planned, state_of, target_of, task_of
from vesalius.imports.weighing import members_of
from vesalius.weights.contract import Weights
from vesalius.weights.files import open_file
from vesalius.weights.found import Found
from vesalius.weights.namings.nnunet import CHECKPOINTS, PLANS, Configured
from vesalius.weights.reader import named

NAMES = {
    "nnunet": "A folder of results of nnU-Net v2, or of one configuration in it; its folds become members"
}
ORDER = 10
NAMING = "nnunet"
RESAMPLES = "resample_data_or_seg_to_shape"
READERS = ("SimpleITKIO", "NibabelIO", "Tiff3DIO")  # that leave the axes as a file has them
PICTURES = "NaturalImage2DIO"
PREPROCESSOR = "DefaultPreprocessor"
AXES = ("z", "y", "x")
THEIRS = "as nnU-Net's plan has it"


def suits(source: Path) -> bool:
    """Return whether a folder is one that nnU-Net trained in."""
    return source.is_dir() and (source / PLANS).is_file() and any(source.glob("fold_*"))


def bring(source: Path, told: Told) -> Brought:
    """Return the model of a folder of results: its plan, its preprocessing, and a member for each of its folds.

    Raises BundleError for what is damaged, and, by name, for every part of nnU-Net's way that is done otherwise here.
    """
    founds = [open_file(path) for path in _checkpoints(source)]
    weights = [_named(found) for found in founds]
    configured = Configured(founds[0])
    _assert_alike(weights, [Configured(f) for f in founds], source)
    assert_ours(configured)
    labels = _labels(configured)
    if told.labels:
        labels = tuple(Label(x.value, told.labels.get(x.value, x.name)) for x in labels)
    task = task_of(told, dense=True)
    target = target_of(task, labels, dense=True)
    plan = planned(task, target, _values(configured, weights[0], founds[0]), told=told, members=len(weights))
    state = state_of(task, target, plan)
    members = tuple(members_of(task, plan, state, one) for one in weights)
    return Brought(
        plan,
        state,
        members,
        origin=f"nnU-Net v2, {configured.name}, {_words(founds)}",
        facts=_facts(configured, founds),
        notes=_notes(configured, weights),
    )


def _checkpoints(source: Path) -> list[Path]:
    """Return the checkpoints of a folder's folds; as nnU-Net does, `fold_all` counts only where it is alone."""
    folds = sorted(p for p in source.glob("fold_*") if p.is_dir())
    folds = [p for p in folds if re.fullmatch(r"fold_\d+", p.name)] or folds
    found = [next((p / n for n in CHECKPOINTS if (p / n).is_file()), None) for p in folds]
    held = [path for path in found if path is not None]
    if not held:
        raise BundleError(
            f"{source} is a training of nnU-Net without a checkpoint",
            found=listed((p.name for p in folds), 3) or "no fold_… in it",
            hint=f"a folder that holds fold_0/{CHECKPOINTS[0]}",
        )
    if len({path.name for path in held}) > 1 or len(held) < len(found):
        raise BundleError(
            f"the folds of {source} are not all trained to their end",
            found=listed((f"{p.parent.name}/{p.name}" for p in held), 5),
            hint="a folder with the same checkpoint in each fold, and no fold without one",
        )
    return held


def _named(found: Found) -> Weights:
    weights = named(found)
    if weights.naming != NAMING or weights.net is None:
        raise BundleError(
            f"{found.path} holds no net of nnU-Net's", hint="a checkpoint of nnU-Net v2's own trainer"
        )
    return weights


def _assert_alike(weights: Sequence[Weights], configured: Sequence[Configured], source: Path) -> None:
    first = configured[0]
    for one, own in zip(weights, configured, strict=True):
        same = own.configuration == first.configuration and own.plans.get(_FINGERPRINT) == first.plans.get(
            _FINGERPRINT
        )
        if one.net != weights[0].net or not same:
            raise BundleError(f"the folds of {source} are not of one plan", hint="the folds of one training")


_FINGERPRINT = "foreground_intensity_properties_per_channel"


def assert_ours(configured: Configured) -> None:
    """Raise BundleError, by name, for each part of a configuration that is done in no like way here."""
    own, plans, dataset = configured.configuration, configured.plans, configured.dataset
    refused = []
    if own.get("previous_stage") or own.get("previous_stage_name"):
        refused.append("a cascade, whose second net sees the first one's answer")
    if not configured.labels:
        refused.append("regions, labels that overlap (dataset.json: labels with several values)")
    if own.get("preprocessor_name", PREPROCESSOR) != PREPROCESSOR:
        refused.append(f"the preprocessor {own['preprocessor_name']}")
    for part, what in (("data", "images"), ("probabilities", "answers")):
        name = own.get(f"resampling_fn_{part}", RESAMPLES)
        kwargs = own.get(f"resampling_fn_{part}_kwargs") or {}
        known = {"is_seg": False, "force_separate_z": None}
        odd = [k for k, v in known.items() if kwargs.get(k, v) != v]
        odd += [k for k in kwargs if k not in (*known, "order", "order_z")]
        orders = (kwargs.get("order", 1), kwargs.get("order_z", 0))
        if (
            name != RESAMPLES
            or odd
            or orders[1] not in (0, 1)
            or (part != "data" and orders[0] not in (0, 1))
        ):
            refused.append(f"resampling of {what} by {name} with {kwargs or 'no options'}")
    reader = plans.get("image_reader_writer", READERS[0])
    if reader not in (*READERS, PICTURES):
        refused.append(f"the reader {reader}, which turns images before they are seen")
    if reader == PICTURES and list(own.get("spacing") or ()) != [1.0, 1.0]:
        refused.append("pictures that are resampled")
    if configured.dims == 2 and configured.forward[0] != 0:
        refused.append("slices across another axis than the file's z")
    schemes = own.get("normalization_schemes") or ()
    if not configured.normalise:
        refused.append(f"the normalisation {listed(map(str, schemes)) or 'that nobody names'}")
    if dataset.get("label_manager") or plans.get("label_manager", "LabelManager") != "LabelManager":
        refused.append("a label manager of its own")
    if refused:
        raise BundleError(
            f"nnU-Net's configuration {configured.name} does what is not done alike here",
            found=listed(refused, 5),
            hint="another configuration of the same data, such as 3d_fullres",
        )


def _labels(configured: Configured) -> tuple[Label, ...]:
    labels = configured.dataset["labels"]
    named_ = sorted(((v, k) for k, v in labels.items() if k != "ignore" and v != 0))
    if [v for v, _ in named_] != list(range(1, len(named_) + 1)):
        raise BundleError("the labels of dataset.json are not counted from 1 on", found=str(labels)[:120])
    return tuple(Label(int(v), str(k)) for v, k in named_)


def _values(configured: Configured, weights: Weights, found: Found) -> dict[str, tuple[Any, str]]:
    """Return planned values by path, each with its reason."""
    own, flat = configured.configuration, configured.dims == 2
    names = list(configured.channels)
    pictures = configured.plans.get("image_reader_writer") == PICTURES
    size = tuple(weights.size or ())
    kwargs = own.get("resampling_fn_data_kwargs") or {}
    back = own.get("resampling_fn_probabilities_kwargs") or {}
    how = {
        "order": kwargs.get("order", 3),
        "apart_order": kwargs.get("order_z", 0),
        "back": back.get("order", 1),
        "apart_back": back.get("order_z", 0),
        "planes": flat,
    }
    axes = found.about.get("inference_allowed_mirroring_axes") or ()
    mirror = [AXES[-configured.dims :][k] for k, theirs in enumerate(configured.order) if theirs in axes]
    overlap = "nnU-Net's step is half a tile"
    return {
        "data.dims": (configured.dims, THEIRS),
        "data.images": (["image"] if pictures else names, "the channels of dataset.json"),
        "data.channels": (len(names), "the channels of dataset.json"),
        "data.channel_names": (names, "the channels of dataset.json"),
        "data.sampling": ("patches", THEIRS),
        "data.size": ([*([1] if flat else []), *size], THEIRS),
        "data.spacing_mm": (None if pictures else _spacing(configured), THEIRS),
        "data.normalise": (_normalise(configured, weights), THEIRS),
        "data.canonical": (False, "nnU-Net leaves the axes as a file has them"),
        "data.nonzero": (True, "nnU-Net cuts images to what is not zero"),
        "data.normalise_first": (True, "nnU-Net normalises before it resamples"),
        "data.resample": (None if pictures else how, THEIRS),
        "net": (weights.net, "as the checkpoint's tensors and nnU-Net's plan have it"),
        "infer.overlap": (0.5, overlap),
        "infer.tiling": ("nnunet", overlap),
        "infer.mirror": (mirror, "the axes that its training mirrored"),
        "infer.batch": (1, "one tile at a time"),
    }


def _spacing(configured: Configured) -> list[float]:
    """Return the planned voxels `(x, y, z)`; of slices z stands for nothing, as they stay where they are."""
    spacing = [float(s) for s in configured.configuration["spacing"]]
    ours = [spacing[k] for k in configured.order]  # (z,) y, x
    return [*reversed(ours), *([1.0] if configured.dims == 2 else [])]


def _normalise(configured: Configured, weights: Weights) -> list[dict[str, Any]]:
    masked = configured.configuration.get("use_mask_for_norm") or [False] * len(weights.normalise)
    schemes = configured.configuration["normalization_schemes"]
    return [
        {**n.model_dump(), "masked": bool(inside) and scheme == "ZScoreNormalization"}
        for n, inside, scheme in zip(weights.normalise, masked, schemes, strict=True)
    ]


def _words(founds: Sequence[Found]) -> str:
    folds = [f.path.parent.name.removeprefix("fold_") for f in founds]
    return f"fold {folds[0]}" if len(folds) == 1 else f"folds {listed(folds)}"


def _facts(configured: Configured, founds: Sequence[Found]) -> dict[str, str]:
    about = founds[0].about
    many = configured.dataset.get("numTraining")
    return {
        "trainer": str(about.get("trainer_name", "not said")),
        "plan": f"{configured.plans.get('plans_name', 'nnUNetPlans')}, {configured.name}",
        "epochs": listed(str(f.about.get("current_epoch", "not said")) for f in founds),
        "training cases, as dataset.json has it": counted(int(many), "case")
        if isinstance(many, int)
        else "not said",
        "weights": listed((f.origin for f in founds), 5),
    }


def _notes(configured: Configured, weights: Sequence[Weights]) -> tuple[str, ...]:
    said = [
        "nnU-Net leaves an image's axes as its file has them, and so does this bundle: images must lie as its own",
        "nnU-Net sums what tiles say in 16 bits, and this bundle in 32: single probabilities differed by up to 0.1",
    ]
    if weights[0].unused:
        said.append(
            f"left out: the coarser heads of its training ({counted(len(weights[0].unused), 'tensor')})"
        )
    if "CT" in configured.channels:
        said.append("its channel CT is in Hounsfield units")
    return tuple(said)
