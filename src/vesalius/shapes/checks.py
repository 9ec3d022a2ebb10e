"""Whether a mesh is sound: closed, manifold, turned one way, without degenerate faces and without crossing itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from vesalius.core.answers.surface import Surface
from vesalius.core.image import Array
from vesalius.core.meshes import areas, cones, mesh_of
from vesalius.core.words import counted
from vesalius.shapes._crossing import crossings

MOST_CROSSED = 200_000  # faces up to which crossings are looked for
MOST_TURNED = 64  # closed pieces up to which it is looked at how they lie in one another
FLAT = 1e-12  # of the longest side's square below which a face has no area


@dataclass(frozen=True)
class Checks:
    """What is amiss with a mesh, each a count that is 0 in a sound one.

    `open_edges` have one face, `crowded_edges` more than two; along `twisted_edges` two faces run the same way.
    `pinched_vertices` are those at which several fans of faces meet. `degenerate` faces have no area. `crossings` are
    pairs of faces that cross, None where there were too many faces to look. `turned_pieces` are closed pieces inside
    out, or solids within solids, None where there were too many. `pieces` counts all closed pieces, `faces` all faces.
    """

    faces: int
    pieces: int
    open_edges: int
    crowded_edges: int
    twisted_edges: int
    pinched_vertices: int
    degenerate: int
    turned_pieces: int | None
    crossings: int | None

    @property
    def watertight(self) -> bool:
        """Whether every edge has two faces or more, so that the mesh encloses a volume."""
        return self.faces > 0 and self.open_edges == 0

    @property
    def manifold(self) -> bool:
        """Whether no edge has more than two faces, and no vertex several fans."""
        return self.crowded_edges == 0 and self.pinched_vertices == 0

    @property
    def oriented(self) -> bool:
        """Whether neighbouring faces run against each other along their edge, and each closed piece looks outward."""
        return self.twisted_edges == 0 and not self.turned_pieces

    @property
    def sound(self) -> bool:
        """Whether nothing is amiss of what was looked for."""
        return not self.faults and self.faces > 0

    @property
    def faults(self) -> tuple[str, ...]:
        """What is amiss, in words, each with its count."""
        named = (
            (self.open_edges, "open edge"),
            (self.crowded_edges, "edge"),
            (self.twisted_edges, "twisted edge"),
            (self.pinched_vertices, "pinched vertex"),
            (self.degenerate, "degenerate face"),
            (self.turned_pieces or 0, "piece"),
            (self.crossings or 0, "pair"),
        )
        said = {"edge": " with more than two faces", "piece": " inside out", "pair": " of faces that cross"}
        many = {"pinched vertex": "pinched vertices"}
        return tuple(
            counted(n, word, many.get(word, f"{word}s")) + said.get(word, "") for n, word in named if n
        )

    def json(self) -> dict[str, Any]:
        """Return the counts, and what they come to."""
        come = {name: getattr(self, name) for name in ("watertight", "manifold", "oriented", "sound")}
        return {**come, **asdict(self)}


def checked(surface: Surface, *, crossing: bool = True) -> Checks:
    """Return what is amiss with a mesh. A mesh of several labels is looked at label by label by the caller.

    Without `crossing` it is not looked for faces that cross. Raises DataError where it is no mesh.
    """
    points, faces = mesh_of(surface)
    flat = _degenerate(points, faces)
    opened, crowded, twisted, pinched, piece = linked(faces, len(points))
    count = int(piece.max()) + 1 if len(piece) else 0
    closed = opened == 0 and count > 0
    crossed = crossings(points, faces) if crossing and 0 < len(faces) <= MOST_CROSSED else None
    turned = _turned(points, faces, piece, count) if closed else 0
    return Checks(
        len(faces), count, opened, crowded, twisted, pinched, int(flat.sum()), turned, crossed
    )  # fmt: skip


def _degenerate(points: Array, faces: Array) -> Array:
    """Return which faces `(F,)` have no area."""
    if not len(faces):
        return np.zeros(0, bool)
    corners = points[faces]
    longest = np.max([((corners[:, k] - corners[:, k - 1]) ** 2).sum(axis=1) for k in range(3)], axis=0)
    return np.asarray(areas(points, faces) <= FLAT * longest)


def linked(faces: Array, size: int) -> tuple[int, int, int, int, Array]:
    """Return the counts of open, crowded and twisted edges and of pinched vertices, and each face's piece `(F,)`."""
    count = len(faces)
    if not count:
        return 0, 0, 0, 0, np.zeros(0, np.int64)
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    corner = np.arange(3 * count).reshape(count, 3)
    owners = np.concatenate([corner[:, [0, 1]], corner[:, [1, 2]], corner[:, [2, 0]]])
    back = ends[:, 0] > ends[:, 1]
    owners = np.where(back[:, None], owners[:, ::-1], owners)
    names = np.where(back, ends[:, 1], ends[:, 0]) * size + np.where(back, ends[:, 0], ends[:, 1])
    order = np.argsort(names, kind="stable")
    names, back, owners = names[order], back[order], owners[order]
    starts = np.flatnonzero(np.diff(names, prepend=-1))
    number = np.diff(np.append(starts, len(names)))
    backs = np.add.reduceat(back.astype(np.int64), starts)
    twisted = int(((number == 2) & (backs != 1)).sum())
    same = np.flatnonzero(names[1:] == names[:-1])
    links = np.concatenate([np.stack([owners[same, k], owners[same + 1, k]], axis=1) for k in range(2)])
    graph = coo_matrix((np.ones(len(links), bool), (links[:, 0], links[:, 1])), shape=(3 * count, 3 * count))
    fans, fan = connected_components(graph, directed=False)
    vertex_of = np.zeros(fans, np.int64)
    vertex_of[fan] = faces.reshape(-1)
    pinched = int((np.bincount(vertex_of, minlength=size) > 1).sum())
    fan = fan.reshape(count, 3)
    across = np.concatenate([fan[:, [0, 1]], fan[:, [1, 2]]])
    whole = coo_matrix((np.ones(len(across), bool), (across[:, 0], across[:, 1])), shape=(fans, fans))
    piece = connected_components(whole, directed=False)[1][fan[:, 0]]
    return int((number == 1).sum()), int((number > 2).sum()), twisted, pinched, np.asarray(piece, np.int64)


def _turned(points: Array, faces: Array, piece: Array, count: int) -> int | None:
    """Return how many closed pieces are inside out, or lie within the solid of another; None where there are too many.

    Beside the other pieces, a solid lies outside of all and a cavity within one: their winding number says so.
    """
    middle = points.mean(axis=0)
    volumes = np.bincount(piece, weights=cones(points - middle, faces), minlength=count)
    if count == 1:
        return int(volumes[0] <= 0)
    if count > MOST_TURNED:
        return None
    wrong = 0
    for own, at in _first_corners(points, faces, piece, count):
        around = _winding(points, faces[piece != own], at)
        wrong += int(round(around) != (0 if volumes[own] > 0 else 1))
    return wrong


def _first_corners(points: Array, faces: Array, piece: Array, count: int) -> Iterator[tuple[int, Array]]:
    first = np.unique(piece, return_index=True)[1]
    for own in range(count):
        yield own, points[faces[first[own], 0]]


def _winding(points: Array, faces: Array, at: Array) -> float:
    """Return how often faces wind around a point (van Oosterom and Strackee 1983)."""
    a, b, c = (points[faces[:, k]] - at for k in range(3))
    x, y, z = (np.linalg.norm(v, axis=1) for v in (a, b, c))
    over = np.einsum("ij,ij->i", a, np.cross(b, c))
    dots = [np.einsum("ij,ij->i", u, v) for u, v in ((a, b), (b, c), (c, a))]
    under = x * y * z + dots[0] * z + dots[1] * x + dots[2] * y
    return float(2 * np.arctan2(over, under).sum() / (4 * np.pi))
