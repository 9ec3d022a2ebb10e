"""Shape in three dimensions: size, surface and axes of a mask (IBSI 3.1; PyRadiomics' `shape`)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vesalius.core.image import Array
from vesalius.radiomics.families.contract import Family
from vesalius.radiomics.region import Region
from vesalius.radiomics.settings import Settings

FEATURES = (
    "Elongation", "Flatness", "LeastAxisLength", "MajorAxisLength", "Maximum2DDiameterColumn", "Maximum2DDiameterRow",
    "Maximum2DDiameterSlice", "Maximum3DDiameter", "MeshVolume", "MinorAxisLength", "Sphericity", "SurfaceArea",
    "SurfaceVolumeRatio", "VoxelVolume",
)  # fmt: skip
PLANES = {
    "Maximum2DDiameterSlice": 0,
    "Maximum2DDiameterColumn": 1,
    "Maximum2DDiameterRow": 2,
}  # the axis that is fixed


def shape(region: Region, settings: Settings) -> dict[str, float]:
    """Return the features of a mask's shape by name, in mm, mm² and mm³ (or in voxels, where no spacing is known).

    Surface, volume and diameters are those of the mesh that marching cubes lay about the voxels at one half; the axes
    are those of the ellipsoid whose voxels would spread as widely.
    """
    points, faces = mesh(region.body, region.spacing)
    corners = points[faces]
    volume = abs(float(np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])))) / 6
    sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = float(np.linalg.norm(sides, axis=1).sum()) / 2
    least, minor, major = spreads(region.body, region.spacing)
    return {
        "Elongation": float(np.sqrt(minor / major)) if major > 0 else float("nan"),
        "Flatness": float(np.sqrt(least / major)) if major > 0 else float("nan"),
        "LeastAxisLength": 4 * float(np.sqrt(least)),
        "MajorAxisLength": 4 * float(np.sqrt(major)),
        **{name: _widest_within(points, axis) for name, axis in PLANES.items()},
        "Maximum3DDiameter": diameter(points),
        "MeshVolume": volume,
        "MinorAxisLength": 4 * float(np.sqrt(minor)),
        "Sphericity": (36 * np.pi * volume**2) ** (1 / 3) / area,
        "SurfaceArea": area,
        "SurfaceVolumeRatio": area / volume,
        "VoxelVolume": float(region.body.sum() * np.prod(region.spacing)),
    }


def mesh(body: Array, spacing: Array) -> tuple[Array, Array]:
    """Return the vertices `(V, 3)` as `(z, y, x)` times the spacing, and the faces `(F, 3)`, about a mask's voxels.

    The mesh is closed. It is laid about what is outside, so that voxels that touch by an edge are joined, as they are
    wherever else neighbours count.
    """
    from skimage.measure import marching_cubes

    outside = np.float32(1) - np.pad(body, 1).astype(np.float32)
    points, faces, _, _ = marching_cubes(outside, 0.5, method="lorensen")  # type: ignore[no-untyped-call]
    return np.asarray(points, np.float64) * spacing, faces


def spreads(body: Array, spacing: Array) -> Array:
    """Return the variances of the voxels' centres along their principal axes, the least first, `(3,)` or `(2,)`."""
    centres = np.argwhere(body) * spacing
    found: Array = np.linalg.eigvalsh(np.atleast_2d(np.cov(centres.T, bias=True)))
    return np.clip(found, 0, None)


def diameter(points: Array) -> float:
    """Return the greatest distance between two of some points `(N, D)`, which lie on their convex hull."""
    from scipy.spatial import ConvexHull, QhullError
    from scipy.spatial.distance import pdist

    if len(points) < 2:
        return 0.0
    try:
        outer = points[ConvexHull(points).vertices]
    except QhullError:  # on a line, or in a plane
        outer = points
    return float(pdist(outer).max())


def _widest_within(points: Array, axis: int) -> float:
    """Return the greatest diameter of a mesh's vertices in any one plane across an axis.

    Planes are looked at from that with the widest box on, until no box is wider than what was found.
    """
    planes = list(_planes(points, axis))
    bounds = np.array([np.linalg.norm(np.ptp(plane, axis=0)) for plane in planes])
    best = 0.0
    for k in np.argsort(-bounds):
        if bounds[k] <= best:
            break
        best = max(best, diameter(planes[k]))
    return best


def _planes(points: Array, axis: int) -> Iterator[Array]:
    """Yield the vertices `(N, 2)` of each plane across an axis."""
    rest = [k for k in range(3) if k != axis]
    order = np.argsort(points[:, axis], kind="stable")
    key = points[order, axis]
    yield from np.split(points[order][:, rest], np.flatnonzero(np.diff(key)) + 1)


FAMILY = Family("shape", FEATURES, shape, of="volumes", textured=False)
