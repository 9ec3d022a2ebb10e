"""The part is one, closed, and can be printed: its overhang is said, and the best direction to build it in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from vesalius.core.image import Array
from vesalius.shapes.design.part import Made, Part
from vesalius.shapes.rules.contract import Finding, Rule

NAMES = {"printable": "The part is one, closed, and can be printed"}
ORDER = 50
OPTIONS = {"overhang_deg": 45.0, "most_overhang": 1.0}
LIMITS = {"overhang_deg": {"gt": 0, "lt": 90}, "most_overhang": {"ge": 0, "le": 1}}


class Printable(Rule):
    """Loose pieces and holes inside go; the mesh is closed, turned one way round, and of one piece."""

    name: ClassVar[str] = "printable"

    def mend(self, part: Part, values: Mapping[str, Any]) -> Part:
        """Return the largest piece alone, with closed hollows filled."""
        if not part.inside.any():
            return part
        found, n = ndimage.label(part.inside)  # by faces, so that nothing hangs on an edge
        largest = found == 1 + int(np.bincount(found.ravel())[1:].argmax())
        hollows = ndimage.binary_fill_holes(largest) & ~largest
        part = part.without(part.field_of(part.inside & ~largest)) if n > 1 else part
        return part.also(part.field_of(hollows)) if hollows.any() else part

    def finish(self, part: Part, values: Mapping[str, Any]) -> Part:
        """Return the largest piece alone, and where nothing is left the part as it is."""
        found, n = ndimage.label(part.inside)
        if n < 2:
            return part
        largest = found == 1 + int(np.bincount(found.ravel())[1:].argmax())
        return part.without(part.field_of(part.inside & ~largest))

    def check(self, made: Made, values: Mapping[str, Any]) -> Finding:
        """Count the mesh's pieces and open edges, and measure how much of it hangs over in the best direction."""
        vertices, faces = made.surface.vertices_mm, made.surface.faces
        pieces, loose = pieces_of(len(vertices), faces), open_edges(faces)
        direction, share = best_direction(vertices, faces, float(values["overhang_deg"]))
        said = ", ".join(f"{a:.2f}" for a in direction)
        kept = pieces == 1 and loose == 0 and share <= float(values["most_overhang"])
        return Finding(
            self.name,
            kept,
            f"{pieces} piece{'' if pieces == 1 else 's'}, {loose} open edges; built along ({said}) in LPS, "
            f"{share:.0%} of the surface hangs over by more than {float(values['overhang_deg']):g}°",
            {
                "pieces": float(pieces),
                "open_edges": float(loose),
                "overhang_share": share,
                **{f"build_{n}": float(v) for n, v in zip("lps", direction, strict=True)},
            },
            "a larger --rule thickness, so that the part does not fall apart",
        )


def pieces_of(n: int, faces: Array) -> int:
    """Return of how many connected pieces a mesh of `n` vertices is, vertices without a face left out."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    joined = coo_matrix((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), shape=(n, n))
    labels = connected_components(joined, directed=False)[1]
    return len(np.unique(labels[np.unique(faces)]))


def open_edges(faces: Array) -> int:
    """Return how many edges do not have one face on each side, turned the same way round."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    n = int(faces.max()) + 1 if len(faces) else 1
    forth, back = edges[:, 0] * n + edges[:, 1], edges[:, 1] * n + edges[:, 0]
    one, counts = np.unique(forth, return_counts=True)
    return int((~np.isin(back, one)).sum() + (counts > 1).sum())


def best_direction(vertices_mm: Array, faces: Array, overhang_deg: float) -> tuple[Array, float]:
    """Return the direction of building, of 26, in which the least of the surface hangs over, and that share.

    A face hangs over where it looks down by more than so many degrees from upright and does not lie on the plate.
    """
    a, b, c = (vertices_mm[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1)
    unit = normal / np.maximum(area, 1e-12)[:, None]
    steps = [(x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if (x, y, z) != (0, 0, 0)]
    ways = np.array(steps, dtype=np.float64)
    ways /= np.linalg.norm(ways, axis=1)[:, None]
    middles, total, shares = (a + b + c) / 3, max(float(area.sum()), 1e-12), []
    for way in ways:
        height = middles @ way
        off = height > height.min() + 0.5
        shares.append(float(area[(unit @ way < -np.sin(np.radians(overhang_deg))) & off].sum()) / total)
    best = int(np.argmin(shares))
    return ways[best], shares[best]


RULE = Printable()
