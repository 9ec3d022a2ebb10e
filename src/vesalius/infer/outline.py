"""An outline in the making: the mask of one object, changed stroke by stroke by what a model says of a region.

What a person may rely on does not stand on the model: a voxel that was shown as the object's belongs to the mask and
one that was shown as not does not, a later stroke standing above an earlier one; a stroke that removes adds nothing;
after the first stroke only connected changes near the new one are made; and undoing brings the mask back bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from vesalius.core.errors import DataError
from vesalius.core.guidance import Stroke, assert_within
from vesalius.core.image import Array
from vesalius.core.options import options_of
from vesalius.core.plan import Plan
from vesalius.infer import regions
from vesalius.infer import strokes_placed as placed
from vesalius.infer.asked import inferred
from vesalius.infer.regions import Grid, Region, Where
from vesalius.infer.runs.contract import Members
from vesalius.prepare.batch import Batch
from vesalius.prepare.geometry import Undo, turn
from vesalius.prepare.strokes import channels

GUIDANCE = "guidance"  # what strokes are called among the images of a batch
WIDEN = 1.5  # by how much a region grows whose object reaches its edge
LARGEST = 4.0  # the zoom at most
NEAR = 0.25  # of a region's extent: how far from its stroke a change may begin
LOOSE = 0.1  # of a box's side, by which an object may reach beyond the box that shows it
CACHED = 4  # regions of the image that are kept


@dataclass(frozen=True, eq=False)
class _Change:
    """What a mask was within a part of it before it was changed, and how far it reached."""

    where: Where
    before: Array
    bounds: placed.Bounds | None


class Outline:
    """The mask of one object on the native grid of a prepared image, and how it came about.

    `image` is the prepared image `(C, Z, Y, X)` and `undo` the way back from its grid. `mask` is `(Z, Y, X)` of bits
    on the native grid. Strokes lie on the native grid, too.
    """

    def __init__(self, members: Members, image: Array, undo: Undo) -> None:
        self.members, self.image, self.undo_ = members, image, undo
        self.mask = np.zeros(undo.native, bool)
        self.strokes: tuple[Stroke, ...] = ()
        self.size = region_of(members.plan)
        self._past: list[_Change] = []
        self._bounds: placed.Bounds | None = None  # of the mask, in voxels of the turned image
        self._cut: dict[Region, torch.Tensor] = {}

    @property
    def _seen(self) -> Array:
        """The mask as the model sees the image: turned and cut; a view."""
        undo = self.undo_
        turned = turn(self.mask, undo.order, undo.flips)
        if undo.cut is None:
            return turned
        return turned[tuple(slice(a, a + n) for a, n in zip(undo.low, undo.cut, strict=True))]

    @property
    def nbytes(self) -> int:
        """How many bytes are held."""
        cut = sum(t.numel() * t.element_size() for t in self._cut.values())
        return self.image.nbytes + self.mask.nbytes + cut + sum(c.before.nbytes for c in self._past)

    def begin(self, mask: Array) -> None:
        """Begin anew with a mask `(Z, Y, X)` that something else proposed; nothing can be undone beyond it."""
        if mask.shape != self.mask.shape:
            raise DataError(
                "a mask to begin with lies on another grid", found=f"{mask.shape}, not {self.mask.shape}"
            )
        self.mask, self.strokes, self._past = np.array(mask, bool), (), []
        self._bounds = placed.bounds_of(self._seen)

    def undo(self) -> None:
        """Take the last stroke back. Raises DataError where there is none."""
        if not self._past:
            raise DataError("there is no stroke to undo")
        change = self._past.pop()
        self._seen[change.where] = change.before
        self._bounds = change.bounds
        self.strokes = self.strokes[:-1]

    def add(self, stroke: Stroke) -> None:
        """Change the mask by one more stroke.

        Raises DataError for one outside of the image, and for one that removes from nothing.
        """
        assert_within(stroke, self.undo_.native)
        if not stroke.adds and self._bounds is None:
            raise DataError(
                "there is nothing to remove from yet",
                hint="first a stroke that adds, or a mask to begin with",
            )
        given, first = (*self.strokes, stroke), self._bounds is None
        bounds = self._bounds
        whole: list[tuple[Where, Array]] = []
        for low, high in self._planes(stroke):
            where, found = self._said(given, low, high, first=first)
            whole.append((where, found))
        where = placed.union([w for w, _ in whole] + [placed.part_of(stroke, self.undo_)])
        before = self._seen[where].copy()
        for one, found in whole:
            self._seen[one] = found
        self._enforce(given)
        self._past.append(_Change(where, before, bounds))
        self.strokes = given
        inside = placed.bounds_of(self._seen[where])
        if inside is not None:
            corner = np.array([s.start for s in where])
            inside = inside[0] + corner, inside[1] + corner
        self._bounds = placed.joined(bounds, inside)
        if not stroke.adds and self._bounds is not None and inside is None:
            self._bounds = placed.bounds_of(self._seen)

    def _planes(self, stroke: Stroke) -> Iterator[tuple[Array, Array]]:
        """Yield the box of a stroke on the prepared grid; of a model of pictures that of each plane it goes through."""
        low, high = placed.box_of(stroke, self.undo_)
        if self.size[0] > 1:
            yield low, high
            return
        for z in range(int(np.floor(low[0])), max(int(np.floor(low[0])) + 1, int(np.ceil(high[0])))):
            yield np.array([z, *low[1:]]), np.array([z + 1.0, *high[1:]])

    def _said(self, given: Sequence[Stroke], low: Array, high: Array, *, first: bool) -> tuple[Where, Array]:
        """Return where a model is asked, in the turned image, and what the mask is to be there."""
        region = self._region(low, high, first=first)
        while True:
            where, found = self._asked(given, region)
            made = self._settled(given, found, self._seen[where], where, region, first=first)
            zoom = float(max(region.step))
            if not first or zoom >= LARGEST or not self._reaches(made, where):
                return where, made
            wider = regions.around(low, high, self.size, self._shape, min(LARGEST, zoom * WIDEN))
            if wider == region:
                return where, made
            region = wider

    @property
    def _shape(self) -> Grid:
        z, y, x = self.image.shape[-3:]
        return int(z), int(y), int(x)

    def _region(self, low: Array, high: Array, *, first: bool) -> Region:
        """Return the region that a stroke is answered from: with the object in it, unless that is too large."""
        whole_low, whole_high = low, high
        if self._bounds is not None and not first:
            undo = self.undo_
            ratio = np.divide(undo.inner, undo.seen)
            a, b = (edge * ratio + np.asarray(undo.before) for edge in self._bounds)
            if self.size[0] == 1:
                a[0], b[0] = low[0], high[0]
            whole_low, whole_high = np.minimum(low, a), np.maximum(high, b)
        zoom = regions.needed(whole_low, whole_high, self.size)
        if not first and zoom > 1:  # a correction is made where it is shown, at full resolution
            whole_low, whole_high = low, high
            zoom = regions.needed(low, high, self.size)
        return regions.around(whole_low, whole_high, self.size, self._shape, min(zoom, LARGEST))

    def _asked(self, given: Sequence[Stroke], region: Region) -> tuple[Where, Array]:
        """Return the native voxels of a region, and which of them the models say belong to the object."""
        undo = self.undo_
        prior = regions.from_native(self._seen, region, undo)
        marks = placed.marks_of(given, region, undo)
        spacing = self._spacing(region)
        shown = torch.from_numpy(channels(marks, prior, spacing))[None].to(self.members.device)
        batch = Batch(images={"image": self._pixels(region), GUIDANCE: shown})
        generator = torch.Generator(device="cpu").manual_seed(0)
        with torch.inference_mode():
            raws = [inferred(self.members.task, m, batch, generator) for m in self.members.models]
        raw = sum(r.float() for r in raws)
        field = (raw[0, 1] - raw[0, 0]).cpu().numpy()  # type: ignore[index]
        where = regions.window(region, undo)
        return where, regions.to_native(field, region, undo, where) > 0

    def _pixels(self, region: Region) -> torch.Tensor:
        if region not in self._cut:
            while len(self._cut) >= CACHED:
                self._cut.pop(next(iter(self._cut)))
            made = torch.from_numpy(regions.cut(self.image, region))[None]
            self._cut[region] = made.to(self.members.device)
        return self._cut[region]

    def _spacing(self, region: Region) -> tuple[float, float, float] | None:
        planned = self.members.plan.data.spacing_mm
        if planned is None:
            return None
        z, y, x = (float(s) * float(k) for s, k in zip(planned[::-1], region.step, strict=True))
        return z, y, x

    def _reaches(self, found: Array, where: Where) -> bool:
        """Return whether a mask reaches an end of a region beyond which the image goes on."""
        for axis, part in enumerate(where):
            if self.size[axis] == 1 or not found.size:
                continue
            ends = ((0, part.start > 0), (-1, part.stop < self.undo_.seen[axis]))
            if any(more and np.take(found, end, axis=axis).any() for end, more in ends):
                return True
        return False

    def _settled(
        self, given: Sequence[Stroke], found: Array, old: Array, where: Where, region: Region, *, first: bool
    ) -> Array:
        """Return what a model says, within what a stroke may change."""
        stroke = given[-1]
        box = stroke if stroke.kind == "box" else None
        if stroke.adds and box is not None:
            allowed = np.zeros(found.shape, bool)
            allowed[self._near(box, where, loose=LOOSE)] = True
            found = (found & allowed) | (old & ~allowed)
        if first:
            return found if box is not None else placed.touched(found, stroke, self.undo_, where)
        if not stroke.adds:
            found = found & old
        changed = found != old
        parts, n = ndimage.label(changed, structure=np.ones((3, 3, 3)))
        if not n:
            return found
        reach = np.ceil(
            NEAR * np.asarray(region.extent) * np.divide(self.undo_.seen, self.undo_.inner)
        ).astype(int)
        near = np.unique(parts[self._near(stroke, where, reach=reach)])
        kept = np.isin(parts, near[near > 0])
        return np.where(kept, found, old)

    def _near(self, stroke: Stroke, where: Where, *, loose: float = 0.0, reach: Array | None = None) -> Where:
        """Return the box of a stroke, a little larger, as a part of the native voxels `where`."""
        made = []
        for axis, (own, part) in enumerate(zip(placed.part_of(stroke, self.undo_), where, strict=True)):
            more = int(np.ceil(loose * (own.stop - own.start)))
            more += 0 if reach is None else int(reach[axis])
            a = min(max(own.start - more, part.start), part.stop)
            b = max(min(own.stop + more, part.stop), a)
            made.append(slice(a - part.start, b - part.start))
        return made[0], made[1], made[2]

    def _enforce(self, given: Sequence[Stroke]) -> None:
        """Let the mask hold what strokes say of single voxels, a later one above an earlier one."""
        for stroke in given:
            if stroke.kind == "box":
                if not stroke.adds:
                    low, high = stroke.corners()
                    self.mask[low[0] : high[0], low[1] : high[1], low[2] : high[2]] = False
                continue
            z, y, x = stroke.voxels().T
            self.mask[z, y, x] = stroke.adds


def option_of(plan: Plan, name: str) -> Any:
    """Return one option of a plan's task, as planned or by default. Raises UnknownName."""
    return options_of("tasks", plan.task.name, plan.task.options, where="task.options")[name]


def region_of(plan: Plan) -> Grid:
    """Return the size of the region that a click is answered from, `(z, y, x)`.

    It is a patch of training, and along each axis along which training images are larger than one as much as
    `task.options.region` says.
    """
    most = int(option_of(plan, "region"))
    typical = plan.fingerprint.get("shape_median") or plan.data.size
    made = []
    for patch, n in zip(plan.data.size, typical, strict=True):
        made.append(patch if patch == 1 or n <= patch else max(patch, min(most, -(-int(n) // 16) * 16)))
    return made[0], made[1], made[2]
