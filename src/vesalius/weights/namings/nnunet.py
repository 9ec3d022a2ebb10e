"""nnU-Net v2's checkpoints: PlainConvUNet and ResidualEncoderUNet, with the plan that says what they compute."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vesalius.core.errors import BundleError
from vesalius.core.plan import NetPlan, Normalisation
from vesalius.core.words import listed
from vesalius.weights._rules import Family, Rules, count, read_as, unlike
from vesalius.weights._ushape import skip_first, swapped, without_biases
from vesalius.weights.contract import Weights
from vesalius.weights.files import open_file
from vesalius.weights.found import Found

if TYPE_CHECKING:
    from torch import Tensor

Tensors = dict[str, "Tensor"]

NAMES = {"nnunet": "nnU-Net v2's checkpoints and folders of a training"}
FINDS = True

CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth", "checkpoint_latest.pth")
PLANS, DATASET = "plans.json", "dataset.json"
PLAIN, RESIDUAL = "PlainConvUNet", "ResidualEncoderUNet"
NONLIN_SLOPE = 0.01  # of torch's leaky ReLU, where a plan says none
TWICE = {
    r"decoder\.encoder\..+": "",  # the encoder again
    r".+\.all_modules\.\d+\..+": "",  # each layer again
    r"decoder\.seg_layers\.(?!LAST\.)\d+\..+": "the coarser heads of deep supervision",
}


def find(what: str) -> Found | None:
    """Return the checkpoint of a folder that nnU-Net trained in, or of one of its folds; None for other folders.

    Of several folds it is the one that learned from all cases, or the first. Raises BundleError where there is none.
    """
    folder = Path(what)
    if not folder.is_dir():
        return None
    fold = any((folder / name).is_file() for name in CHECKPOINTS)
    if not fold and not (folder / PLANS).is_file():
        return None
    folds = [folder] if fold else sorted(p for p in folder.glob("fold_*") if p.is_dir())
    folds.sort(key=lambda p: p.name != "fold_all")
    for place in folds:
        for name in CHECKPOINTS:
            if (place / name).is_file():
                return open_file(place / name)
    raise BundleError(
        f"{folder} is a training of nnU-Net without a checkpoint",
        found=listed((p.name for p in folds), 3) or "no fold_… in it",
        hint=f"a folder that holds fold_0/{CHECKPOINTS[0]}",
    )


def read(found: Found) -> Weights | None:
    """Return weights of nnU-Net's names; None for others.

    Raises BundleError for a net that none of ours computes, and where nothing says what it computes.
    """
    theirs = dict(found.tensors)
    marks = ("decoder.transpconvs.0.weight", "decoder.seg_layers.0.weight")
    if not all(m in theirs for m in marks):
        if "conv_blocks_localization.0.0.blocks.0.conv.weight" in theirs:
            raise unlike("nnU-Net's first version", "only the second version's checkpoints are read")
        return None
    configured = Configured(found)
    residual = "encoder.stem.convs.0.conv.weight" in theirs
    order = configured.order
    family = Family(
        marks=marks,
        plan=lambda _: _plan(theirs, configured, residual=residual),
        first="encoder.0.0.0.weight",
        rules=lambda _: _residual_rules(theirs) if residual else _plain_rules(theirs),
        head=((rf"decoder\.seg_layers\.{_levels(theirs) - 1}\.(weight|bias)", r"\1"),),
        change=lambda tensors: swapped(_changed(tensors, configured.batch), order),
        left={p.replace("LAST", str(_levels(theirs) - 1)): why for p, why in TWICE.items()},
    )
    weights = read_as(family, found, "nnU-Net")
    return replace(
        weights,
        channels=configured.channels,
        labels=configured.labels,
        size=configured.size,
        spacing_mm=configured.spacing_mm,
        normalise=configured.normalise,
        notes=(*weights.notes, *configured.notes),
    )


class Configured:
    """What nnU-Net's plan says of a checkpoint. Raises BundleError where there is none, or it means another function.

    `name` is that of its configuration. `order` are the axes of our kernels among theirs, as nnU-Net may swap the axes
    of an image before all else.
    """

    def __init__(self, found: Found) -> None:
        init = found.about.get("init_args") or {}
        plans = init.get("plans") or _beside(found.path, PLANS)
        dataset = init.get("dataset_json") or _beside(found.path, DATASET) or {}
        if not isinstance(plans, Mapping) or not isinstance(plans.get("configurations"), Mapping):
            raise BundleError(
                f"{found.path} does not say what it computes: nnU-Net's plan is neither in it nor beside it",
                hint=f"the folder of the training, with {PLANS} and {DATASET}",
            )
        names = plans["configurations"]
        given = init.get("configuration") or _named_in(found.path, names)
        if given not in names:
            raise BundleError(
                f"nnU-Net's plan has no configuration {given!r}",
                found=listed(names),
                hint="the folder of the training",
            )
        self.plans, self.dataset = plans, dataset
        self.fold = init.get("fold")
        self.name = str(given)
        self.configuration = _inherited(names, str(given))
        self.dims = len(self.configuration.get("patch_size") or ()) or 3
        self.arch = _architecture(self.configuration)
        self.batch = "batchnorm" in str(self.arch.get("norm_op", "")).lower()

    @property
    def forward(self) -> list[int]:
        """Return how nnU-Net orders the axes `(z, y, x)` of an image."""
        return [int(k) for k in self.plans.get("transpose_forward") or (0, 1, 2)]

    @property
    def order(self) -> list[int]:
        """Return, for each axis of ours, which of theirs it is, of the axes that the net sees."""
        seen = self.forward[-self.dims :]
        return [seen.index(k) for k in sorted(seen)]

    @property
    def size(self) -> tuple[int, ...] | None:
        """Return the planned patch in our order."""
        patch = self.configuration.get("patch_size")
        return tuple(int(patch[k]) for k in self.order) if patch else None

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """Return the planned voxels `(x, y, z)`; None in 2-D, where nnU-Net plans none across slices."""
        spacing = self.configuration.get("spacing")
        if self.dims != 3 or not spacing or len(spacing) != 3:
            return None
        z, y, x = (float(spacing[self.forward.index(k)]) for k in range(3))
        return (x, y, z)

    @property
    def channels(self) -> tuple[str, ...]:
        """Return what the channels are called, in their order."""
        named = self.dataset.get("channel_names") or self.dataset.get("modality") or {}
        return tuple(str(named[k]) for k in sorted(named, key=int)) if isinstance(named, Mapping) else ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Return what the head tells apart, the background first; empty for regions, which overlap."""
        labels = self.dataset.get("labels") or {}
        if not all(isinstance(v, int) for v in labels.values()):
            return ()
        return tuple(str(name) for name in sorted(labels, key=lambda k: labels[k]) if name != "ignore")

    @property
    def normalise(self) -> tuple[Normalisation, ...]:
        """Return what is done to each channel's intensities; empty where one of them has no counterpart here."""
        schemes = self.configuration.get("normalization_schemes") or ()
        known = self.plans.get("foreground_intensity_properties_per_channel") or {}
        found = [_normalisation(str(scheme), known.get(str(k)) or {}) for k, scheme in enumerate(schemes)]
        return tuple(n for n in found if n is not None) if None not in found else ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what is to be known of the plan: the fold, axes that were swapped, and a norm that is not followed."""
        said = [f"nnU-Net's fold {self.fold}"] if self.fold is not None else []
        if self.forward != sorted(self.forward):
            said.append(f"nnU-Net had the axes in the order {self.forward}: the kernels are turned back")
        if self.dims == 2 and self.forward[0] != 0:
            said.append("its slices lie across another axis than z")
        masked = self.configuration.get("use_mask_for_norm") or ()
        if any(masked):
            said.append(
                "nnU-Net measured mean and deviation inside the body alone; here they are of the whole image"
            )
        schemes = self.configuration.get("normalization_schemes") or ()
        if schemes and not self.normalise:
            said.append(f"its normalisation has no counterpart here: {', '.join(map(str, schemes))}")
        return tuple(said)


def _beside(path: Path, name: str) -> Any:
    """Return a JSON object beside a checkpoint, or beside the folder of its fold; None where there is none."""
    for folder in (path.parent, path.parent.parent):
        try:
            return json.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
    return None


def _named_in(path: Path, names: Mapping[str, Any]) -> str:
    """Return the configuration that the folder of a training is called after: `Trainer__Plans__3d_fullres`."""
    for folder in (path.parent, path.parent.parent):
        last = folder.name.split("__")[-1]
        if last in names:
            return last
    return next(iter(names)) if len(names) == 1 else ""


def _inherited(names: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a configuration with what it inherits from others."""
    found: dict[str, Any] = {}
    seen: list[str] = []
    while name and name not in seen:
        seen.append(name)
        own = names.get(name) or {}
        found = {**own, **found}
        name = str(own.get("inherits_from") or "")
    return found


def _architecture(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a configuration says of its net, in the words of today's plans; those of 2023 had others."""
    today = configuration.get("architecture")
    if isinstance(today, Mapping):
        kwargs = dict(today.get("arch_kwargs") or {})
        return {"name": str(today.get("network_class_name", "")).rpartition(".")[2], **kwargs}
    return {
        "name": str(configuration.get("UNet_class_name", PLAIN)),
        "strides": configuration.get("pool_op_kernel_sizes"),
        "kernel_sizes": configuration.get("conv_kernel_sizes"),
        "norm_op": "InstanceNorm",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "LeakyReLU",
        "nonlin_kwargs": {},
    }


def _levels(theirs: Tensors) -> int:
    """Return how many times the net goes up."""
    return count(theirs, r"decoder\.transpconvs\.(\d+)\.")


def _plan(theirs: Tensors, configured: Configured, *, residual: bool) -> NetPlan:
    """Return our U-Net that computes what theirs does. Raises BundleError where none does."""
    arch, order, levels = configured.arch, configured.order, _levels(theirs)
    _assert_known(arch, theirs)
    stem = (
        "encoder.stages.{}.blocks.0.conv1.conv.weight"
        if residual
        else "encoder.stages.{}.0.convs.0.conv.weight"
    )
    kernels = [theirs[stem.format(k)] for k in range(levels + 1)]
    dims = kernels[0].ndim - 2
    if dims != configured.dims:
        raise unlike("nnU-Net", f"kernels of {dims} axes, and a plan of {configured.dims}")
    rising = [theirs[f"decoder.transpconvs.{levels - 1 - k}.weight"] for k in range(levels)]
    strides = [[1] * dims, *([int(r.shape[2 + k]) for k in order] for r in rising)]
    said = arch.get("strides")
    if said is not None and [list(_each(s, dims)) for s in said] != [
        [1] * dims,
        *(list(r.shape[2:]) for r in rising),
    ]:
        raise unlike("nnU-Net", f"strides {said} in the plan, and others in the tensors")
    kwargs, slope = arch.get("norm_op_kwargs") or {}, (arch.get("nonlin_kwargs") or {}).get("negative_slope")
    options: dict[str, Any] = {
        "channels": [int(k.shape[0]) for k in kernels],
        "kernels": [[int(k.shape[2 + axis]) for axis in order] for k in kernels],
        "strides": strides,
        "norm": "batch" if configured.batch else "instance",
        "eps": float(kwargs.get("eps", 1e-5)),
        "slope": NONLIN_SLOPE if slope is None else float(slope),
        "convs_up": [
            count(theirs, rf"decoder\.stages\.{levels - 1 - k}\.convs\.(\d+)\.") for k in range(levels)
        ],
    }
    if residual:
        options["blocks"] = [
            count(theirs, rf"encoder\.stages\.{k}\.blocks\.(\d+)\.") for k in range(levels + 1)
        ]
        return NetPlan(name="resunet", options=options)
    options["convs"] = [count(theirs, rf"encoder\.stages\.{k}\.0\.convs\.(\d+)\.") for k in range(levels + 1)]
    return NetPlan(name="unet", options=options)


def _each(value: Any, dims: int) -> Sequence[int]:
    return [int(v) for v in value] if isinstance(value, list | tuple) else [int(value)] * dims


def _assert_known(arch: Mapping[str, Any], theirs: Tensors) -> None:
    """Raise BundleError for a net, a norm or an activation that our U-Nets have not."""
    name = str(arch.get("name", ""))
    if name not in (PLAIN, RESIDUAL):
        raise unlike(f"nnU-Net's {name or 'net'}", f"{PLAIN} and {RESIDUAL} are read")
    nonlin, norm = str(arch.get("nonlin", "")), str(arch.get("norm_op", ""))
    if not nonlin.endswith("LeakyReLU") and not nonlin.endswith(".ReLU"):
        raise unlike("nnU-Net", f"activations {nonlin or 'that nobody names'}; ours are leaky ReLUs")
    if nonlin.endswith(".ReLU"):
        raise unlike("nnU-Net", "activations torch.nn.ReLU; ours are leaky")
    if not re.search(r"(Instance|Batch)Norm", norm):
        raise unlike(
            "nnU-Net",
            f"norms {norm or 'that nobody names'}; those over the image and over the batch are read",
        )
    if arch.get("nonlin_first"):
        raise unlike("nnU-Net", "activations before norms")
    strange = [k for k in theirs if "squeeze_excitation" in k or re.search(r"blocks\.\d+\.conv3\.", k)]
    if strange:
        raise unlike("nnU-Net", f"blocks with {strange[0]}, which ours have not")


def _changed(theirs: Tensors, batch: bool) -> Tensors:
    """Return tensors without biases that a norm cancels, and with joined channels in our order."""
    norms = {
        k.removesuffix("conv.weight") + "conv": k.removesuffix("conv.weight") + "norm"
        for k in theirs
        if k.endswith(".conv.weight")
    }
    out = without_biases(theirs, norms)
    for name in theirs:
        if re.fullmatch(r"decoder\.stages\.\d+\.convs\.0\.conv\.weight", name):
            out[name] = skip_first(out[name])
    return out


def _up_rules(theirs: Tensors, single: bool) -> list[tuple[str, str]]:
    """Return the rules of the way up, which is counted from the bottom there."""
    levels, found = _levels(theirs), []
    for k in range(levels):
        here = levels - 1 - k
        found.append((rf"decoder\.transpconvs\.{k}\.(weight|bias)", rf"up.{here}.\1"))
        convs = count(theirs, rf"decoder\.stages\.{k}\.convs\.(\d+)\.")
        for layer in range(convs):
            ours = f"decoder.{here}" if single and convs == 1 else f"decoder.{here}.{layer}"
            there = rf"decoder\.stages\.{k}\.convs\.{layer}"
            found.append((rf"{there}\.conv\.(.+)", rf"{ours}.0.\1"))
            found.append((rf"{there}\.norm\.(.+)", rf"{ours}.1.\1"))
    return found


def _plain_rules(theirs: Tensors) -> Rules:
    """Return the rules of a PlainConvUNet."""
    return [
        (r"encoder\.stages\.(\d+)\.0\.convs\.(\d+)\.conv\.(.+)", r"encoder.\1.\2.0.\3"),
        (r"encoder\.stages\.(\d+)\.0\.convs\.(\d+)\.norm\.(.+)", r"encoder.\1.\2.1.\3"),
        *_up_rules(theirs, single=False),
    ]


def _residual_rules(theirs: Tensors) -> Rules:
    """Return the rules of a ResidualEncoderUNet, whose first convolution stands before its first stage."""
    found = [
        (r"encoder\.stem\.convs\.0\.conv\.(.+)", r"encoder.0.0.0.\1"),
        (r"encoder\.stem\.convs\.0\.norm\.(.+)", r"encoder.0.0.1.\1"),
    ]
    for stage in range(_levels(theirs) + 1):
        for k in range(count(theirs, rf"encoder\.stages\.{stage}\.blocks\.(\d+)\.")):
            there, here = rf"encoder\.stages\.{stage}\.blocks\.{k}", f"encoder.{stage}.{k + (stage == 0)}"
            found += [
                (rf"{there}\.conv1\.conv\.(.+)", rf"{here}.first.0.\1"),
                (rf"{there}\.conv1\.norm\.(.+)", rf"{here}.first.1.\1"),
                (rf"{there}\.conv2\.conv\.(.+)", rf"{here}.second.\1"),
                (rf"{there}\.conv2\.norm\.(.+)", rf"{here}.norm.\1"),
                (rf"{there}\.skip\.0\.conv\.(.+)", rf"{here}.shortcut.0.\1"),
                (rf"{there}\.skip\.0\.norm\.(.+)", rf"{here}.shortcut.1.\1"),
                (rf"{there}\.skip\.1\.conv\.(.+)", rf"{here}.shortcut.1.\1"),
                (rf"{there}\.skip\.1\.norm\.(.+)", rf"{here}.shortcut.2.\1"),
            ]
    return [*found, *_up_rules(theirs, single=True)]


def _normalisation(scheme: str, known: Mapping[str, Any]) -> Normalisation | None:
    """Return what does the same to a channel here; None where nothing does."""
    if scheme == "ZScoreNormalization":
        return Normalisation(method="zscore")
    if scheme == "CTNormalization" and {"mean", "std", "percentile_00_5", "percentile_99_5"} <= set(known):
        return Normalisation(
            method="fixed",
            low=float(known["percentile_00_5"]),
            high=float(known["percentile_99_5"]),
            mean=float(known["mean"]),
            sd=float(known["std"]),
        )
    if scheme == "NoNormalization":
        return Normalisation(method="fixed", mean=0.0, sd=1.0)
    if scheme == "RGBTo01Normalization":
        return Normalisation(method="fixed", mean=0.0, sd=255.0)
    return None
