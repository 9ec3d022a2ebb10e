"""What suits answers about whole images: one size for all, an encoder and its weights, an ensemble over the folds."""

from __future__ import annotations

from vesalius.plan import weights
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.sizes import box

SIDE, SIDE_GPU = 128, 224  # pixels along the longer side, at most
SIDE_FRAME = 64  # of a frame of a cine on a processor: many frames tell more than fine ones
SIDES_2D = (32, 48, 64, 96, 128, 160, 192, 224)


def images(draft: Draft, prints: Fingerprint, machine: Machine) -> None:
    """Set the one size that every image is scaled to, and for pictures the weights that a net begins from."""
    draft.set("data.sampling", "whole", "the answer is about the whole image")
    weights.propose(draft, prints, machine)
    weights.fewer_steps(draft, prints)
    if prints.flat:
        _picture_size(draft, prints, machine)
    else:
        budget = 64**3 if not machine.gpu else 128**3
        size = box(prints.shape_median, budget, 8)
        draft.set("data.size", size, "the median shape, within what this machine can train")
    draft.set("data.spacing_mm", None, "images are scaled to one size")


def _picture_size(draft: Draft, prints: Fingerprint, machine: Machine) -> None:
    usual = SIDE_GPU if machine.gpu else SIDE_FRAME if prints.moving else SIDE
    limit = weights.side(draft, machine) or usual
    side = max(prints.shape_median[1:])
    longest = min((s for s in SIDES_2D if s >= min(side, limit)), default=limit)
    longest = max(longest, 64)
    ratio = min(prints.shape_median[1:]) / side
    short = longest if ratio > 0.8 else max(32, round(longest * ratio / 16) * 16)
    y, x = (longest, short) if prints.shape_median[1] >= prints.shape_median[2] else (short, longest)
    why = f"median {prints.shape_median[1]}×{prints.shape_median[2]}, within {limit} on this machine"
    draft.set("data.size", [1, y, x], why)


def encoder(draft: Draft, machine: Machine, prints: Fingerprint | None = None) -> None:
    """Set the encoder of the weights to begin from, or a residual one whose width suits the machine.

    The size must be set.
    """
    if weights.encoder(draft, machine):
        return
    net, scale = ("resnet-18", 1.0) if machine.gpu else ("resnet-10", 0.375)
    options: dict[str, str] = {}
    if max(draft.values["data.size"]) <= 96:
        options = {"stem": "small" if machine.gpu else "half"}
    draft.set("net.name", net, "residual nets learn well from few images; this size suits the machine")
    draft.set("net.scale", scale, "width that a CPU can train" if not machine.gpu else "the published width")
    why = "small images keep their resolution in the first layer" if options else "as published"
    draft.set("net.options", options, why)
    draft.set("net.dropout", 0.2, "few images")


def augmentation(draft: Draft, prints: Fingerprint) -> None:
    """Set how far training images are changed; an axis is flipped only where no label names a side."""
    sided = prints.sided
    why = "a label names a side" if sided else "no label names a side"
    draft.set("augment.flip_axes", [] if sided else ["x"], why)
    draft.set("augment.probability", 0.8, "most samples are changed; a tenth or so stay as they are")
    draft.set("augment.rotate_deg", 15.0, "how a patient may lie or a probe be held")
    draft.set("augment.translate", 0.08, "structures are not centred alike")
    draft.set("augment.zoom", 0.15, "patients differ in size")
    draft.set("augment.shear", 0.08, "small changes of shape")
    draft.set("augment.brightness", 0.2, "gain differs from device to device")
    draft.set("augment.contrast", 0.2, "contrast differs from device to device")


def batches(draft: Draft, prints: Fingerprint) -> None:
    """Set how many images make a step, and how many members an ensemble; the flip axes must be set."""
    draft.set("infer.mirror", ["x"] if "x" in draft.values["augment.flip_axes"] else [], "as in training")
    draft.set("infer.batch", 32 if prints.flat else 4, "whole images at a time")
    draft.set("train.batch", 32 if prints.flat else 4, "steps that are quick and not too noisy")
    why = "an ensemble over the folds: every case is validated once, by a model that never saw it"
    draft.set("train.members", 5, why)
