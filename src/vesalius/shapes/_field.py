"""Where between a voxel inside and its neighbour outside a surface passes: smooth, and without shifting what it holds.

The bits are blurred, and a corner lies where the blurred bits cross their own mean over the borders near by. So a thin
sheet, whose blurred bits nowhere reach one half, keeps its thickness, and no voxel's centre changes sides: nothing
vanishes, and nothing is joined. Then the corners of each closed piece move along their lines until it encloses its
voxels' volume, which is a sum over the faces between voxels (the divergence theorem).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from vesalius.core.image import Array
from vesalius.core.meshes import cones
from vesalius.shapes._cubes import Net

NEAREST = 0.05  # of the way between two voxels' centres that a corner keeps from either
MEAN_OVER = 5  # voxels along each axis over which borders are meant
SLAB = 1 << 22  # voxels that are blurred together
ROUNDS = 40  # halvings at most of the shift that gives a piece its volume
CLOSE = 1e-5  # of its volume to which a piece is brought


def shares(bits: Array, net: Net, *, smooth: float) -> Array:
    """Return how far `(V,)` from inside to outside each corner lies, 0 to 1, by bits blurred over `smooth` voxels.

    With 0 each lies in the middle, and the mesh is as stepped as the voxels.
    """
    if not len(net.axis) or smooth <= 0:
        return np.full(len(net.axis), 0.5)
    inside, outside = _crossing(bits, net, smooth)
    return _clipped(inside, inside - outside)


def filled(net: Net, share: Array) -> tuple[Array, Array, Array]:
    """Return shares by which each closed piece encloses its voxels, each face's piece `(F,)`, and each one's voxels.

    A cavity is a piece of its own, with a negative count. What a piece cannot reach it comes as near as it can.
    """
    piece, of_corner = _pieces(net)
    count = int(of_corner.max()) + 1 if len(of_corner) else 0
    voxels = _voxels(net, of_corner, count)
    if not count:
        return share, piece, voxels
    slope = np.full(len(share), 1.0)

    def volumes(shift: Array) -> Array:
        points = net.placed(np.clip(share + slope * shift[of_corner], NEAREST, 1 - NEAREST))
        found = np.bincount(piece, weights=cones(points - middle, net.faces), minlength=count)
        return np.asarray(found)

    middle = np.asarray(net.inside.mean(axis=0)[::-1])
    low, high = np.full(count, -1.0), np.full(count, 1.0)
    shift = np.zeros(count)
    for _ in range(ROUNDS):
        off = volumes(shift) - voxels
        if (np.abs(off) <= CLOSE * np.abs(voxels)).all():
            break
        low, high = np.where(off < 0, shift, low), np.where(off < 0, high, shift)
        shift = (low + high) / 2
    return np.clip(share + slope * shift[of_corner], NEAREST, 1 - NEAREST), piece, voxels


def _clipped(above: Array, across: Array) -> Array:
    """Return the shares at which fields are crossed, `above` the level inside and falling by `across` to outside."""
    found = np.divide(above, across, out=np.where(above > 0, 1.0, 0.0), where=across > 1e-6)
    return np.clip(found, NEAREST, 1 - NEAREST)


def _pieces(net: Net) -> tuple[Array, Array]:
    """Return the closed piece of each face `(F,)` and of each corner `(V,)`."""
    size, faces = len(net.axis), net.faces
    links = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(links), bool), (links[:, 0], links[:, 1])), shape=(size, size))
    of_corner = connected_components(graph, directed=False)[1]
    return np.asarray(of_corner[faces[:, 0]]), np.asarray(of_corner)


def _voxels(net: Net, of_corner: Array, count: int) -> Array:
    """Return how many voxels each piece encloses: the sum of z over its faces that look along z, up minus down."""
    along = net.axis == 0
    height = net.inside[along, 0] + 0.5 * net.side[along]
    return np.bincount(of_corner[along], weights=height * net.side[along], minlength=count)


def _crossing(bits: Array, net: Net, smooth: float) -> tuple[Array, Array]:
    """Return by how much `(V,)` the blurred bits lie above their mean at borders, inside and outside of each corner."""
    inside, outside = np.zeros(len(net.axis)), np.zeros(len(net.axis))
    for held, low, shape, there in _slabs(bits, net, smooth):
        block = ndimage.gaussian_filter(there.astype(np.float32), smooth, mode="constant", truncate=3.0)
        near = _near(net, low, shape)
        one, two = (tuple((place[near] - low).T) for place in (net.inside, net.outside))
        between = (block[one] + block[two]) / 2
        total, number = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        for place in (one, two):
            np.add.at(total, place, between)
            np.add.at(number, place, np.float32(1))
        total, number = (ndimage.uniform_filter(x, MEAN_OVER, mode="constant") for x in (total, number))
        kept = held[near]
        a, b = (tuple(axis[kept] for axis in place) for place in (one, two))
        level = (total[a] + total[b]) / (number[a] + number[b])
        inside[held], outside[held] = block[a] - level, block[b] - level
    return inside, outside


def _near(net: Net, low: Array, shape: tuple[int, ...]) -> Array:
    """Return the corners both of whose voxels lie within a block."""
    ends = low + np.array(shape)
    lower, upper = np.minimum(net.inside, net.outside), np.maximum(net.inside, net.outside)
    return np.asarray(((lower >= low) & (upper < ends)).all(axis=1))


def _slabs(
    bits: Array, net: Net, smooth: float
) -> Iterator[tuple[Array, Array, tuple[int, int, int], Array]]:
    """Yield the corners of a slab, where the block around it begins, its shape, and the bits in it."""
    reach = int(np.ceil(3 * smooth)) + MEAN_OVER // 2 + 2
    thick = max(SLAB // int(np.prod(bits.shape[1:])), 4)
    which = net.inside[:, 0] // thick
    for number in np.unique(which):
        held = which == number
        low = net.inside[held].min(axis=0) - reach
        high = net.inside[held].max(axis=0) + reach + 1
        z, y, x = (int(n) for n in high - low)
        block = np.zeros((z, y, x), bool)
        start, stop = np.maximum(low, 0), np.minimum(high, bits.shape)
        there = tuple(slice(a, b) for a, b in zip(start - low, stop - low, strict=True))
        block[there] = bits[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
        yield held, low, (z, y, x), block
