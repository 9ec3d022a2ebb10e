"""The plan of `detect`: at which scale boxes are looked for, on which levels, and what a step and an answer cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from vesalius.core.plan import Plan
from vesalius.plan import weights, whole
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.patches import PATCH_3D_CPU, PATCH_3D_GPU
from vesalius.plan.sizes import box, up
from vesalius.plan.things import ThingPrint

UNIT = 32  # pixels: the total stride of most encoders
SEEN_PX = 16.0  # side that a small box has on the planned grid, where the machine can afford it
TOO_SMALL_PX = 6.0  # on pictures scaled to the limit; smaller ones are looked for in patches, unscaled
SIDE_LEAST, SIDE_CPU, SIDE_GPU = 224, 320, 640  # pixels along the longer side of whole pictures
PATCH_CPU, PATCH_GPU = 320 * 320, 640 * 640
CELLS = 1.5  # cells of the finest level along a small box, at least
REACH = 4.0  # cells of a level along the boxes that it is for
MOST_LEVELS = 5
UNKNOWN = ThingPrint({"": (16.0, 32.0, 64.0)}, (1.0, 32.0, 32.0), 1.0, 16)  # where nobody measured any box


def drafted(prints: Fingerprint, machine: Machine) -> Draft:
    """Return the planned values of a detector, each with its reason."""
    draft = Draft()
    things = prints.things or UNKNOWN
    scale = _images(draft, prints, things, machine)
    _net(draft, prints, things, machine, scale)
    draft.set("loss.name", "varifocal", "a box is as sure as it fits, and most of an image is background")
    _augmentation(draft, prints)
    _batches(draft, prints, things, machine, scale)
    return draft


def typical(plan: Plan) -> list[list[float]]:
    """Return the sides `(z, y, x)` of a typical box of each planned level, in voxels of the prepared grid.

    They are spread evenly, by their logarithms, from small to large boxes of the training cases, in the proportions of
    the median box; where a plan has no such fingerprint, four cells of each level.
    """
    options = plan.task.options
    many, finest = int(str(options.get("levels", 3))), int(str(options.get("finest", 8)))
    known = plan.fingerprint.get("things")
    if not known:
        return [[REACH * finest * 2**k] * 3 for k in range(many)]
    things = _print_of(known)
    scale = scaled(plan.data.size, plan.fingerprint.get("shape_median") or plan.data.size, plan.data.sampling)
    low, high = things.smallest * scale, max(things.largest, 1.01 * things.smallest) * scale
    axes = things.axes if plan.data.dims == 3 else (1.0, *things.axes[1:])
    used = axes[-plan.data.dims :]
    middle = math.prod(used) ** (1 / len(used))
    sides = [low * (high / low) ** ((k + 0.5) / many) for k in range(many)]
    return [[max(1.0, side * axis / middle) for axis in axes] for side in sides]


def scaled(size: Sequence[int], shape: Sequence[int], sampling: str) -> float:
    """Return how much larger a typical image is on the planned grid than on its own; 1 of patches."""
    if sampling != "whole":
        return 1.0
    return min(s / n for s, n in zip(size, shape, strict=True) if n > 0 and (s > 1 or n > 1))


def _print_of(known: Mapping[str, Any]) -> ThingPrint:
    sides = {str(name): (float(a), float(b), float(c)) for name, (a, b, c) in known["sides"].items()}
    z, y, x = known["axes"]
    return ThingPrint(sides, (float(z), float(y), float(x)), float(known["mean"]), int(known["most"]))


def _images(draft: Draft, prints: Fingerprint, things: ThingPrint, machine: Machine) -> float:
    """Set how large images are looked at, whole or in patches; return the scale of a typical one."""
    if not prints.flat:
        return _volumes(draft, prints, machine)
    draft.set("data.spacing_mm", None, "pictures are scaled by their pixels")
    weights.propose(draft, prints, machine)
    shape, small = prints.shape_median, things.smallest
    longest, limit = max(shape), SIDE_GPU if machine.gpu else SIDE_CPU
    wanted = min(longest, max(SIDE_LEAST, up(math.ceil(longest * SEEN_PX / small), UNIT)))
    side = min(wanted, limit)
    told = f"small boxes are {small:.0f} pixels wide"
    if side < longest and small * side / longest < TOO_SMALL_PX:
        draft.set("data.sampling", "patches", f"{told}, too small for pictures scaled to {limit} pixels")
        size = box(shape, PATCH_GPU if machine.gpu else PATCH_CPU, UNIT)
        draft.set("data.size", size, "part of a picture, within what this machine can train")
        return 1.0
    factor = min(1.0, side / longest)
    size = [1, *(up(round(n * factor), UNIT) for n in shape[1:])]
    draft.set("data.sampling", "whole", f"{told}: enough in whole pictures of {side} pixels")
    why = (
        f"the median shape {shape[1]}×{shape[2]}, scaled so that small boxes keep {small * factor:.0f} pixels"
    )
    draft.set("data.size", size, why if factor < 1 else f"the median shape {shape[1]}×{shape[2]}")
    return scaled(size, shape, "whole")


def _volumes(draft: Draft, prints: Fingerprint, machine: Machine) -> float:
    draft.set("data.sampling", "patches", "a volume is more than a step can hold")
    if prints.spacing_known and prints.spacing_median is not None:
        why = "the median spacing: most images stay as they are"
        draft.set("data.spacing_mm", list(prints.spacing_median), why)
    else:
        draft.set("data.spacing_mm", None, "not all volumes say a spacing; they are left on their grid")
    size = box(prints.shape_median, PATCH_3D_GPU if machine.gpu else PATCH_3D_CPU, 16)
    draft.set(
        "data.size", size, f"the median shape {prints.shape_median}, within what this machine can train"
    )
    return 1.0


def _net(draft: Draft, prints: Fingerprint, things: ThingPrint, machine: Machine, scale: float) -> None:
    """Set the encoder, and the levels of its pyramid."""
    whole.encoder(draft, machine)
    small, large = things.smallest * scale, things.largest * scale
    finest = 2 ** max(0, min(5, math.floor(math.log2(max(small / CELLS, 1.0)))))
    finest = min(max(finest, 2), 8 if prints.flat else 4)
    room = min(n for n in draft.values["data.size"] if n > 1)
    many = 1 + max(0, math.ceil(math.log2(max(large / (REACH * finest), 1.0))))
    many = min(max(many, 2), MOST_LEVELS, max(1, int(math.log2(max(room / finest, 1)))))
    if finest < 4 and str(draft.values["net.name"]).startswith("resnet"):
        why = "small boxes are seen in maps of half the resolution"
        draft.set("net.options", {**draft.values["net.options"], "stem": "half"}, why)
    what = "pixels" if prints.flat else "voxels"
    draft.set("task.options.finest", finest, f"small boxes are {small:.1f} {what} wide as they are seen")
    draft.set(
        "task.options.levels", many, f"large boxes are {large:.1f} {what} wide, {REACH:g} cells of a level"
    )
    width = 128 if machine.gpu else 64 if prints.flat else 32
    draft.set("task.options.width", width, "what this machine can train")
    why = "counts are right on average, and F1 was no worse by folds of blood smears"
    draft.set("task.options.threshold", "as_many", why)
    most = min(256, max(64, up(3 * things.most, 32)))
    draft.set("task.options.candidates", most, f"a training case has up to {things.most} boxes")


def _augmentation(draft: Draft, prints: Fingerprint) -> None:
    """Set how far images are changed; boxes move with them."""
    why = "a label names a side" if prints.sided else "no label names a side"
    axes = ["y", "x"] if prints.flat else ["x"]
    draft.set("augment.flip_axes", [] if prints.sided else axes, why)
    draft.set("augment.probability", 0.8, "most samples are changed")
    draft.set("augment.zoom", 0.25, "things differ in size")
    draft.set("augment.translate", 0.1, "things lie anywhere")
    draft.set("augment.rotate_deg", 0.0, "the box around a turned one is larger than what it holds")
    draft.set("augment.brightness", 0.2, "scanners and stains differ")
    draft.set("augment.contrast", 0.2, "scanners and stains differ")
    draft.set("augment.noise", 0.05, "scanners differ")


def _batches(draft: Draft, prints: Fingerprint, things: ThingPrint, machine: Machine, scale: float) -> None:
    """Set how many images make a step, how tiles are answered, and how many members an ensemble."""
    pictures = draft.values["data.sampling"] == "whole"
    batch = (16 if prints.flat else 4) if machine.gpu else (8 if prints.flat else 2)
    draft.set("train.batch", batch, "as many images as a step can afford")
    draft.set("train.select", "best", "by average precision on validation")
    draft.set("train.weight_decay", 0.05, "L2 against over-fitting: boxes are few beside weights")
    mirror = ["x"] if pictures and "x" in draft.values["augment.flip_axes"] else []
    draft.set("infer.mirror", mirror, "as in training" if mirror else "an axis would double the time")
    sizes = [things.largest * scale / n for n in draft.values["data.size"] if n > 1]
    overlap = 0.5 if pictures else round(min(0.5, max(0.2, *sizes)), 2)
    why = "a picture is one tile" if pictures else "a large box lies whole in one tile at least"
    draft.set("infer.overlap", overlap, why)
    draft.set(
        "train.foreground", 0.0 if pictures else 0.7, "whole" if pictures else "most patches hold a box"
    )
    draft.set("train.members", 3, "an ensemble, each on other folds: together they learn from every case")
