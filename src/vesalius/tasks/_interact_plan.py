"""The plan of `interact`: a light net that answers within a click, patches that all hold an object, no ensemble."""

from __future__ import annotations

from vesalius.plan import patches
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.sizes import box

REGION = 96  # voxels along each axis of a volume, the most that a click is answered from
SCALE_CPU = {2: 0.5, 3: 0.375}
ZOOM = 0.3


def draft_of(prints: Fingerprint, machine: Machine) -> Draft:
    """Return the choices of a task whose model is asked again and again while a person waits."""
    draft = Draft()
    _patches(draft, prints, machine)
    patches.dense_net(draft, prints, machine)
    dims = 2 if prints.flat else 3
    if machine.gpu:
        draft.set("net.scale", 1.0, "the usual width")
    else:
        draft.set(
            "net.scale", SCALE_CPU[dims], "light: a person waits for each click, without a graphics card"
        )
    draft.set("loss.name", "dice-ce", "overlap is the goal and cross-entropy steadies it")
    draft.set("loss.options", {"batch": False}, "objects differ in size, and each counts alone")
    draft.set("loss.class_weights", "none", "one object against all else")
    patches.augmentation(draft, prints)
    draft.set("augment.zoom", ZOOM, "a region of the image shows large objects smaller")
    patches.batches(draft, prints, machine, fits=True)
    draft.set("infer.mirror", [], "a mirror image would double the time of each click")
    draft.set(
        "infer.novelty", "none", "what the layers show follows from the strokes as much as from the image"
    )
    draft.set("train.foreground", 1.0, "an object to show lies in every patch")
    draft.set("train.members", 1, "an ensemble would multiply the time of each click")
    region = REGION if dims == 3 else 0
    draft.set("task.options.region", region, "what a click is answered from, if the image is larger")
    return draft


def _patches(draft: Draft, prints: Fingerprint, machine: Machine) -> None:
    """Set spacing and patch; without weights of an encoder, which know nothing of strokes."""
    draft.set("data.sampling", "patches", "the answer is about each point")
    if prints.spacing_known and prints.spacing_median is not None and not prints.flat:
        draft.set("data.spacing_mm", list(prints.spacing_median), "the median spacing")
    else:
        draft.set("data.spacing_mm", None, "pictures without spacing are left on their grid")
    draft.set("net.init", None, "from nothing: no weights know of strokes")
    if prints.flat:
        budget = patches.PATCH_2D_GPU if machine.gpu else patches.PATCH_2D_CPU
    else:
        budget = patches.PATCH_3D_GPU if machine.gpu else patches.PATCH_3D_CPU
    size = box(prints.shape_median, budget, 16 if prints.flat else 4)
    draft.set(
        "data.size", size, f"the median shape {prints.shape_median}, within what this machine can train"
    )
