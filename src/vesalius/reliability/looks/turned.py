"""Images that are mirrored or upside down, by what the cohort's own flips teach of which side is which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from vesalius.core.image import Array
from vesalius.core.words import counted
from vesalius.prepare.geometry import orientation, turn
from vesalius.reliability._thumbs import shrink
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks._flips import judged, limit_of
from vesalius.reliability.looks._robust import worst_first
from vesalius.reliability.looks.contract import Seen, Sight

ORDER = 66
SIDE = 20  # pixels of a small view
MANY = 0.25  # of the cases: then it is no fault, but two sorts of images
FLIPS = {
    "mirrored": (0, 1, 0),
    "upside down": (1, 0, 1),
}  # of a volume's views from the front, above, the side
HINTS = {
    "mirrored": "look at them beside the others: a flip that the header does not tell changes left and right",
    "upside down": "look at them beside the others, and turn them back",
}


def measure(sight: Sight) -> Array | None:
    """Return small views `(V, SIDE, SIDE)` in float16: the picture, or a volume's means from front, above and side.

    A volume is turned to the nearest LPS axes first, so that an orientation that its header tells is no fault.
    """
    if sight.reference.is_2d:
        views = [sight.grey[0]]
    else:
        volume = turn(sight.grey, *orientation(sight.reference.affine))
        views = [volume.mean(axis=1), volume.mean(axis=0), volume.mean(axis=2)]  # (Z, X), (Y, X), (Z, Y)
    small = np.stack([_even(shrink(np.ascontiguousarray(v), (SIDE, SIDE))) for v in views])
    return small.astype(np.float16) if small.any() else None


def flipped(views: Array, kind: str) -> Array:
    """Return the views `(…, V, SIDE, SIDE)` as they are of the image mirrored, or upside down."""
    if views.shape[-3] == 1:
        return views[..., ::-1] if kind == "mirrored" else views[..., ::-1, :]
    front, above, side = (views[..., k, :, :] for k in range(3))
    if kind == "mirrored":
        return np.stack([front[..., ::-1], above[..., ::-1], side], axis=-3)
    return np.stack([front[..., ::-1, :], above, side[..., ::-1, :]], axis=-3)


def find(seen: Seen) -> Iterator[Finding]:
    """Yield the images that look like the flip of the others, or a note where too many do."""
    for flat in (True, False):
        kept = {c: v for c, v in seen.kept("turned").items() if (len(v) == 1) == flat}
        for kind in FLIPS:
            yield from _of_kind(seen, kept, kind)


def _of_kind(seen: Seen, kept: Mapping[str, Array], kind: str) -> Iterator[Finding]:
    views = np.array(list(kept.values()), np.float32)
    together = {c: k for k, twin in enumerate(seen.twins) for c in twin.cases}
    patients = {f.case: f.patient for f in seen.good if f.patient is not None}
    groups = [patients.get(c) or f"twin {together.get(c, c)}" for c in kept]
    scores = judged(views, flipped(views, kind), groups) if len(kept) else None
    if scores is None:
        return
    limit = limit_of(scores)
    turned = worst_first({c: float(s) for c, s in zip(kept, scores, strict=True) if s < limit})
    evidence = (
        f"{np.mean(scores > 0):.0%} of the images are told from their own flip by what the others teach; "
        f"these are told for the flip (score {max(turned.values(), default=0.0):.2f} and below, usually 1)"
    )
    if len(turned) > MANY * len(kept):
        text = f"{counted(len(turned), 'image looks', 'images look')} {kind} beside the others: two sorts of images"
        yield Finding("note", kind, (), text, "both eyes, both hands, or two ways of storing", evidence)
    elif turned:
        text = f"{counted(len(turned), 'image looks', 'images look')} {kind}"
        yield Finding("warning", kind, tuple(turned), text, HINTS[kind], evidence, turned)


def _even(view: Array) -> Array:
    """Return a view with mean 0 and standard deviation 1, cut at 3; zeros of a flat one."""
    spread = float(view.std())
    return np.clip((view - view.mean()) / spread, -3, 3) if spread > 1e-6 else np.zeros_like(view)
