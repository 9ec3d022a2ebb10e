"""Mask errors: connected regions of a mask whose label contradicts what models say that never saw the case.

The idea is that of Lad and Mueller, "Estimating label quality and errors in semantic segmentation data via any model",
2023, kept to regions and to three dimensions. Cases are seen one at a time, and nothing of their size is kept.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import ndimage

from vesalius.core.case import IGNORED
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Triple

BACKGROUND = "background"
MARGIN = 0.5  # how much likelier another label is, on average over a region, for that region to be an error
KNOWN = 0.5  # mean probability of a label where it is given, below which the model does not know that label
KEPT = 1000  # regions that are kept over all cases, those with the most evidence


@dataclass(frozen=True, slots=True)
class MaskError:
    """A connected region that is given one label and is likely to have another.

    `low` and `high` are its box `(z, y, x)` in voxels, `high` excluded. `voxels` is its size and `volume_mm3` the same
    in mm³, None where no spacing is known. `margin` is the mean of p(likely) - p(given) over its voxels, `core` how
    many of them lie in its inside, and `evidence` is `core` × `margin` in mm³, or in voxels where a case has no
    spacing. `plane` is where most of it lies.
    """

    case: str
    given: str
    likely: str
    low: tuple[int, int, int]
    high: tuple[int, int, int]
    plane: int
    voxels: int
    volume_mm3: float | None
    core: int
    margin: float
    evidence: float = 0.0


@dataclass(frozen=True, eq=False)
class Found:
    """Mask errors, those with the most evidence first, and the labels that the models do not know."""

    errors: tuple[MaskError, ...]
    unknown: tuple[str, ...]


@dataclass(eq=False)
class MaskErrors:
    """What is gathered while cases are seen; `found` tells what it comes to once all were.

    `labels` are the names of the values in a mask in the order of the probabilities' planes, without background.
    `least` is the smallest region in voxels. With `overlapping` each label is asked about by itself.
    """

    labels: Sequence[str]
    values: Sequence[int]
    least: int = 27
    overlapping: bool = False
    _kept: list[tuple[float, int, MaskError]] = field(default_factory=list)
    _own: dict[str, list[float]] = field(default_factory=dict)
    _seen: int = 0
    _spaced: bool = True

    def see(self, case: str, given: Array, chances: Array, spacing_mm: Triple | None = None) -> None:
        """Look at one case.

        `given` is `(Z, Y, X)` of label values, or `(K, Z, Y, X)` of bits where labels may overlap; `chances` is
        `(K, Z, Y, X)`, how likely each label is at each voxel. Voxels of `IGNORED` are left out. Raises DataError
        where the two do not fit.
        """
        shape = given.shape[-3:]
        if chances.shape != (len(self.labels), *shape):
            raise DataError(
                f"case {case}: the mask and the probabilities are of two grids",
                found=f"{given.shape} and {chances.shape}",
            )
        self._spaced &= spacing_mm is not None
        size = None if spacing_mm is None else float(np.prod(spacing_mm))
        if self.overlapping:
            for k, name in enumerate(self.labels):
                bits = given[k] != 0
                p = chances[k].astype(np.float32)
                self._look(case, bits.astype(np.uint8), np.stack([1 - p, p]), (f"no {name}", name), size)
            return
        index = np.full(shape, 255, np.uint8)
        index[given == 0] = 0
        for k, value in enumerate(self.values):
            index[given == value] = k + 1
        index[given == IGNORED] = 255
        rest = np.clip(1 - chances.sum(axis=0, dtype=np.float32), 0, 1)
        planes = np.concatenate([rest[None].astype(chances.dtype), chances])
        self._look(case, index, planes, (BACKGROUND, *self.labels), size)

    def found(self) -> Found:
        """Return the errors among all cases that were seen, and the labels that the models do not know."""
        means = {name: total / count for name, (total, count) in self._own.items() if count}
        unknown = tuple(name for name, mean in means.items() if mean < KNOWN)
        made = []
        for _, _, one in self._kept:
            if one.given in unknown or one.likely in unknown:
                continue
            inside = one.core * one.margin
            made.append((one, inside * (one.volume_mm3 or 0) / one.voxels if self._spaced else inside))
        made.sort(key=lambda pair: (-pair[1], pair[0].case, pair[0].low))
        return Found(tuple(replace(one, evidence=evidence) for one, evidence in made), unknown)

    def _look(
        self, case: str, index: Array, planes: Array, names: Sequence[str], size_mm3: float | None
    ) -> None:
        """Count what each label's own voxels say of it, and keep the regions that say otherwise."""
        own = np.zeros(index.shape, np.float32)
        best = np.zeros(index.shape, np.float32)
        likely = np.zeros(index.shape, np.uint8)
        for k, name in enumerate(names):
            here = index == k
            own[here] = planes[k][here]
            count = int(here.sum())
            if count:
                totals = self._own.setdefault(name, [0.0, 0])
                totals[0] += float(planes[k][here].sum(dtype=np.float64))
                totals[1] += count
            better = planes[k] > best
            best[better] = planes[k][better]
            likely[better] = k
        margin = best - own
        apart = (index != 255) & (likely != index) & (margin > 0)
        for region in self._regions(case, apart, index, likely, margin, names, size_mm3):
            self._seen += 1
            place = (region.core * region.margin, -self._seen, region)
            (heapq.heappushpop if len(self._kept) >= KEPT else heapq.heappush)(self._kept, place)

    def _regions(
        self,
        case: str,
        apart: Array,
        index: Array,
        likely: Array,
        margin: Array,
        names: Sequence[str],
        size_mm3: float | None,
    ) -> Iterator[MaskError]:
        pairs, counts = np.unique(index[apart].astype(np.int32) * 256 + likely[apart], return_counts=True)
        for pair, count in zip(pairs, counts, strict=True):
            if count < self.least:
                continue
            given, other = int(pair) >> 8, int(pair) & 255
            parts, _ = ndimage.label(apart & (index == given) & (likely == other))
            for number, box in enumerate(ndimage.find_objects(parts), 1):
                bits = parts[box] == number
                voxels = int(bits.sum())
                if voxels < self.least:
                    continue
                mean = float(margin[box][bits].mean(dtype=np.float64))
                core = int(_inside(bits, flat=len(index) == 1).sum())
                if mean < MARGIN or not core:
                    continue
                low = tuple(int(s.start) for s in box)
                high = tuple(int(s.stop) for s in box)
                yield MaskError(
                    case=case,
                    given=names[given],
                    likely=names[other],
                    low=(low[0], low[1], low[2]),
                    high=(high[0], high[1], high[2]),
                    plane=low[0] + int(bits.sum(axis=(1, 2)).argmax()),
                    voxels=voxels,
                    volume_mm3=None if size_mm3 is None else voxels * size_mm3,
                    core=core,
                    margin=mean,
                )


def _inside(bits: Array, *, flat: bool) -> Array:
    """Return the voxels whose neighbours on all faces are of the region, too; in a `flat` picture, within its plane."""
    reach = ndimage.generate_binary_structure(3, 1)
    if flat:
        reach[[0, 2]] = False
    found: Array = ndimage.binary_erosion(bits, reach)
    return found
