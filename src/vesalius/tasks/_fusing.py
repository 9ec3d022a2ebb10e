"""Boxes of several opinions about one image fused into one list: of members, mirror images, and tiles that overlap.

Solovyev, Wang, Gabruseva: Weighted boxes fusion, Image and Vision Computing 2021, arXiv:1910.13302: boxes that mark one
thing become their mean, weighted by how sure they are; an opinion without such a box counts as one of probability 0.
Two rules are ours. A cluster takes one box of each opinion alone, so that two things that lie close together stay two.
And only tiles that could see a thing whole have a say about it: a box that a tile's border cuts is not averaged with
the whole one, and its surer look does not let it win.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array
from vesalius.tasks.contract import Tile

LOGIT, LABEL, SOURCE, SOURCES = 6, 7, 8, 9  # of a row of a tile, after its corners
P = 6  # of a fused row, after its corners; then its label
FUSED = 8  # columns of a fused row
LOWEST = 0.01  # probability under which a row stands for nothing
MOST = 500  # boxes of a case at most
CONSIDERED = 4000  # rows of a case that are fused at most
FLAT, DEEP = 0.5, 0.3  # overlap from which two boxes of an image, and of a volume, mark one thing
INSIDE = 0.7  # share of a cut box that lies in a whole one, from which it is a part of it
MARGIN = 1.0  # voxels from a tile's border, within which a box is taken to be cut by it


def fused(tiles: Sequence[Tile], shape: tuple[int, int, int]) -> Array:
    """Return the boxes `(N, FUSED)` of an image of that shape: corners, probability, place of the label; surest first.

    `tiles` hold rows `(…, 10)` of each opinion: corners counted from the tile's start, logit, label, and which of how
    many opinions it is.
    """
    rows, of = _rows(tiles)
    frames = _Frames(
        np.array([t.start for t in tiles], float), np.array([t.size for t in tiles], float), shape
    )
    if not len(rows):
        return np.zeros((0, FUSED))
    p = 1 / (1 + np.exp(-rows[:, LOGIT]))
    best = np.argsort(-p, kind="stable")[:CONSIDERED]
    rows, of, p = rows[best], of[best], p[best]
    cut = frames.cut(rows[:, :6], of)
    at = FLAT if shape[0] == 1 else DEEP
    opinion = of * (int(rows[:, SOURCES].max()) + 1) + rows[:, SOURCE].astype(int)
    order = np.lexsort((np.arange(len(p)), cut))  # whole ones first, each kind the surest first
    found = _clusters(rows, p, cut, opinion, order, at)
    made = np.array([_mean(rows, p, cut, of, members, frames) for members in found]).reshape(-1, FUSED)
    made = made[made[:, P] >= LOWEST]
    made[:, :3] = np.clip(made[:, :3], 0, shape)
    made[:, 3:6] = np.clip(made[:, 3:6], 0, shape)
    made = made[(made[:, 3:6] > made[:, :3]).all(axis=1)]
    made = made[np.argsort(-made[:, P], kind="stable")]
    return apart(made, at)[:MOST]


def apart(rows: Array, at: float) -> Array:
    """Return the fused rows, the surest first, that no surer one of their label overlaps by more than `at`."""
    kept: list[int] = []
    for k in range(len(rows)):
        others = [j for j in kept if rows[j, P + 1] == rows[k, P + 1]]
        if not others or overlaps(rows[k, :6], rows[others, :6]).max() <= at:
            kept.append(k)
    return rows[kept]


def overlaps(one: Array, others: Array) -> Array:
    """Return the intersection over the union of a box `(6,)` with others `(N, 6)`: `(N,)`."""
    both = _both(one, others)
    union = _volume(one[None]) + _volume(others) - both
    found: Array = np.divide(both, union, out=np.zeros(len(others)), where=union > 0)
    return found


def _both(one: Array, others: Array) -> Array:
    inside = np.minimum(one[3:6], others[:, 3:6]) - np.maximum(one[:3], others[:, :3])
    found: Array = np.clip(inside, 0, None).prod(axis=1)
    return found


def _volume(boxes: Array) -> Array:
    found: Array = np.clip(boxes[:, 3:6] - boxes[:, :3], 0, None).prod(axis=1)
    return found


def _rows(tiles: Sequence[Tile]) -> tuple[Array, Array]:
    """Return all rows that stand for something, counted from the image's start, and of which tile each is."""
    low = np.log(LOWEST / (1 - LOWEST))
    made, of = [], []
    for k, tile in enumerate(tiles):
        rows = np.asarray(tile.raw, dtype=np.float64).reshape(-1, np.shape(tile.raw)[-1])
        rows = rows[rows[:, LOGIT] >= low]
        rows = rows + np.concatenate([tile.start, tile.start, np.zeros(rows.shape[1] - 6)])
        made.append(rows)
        of.append(np.full(len(rows), k))
    return np.concatenate(made), np.concatenate(of)


@dataclass(frozen=True, eq=False)
class _Frames:
    """Where the tiles lie: their starts and their sizes `(T, 3)`, in an image of that shape."""

    starts: Array
    sizes: Array
    shape: tuple[int, int, int]

    def cut(self, boxes: Array, of: Array) -> Array:
        """Return which boxes `(N, 6)` the border of their own tile cuts; the image's border cuts nothing."""
        return ~self._whole(boxes, self.starts[of], self.sizes[of])

    def seeing(self, box: Array) -> Array:
        """Return which tiles see all of a box `(6,)`, `(T,)`."""
        return self._whole(box[None], self.starts, self.sizes)

    def weights(self, box: Array) -> Array:
        """Return how much each tile knows of the middle of a box, `(T,)`: most in its own middle, as fields blend."""
        middle = (box[:3] + box[3:6]) / 2
        off = (middle - self.starts) / self.sizes - 0.5
        inside = (np.abs(off) <= 0.5).all(axis=1)
        wide: Array = np.array(self.shape) > self.sizes  # an axis along which there is one tile says nothing
        found: Array = np.where(inside, np.exp(-0.5 * ((off / 0.25) ** 2 * wide).sum(axis=1)), 0.0)
        return found

    def _whole(self, boxes: Array, starts: Array, sizes: Array) -> Array:
        ends = starts + sizes
        low: Array = (boxes[:, :3] >= starts + MARGIN) | (starts <= 0)
        high: Array = (boxes[:, 3:6] <= ends - MARGIN) | (ends >= np.array(self.shape))
        found: Array = np.asarray((low & high).all(axis=1))
        return found


def _clusters(rows: Array, p: Array, cut: Array, opinion: Array, order: Array, at: float) -> list[list[int]]:
    """Return which rows mark one thing each; a cut row that lies in a whole one is a part of it, and left out."""
    found: list[list[int]] = []
    means = np.zeros((len(order), 6))
    labels = np.full(len(order), -1.0)
    held: list[set[int]] = []
    for k in order.tolist():
        n = len(found)
        alike = np.flatnonzero(labels[:n] == rows[k, LABEL])
        fit = overlaps(rows[k, :6], means[alike]) if len(alike) else np.zeros(0)
        near = alike[fit > at][np.argsort(-fit[fit > at], kind="stable")].tolist()
        free = next((place for place in near if int(opinion[k]) not in held[place]), None)
        if free is not None:
            found[free].append(k)
            held[free].add(int(opinion[k]))
            means[free] = np.average(rows[found[free], :6], axis=0, weights=p[found[free]])
        elif not near and not (cut[k] and _is_part(rows[k, :6], means[alike])):
            means[n], labels[n] = rows[k, :6], rows[k, LABEL]
            found.append([k])
            held.append({int(opinion[k])})
    return found


def _is_part(box: Array, others: Array) -> bool:
    """Return whether most of a box lies in one of the others."""
    own = max(float(_volume(box[None])[0]), 1e-9)
    return bool(len(others)) and float(_both(box, others).max()) / own >= INSIDE


def _mean(rows: Array, p: Array, cut: Array, of: Array, members: list[int], frames: _Frames) -> Array:
    """Return a cluster's fused row: the mean box, and the mean probability over all opinions that could see it."""
    chosen = np.array(members)
    whole = chosen[~cut[chosen]]
    chosen = whole if len(whole) else chosen
    box = np.average(rows[chosen, :6], axis=0, weights=p[chosen])
    each = frames.weights(box)
    able = frames.seeing(box) & (each > 0)
    if len(whole) and able.any():
        each = np.where(able, each, 0.0)
    total = float(each.sum() * rows[chosen[0], SOURCES])
    weight = each[of[chosen]]
    if total <= 0 or not weight.any():  # a box whose middle lies in no tile that gave it
        return np.concatenate([box, [p[chosen].max() / rows[chosen[0], SOURCES], rows[chosen[0], LABEL]]])
    box = np.average(rows[chosen, :6], axis=0, weights=weight * p[chosen])
    return np.concatenate([box, [(weight * p[chosen]).sum() / total, rows[chosen[0], LABEL]]])
