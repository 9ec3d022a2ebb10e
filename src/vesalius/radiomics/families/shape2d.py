"""Shape in two dimensions: area, outline and axes of a mask in one slice (PyRadiomics' `shape2D`)."""

from __future__ import annotations

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.radiomics.families.contract import Family
from vesalius.radiomics.families.shape import diameter, spreads
from vesalius.radiomics.region import Region
from vesalius.radiomics.settings import Settings

FEATURES = (
    "Elongation", "MajorAxisLength", "MaximumDiameter", "MeshSurface", "MinorAxisLength", "Perimeter",
    "PerimeterSurfaceRatio", "PixelSurface", "Sphericity",
)  # fmt: skip


def shape2d(region: Region, settings: Settings) -> dict[str, float]:
    """Return the features of the shape of a mask of one slice by name, in mm and mm² (or in pixels).

    Outline and area are those of the polygon that marching squares lay about the pixels at one half. Raises DataError
    where the mask has more than one slice.
    """
    if len(region.body) != 1:
        raise DataError("shape2D is of a mask in one slice", found=f"{len(region.body)} slices", hint="shape")
    body, spacing = region.body[0], region.spacing[1:]
    perimeter, area = outline(body, spacing)
    minor, major = spreads(body, spacing)
    return {
        "Elongation": float(np.sqrt(minor / major)) if major > 0 else float("nan"),
        "MajorAxisLength": 4 * float(np.sqrt(major)),
        "MaximumDiameter": diameter(_vertices(body) * spacing),
        "MeshSurface": area,
        "MinorAxisLength": 4 * float(np.sqrt(minor)),
        "Perimeter": perimeter,
        "PerimeterSurfaceRatio": perimeter / area,
        "PixelSurface": float(body.sum() * np.prod(spacing)),
        "Sphericity": 2 * float(np.sqrt(np.pi * area)) / perimeter,
    }


def outline(body: Array, spacing: Array) -> tuple[float, float]:
    """Return the length and the area of the polygon about the pixels of a mask `(Y, X)`, by the kinds of its corners.

    Where two pixels touch by a corner alone, they are joined.
    """
    padded = np.pad(body, 1).astype(np.int8)
    a, b, c, d = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    many = a + b + c + d
    across = (a == d) & (many == 2)  # two opposite corners
    level = (a == b) & (many == 2) & ~across  # an edge that runs along x
    upright = (a == c) & (many == 2) & ~across
    y, x = spacing
    slanted = float(np.hypot(x, y)) / 2
    single, triple, double = (int(np.sum(k)) for k in (many == 1, many == 3, across))
    length = (single + triple + 2 * double) * slanted + float(level.sum() * x + upright.sum() * y)
    halves = int(level.sum() + upright.sum())
    cells = single / 8 + 7 * triple / 8 + 3 * double / 4 + halves / 2 + int(np.sum(many == 4))
    return length, cells * float(x * y)


def _vertices(body: Array) -> Array:
    """Return the middles of the edges between a pixel inside and one outside, `(N, 2)` as `(y, x)`."""
    padded = np.pad(body, 1)
    down = np.argwhere(padded[:-1] != padded[1:]) + np.array((0.5, 0.0))
    right = np.argwhere(padded[:, :-1] != padded[:, 1:]) + np.array((0.0, 0.5))
    return np.concatenate([down, right])


FAMILY = Family("shape2D", FEATURES, shape2d, of="pictures", textured=False)
