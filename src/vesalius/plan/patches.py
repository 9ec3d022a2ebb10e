"""What suits answers about each point: patches at the median spacing, a U-Net, half of the patches on a label."""

from __future__ import annotations

from vesalius.nets import topology
from vesalius.plan import weights
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.sizes import box, up

PATCH_2D_CPU, PATCH_2D_GPU = 192 * 192, 512 * 512
PATCH_3D_CPU, PATCH_3D_GPU = 60**3, 128**3
SIDE_CPU, SIDE_GPU = 256, 512  # pixels along the longer side, to which larger pictures are scaled
THIN_PX = 6.0  # wide: what is thinner, on the grid that it is learned on, loses its edges there
UNIT = 32  # pixels: the total stride of the encoders that have weights


def images(draft: Draft, prints: Fingerprint, machine: Machine) -> bool:
    """Set spacing and patch; return whether a patch holds a typical image whole."""
    draft.set("data.sampling", "patches", "the answer is about each point")
    if prints.spacing_known and prints.spacing_median is not None and not prints.flat:
        why = "the median spacing: most images stay as they are"
        draft.set("data.spacing_mm", list(prints.spacing_median), why)
    else:
        draft.set("data.spacing_mm", None, "pictures without spacing are left on their grid")
    weights.propose(draft, prints, machine)
    knows = draft.values.get("net.init") is not None
    if knows and prints.width_px is not None and _whole_picture(draft, prints, machine):
        return True
    if prints.flat:
        budget = PATCH_2D_GPU if machine.gpu else PATCH_2D_CPU
    else:
        budget = PATCH_3D_GPU if machine.gpu else PATCH_3D_CPU
    unit = 16 if prints.flat else 4
    size = box(prints.shape_median, budget, unit)
    fits = tuple(size) == tuple(up(n, unit) if n > 1 else 1 for n in prints.shape_median)
    why = f"the median shape {prints.shape_median}"
    draft.set("data.size", size, why if fits else f"{why}, within what this machine can train")
    return fits


def whole_size(prints: Fingerprint, machine: Machine) -> list[int]:
    """Return the size `(Z, Y, X)` of whole images, where an answer about a part of one cannot be learned from."""
    if not prints.flat:
        return box(prints.shape_median, PATCH_3D_GPU if machine.gpu else PATCH_3D_CPU, 4)
    limit = SIDE_GPU if machine.gpu else SIDE_CPU
    factor = min(1.0, limit / max(prints.shape_median))
    return [1, *(up(round(n * factor), UNIT) for n in prints.shape_median[1:])]


def _whole_picture(draft: Draft, prints: Fingerprint, machine: Machine) -> bool:
    """Plan whole pictures, scaled down, where they are large and no label is too thin for that; returns whether."""
    limit = SIDE_GPU if machine.gpu else SIDE_CPU
    factor = limit / max(prints.shape_median)
    told = f"the thinnest label is {prints.width_px or 0.0:.1f} pixels wide"
    if factor >= 1:
        return False
    if (prints.width_px or 0.0) * factor < THIN_PX:
        draft.set("data.sampling", "patches", f"{told}, too thin for pictures scaled to {limit} pixels")
        return False
    size = [1, *(min(limit, up(round(n * factor), UNIT)) for n in prints.shape_median[1:])]
    draft.set("data.sampling", "whole", f"{told}: enough in whole pictures of {limit} pixels")
    draft.set("train.select", "best", "by the task's own metric on validation")
    draft.set("train.weight_decay", 0.01, "each picture teaches as many points as it has")
    draft.set("data.size", size, f"the median shape {prints.shape_median}, scaled to {limit} pixels")
    return True


def dense_net(draft: Draft, prints: Fingerprint, machine: Machine) -> None:
    """Set a U-Net, over an encoder that has weights where they are proposed; the size must be set.

    Without weights it works at half resolution inside where there is no GPU.
    """
    if weights.dense(draft):
        return
    draft.set("net.name", "unet", "the strongest baseline wherever it was measured")
    draft.set("net.scale", 1.0, "the usual width")
    options: dict[str, object] = {}
    why = "as published"
    dims, stages = (2, 4) if prints.flat else (3, 3)
    inside = [n // 2 for n in draft.values["data.size"][-dims:]]
    if not machine.gpu and len(topology(dims, inside, stages=stages).strides) == stages:
        options = {"norm": "batch", "fold": True, "stages": stages}
        why = "works at half resolution inside, for a third of the cost"
    elif not machine.gpu:
        options = {"norm": "batch"}
        why = "too small to work at half resolution; this normalisation is the cheapest"
    draft.set("net.options", options, why)


def augmentation(draft: Draft, prints: Fingerprint) -> None:
    """Set how far patches are changed; an axis is flipped only where no label names a side."""
    why = "a label names a side" if prints.sided else "no label names a side"
    draft.set("augment.flip_axes", _flips(prints), why)
    draft.set("augment.probability", 0.7, "some samples keep their place")
    draft.set("augment.rotate_deg", 15.0, "how a patient may lie")
    spacing = prints.spacing_median
    thick = not prints.flat and spacing is not None and max(spacing) > 3 * min(spacing)
    draft.set("augment.rotate_in_plane_only", thick, "slices are thick" if thick else "voxels are near cubes")
    draft.set("augment.zoom", 0.15, "patients differ in size")
    draft.set("augment.noise", 0.1, "scanners differ")
    draft.set("augment.brightness", 0.1, "scanners differ")
    draft.set("augment.contrast", 0.15, "scanners differ")


def batches(draft: Draft, prints: Fingerprint, machine: Machine, *, fits: bool) -> None:
    """Set how tiles are answered, how many patches make a step and how many members an ensemble.

    `fits` says that a patch holds a typical image whole; the flip axes must be set.
    """
    mirror = ["x"] if fits and "x" in draft.values["augment.flip_axes"] else []
    draft.set("infer.mirror", mirror, "as in training" if mirror else "an axis would double the time")
    draft.set("infer.overlap", 0.5, "half a tile, blended by a Gaussian")
    batch = (12 if prints.flat else 2) if machine.gpu else (4 if prints.flat else 2)
    draft.set("train.batch", batch, "as many patches as a step can afford")
    why = "a patch is most of an image" if fits else "half of the patches hold a label"
    draft.set("train.foreground", 0.0 if fits else 0.5, why)
    draft.set("train.members", 3, "an ensemble, each on other folds: together they learn from every case")


def _flips(prints: Fingerprint) -> list[str]:
    if prints.flat:
        return [] if prints.sided else ["y", "x"]
    return [] if prints.sided else ["x"]
