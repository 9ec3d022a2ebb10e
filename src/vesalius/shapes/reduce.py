"""Meshes with fewer faces, and smoother ones, that keep their volume and stay where they are.

Each closed piece is taken by itself. What comes out must be as sound as what went in, enclose its volume, and lie
within the allowed distance; where it does not, the step is taken back in part or whole, and that is said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_matrix

from vesalius.core.answers.surface import Surface
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.meshes import areas, corner_normals, enclosed, joined, mesh_of, pieces, used
from vesalius.core.words import counted
from vesalius.shapes.checks import checked, linked
from vesalius.shapes.distances import to_surface

VOLUME = 0.01  # of its volume by which a piece may change
MOST_LOOKED = 20_000  # places of a piece whose distance is measured
FEWEST = 12  # faces below which a piece is left as it is
TRIES = (1.0, 1.5, 2.5, 5.0, 10.0, 30.0)  # times the faces that were asked for, until the bounds hold
ROUNDS = 10
LAMBDA, MU = 0.5, -0.53  # of Taubin's pass-band
_UNKNOWN = 0.005  # of the diagonal that a surface may move where the grid it was made from is not known


@dataclass(frozen=True, eq=False)
class Reduced:
    """A mesh made smaller or smoother, how far in mm it lies from what it was at most, and what is to be said."""

    surface: Surface
    moved_mm: float
    notes: tuple[str, ...] = ()


def allowed_mm(surface: Surface) -> float:
    """Return how far a mesh may move by default: half the largest side of a voxel, or 0.5 % of its diagonal."""
    if surface.spacing_mm is not None:
        return max(surface.spacing_mm) / 2
    points, _ = mesh_of(surface)
    return float(np.linalg.norm(np.ptp(points, axis=0))) * _UNKNOWN if len(points) else 0.0


def reduced(surface: Surface, faces: int, *, within_mm: float | None = None) -> Reduced:
    """Return a mesh of about as many faces, by quadric errors (Garland and Heckbert 1997), spread over its pieces.

    No place of the new mesh lies farther than `within_mm` from the old one, nor the other way around, and each closed
    piece keeps its volume; by default half the largest side of a voxel. A piece that cannot be so keeps more faces.

    Raises DataError where it is no mesh, or for less than four faces.
    """
    if faces < 4:
        raise DataError("a closed mesh has four faces at least", found=str(faces))
    limit = _limit(surface, within_mm)
    share = faces / max(len(surface.faces), 1)

    def thinner(points: Array, corners: Array) -> tuple[Array, Array, float, bool]:
        return _thinner(points, corners, share, limit)

    if share >= 1:
        return Reduced(surface, 0.0)
    return _by_piece(surface, thinner, f"kept more faces than asked for, to stay within {limit:.3g} mm")


def smoothed(surface: Surface, *, rounds: int = ROUNDS, within_mm: float | None = None) -> Reduced:
    """Return a smoother mesh (Taubin 1995); each closed piece keeps its volume, and no vertex moves past `within_mm`.

    Raises DataError where it is no mesh, or for a negative number of rounds.
    """
    if rounds < 0:
        raise DataError("a number of rounds is no less than 0", found=str(rounds))
    limit = _limit(surface, within_mm)

    def smoother(points: Array, corners: Array) -> tuple[Array, Array, float, bool]:
        return _smoother(points, corners, rounds, limit)

    return _by_piece(surface, smoother, "left as it was, since smoothing would change its volume or fold it")


Step = Callable[[Array, Array], tuple[Array, Array, float, bool]]


def _limit(surface: Surface, within_mm: float | None) -> float:
    limit = allowed_mm(surface) if within_mm is None else within_mm
    if not limit >= 0:
        raise DataError("a distance is no less than 0 mm", found=f"{limit:g}")
    return limit


def _by_piece(surface: Surface, step: Step, text: str) -> Reduced:
    """Return what a step makes of each closed piece of each label, put together again."""
    made, farthest, stepped = [], 0.0, 0
    for _, one in pieces(surface):
        points, corners = mesh_of(one)
        if not len(corners):
            made.append(one)
            continue
        piece = linked(corners, len(points))[-1]
        parts = []
        order = np.argsort(piece, kind="stable")
        for held in np.split(order, np.flatnonzero(np.diff(piece[order])) + 1):
            own, faces = used(points, corners[np.sort(held)])
            own, faces, moved, whole = step(own, faces)
            parts.append((own, faces))
            farthest, stepped = max(farthest, moved), stepped + (not whole)
        starts = np.cumsum([0, *(len(own) for own, _ in parts[:-1])])
        together = np.concatenate([faces + at for (_, faces), at in zip(parts, starts, strict=True)])
        made.append(replace(one, vertices_mm=np.concatenate([own for own, _ in parts]), faces=together))
    notes = (f"{counted(stepped, 'piece')} {text}",) if stepped else ()
    if surface.face_labels is None:
        whole_mesh = replace(surface, vertices_mm=made[0].vertices_mm, faces=made[0].faces)
    else:
        mesh = joined(made, surface.labels)
        whole_mesh = replace(
            surface, vertices_mm=mesh.vertices_mm, faces=mesh.faces, face_labels=mesh.face_labels
        )
    return Reduced(whole_mesh, farthest, notes)


def _thinner(points: Array, faces: Array, share: float, limit: float) -> tuple[Array, Array, float, bool]:
    """Return one piece with fewer faces, how far it lies off, and whether it has as few as was asked for."""
    import fast_simplification

    wanted = max(round(len(faces) * share), FEWEST)
    if len(faces) <= wanted:
        return points, faces, 0.0, True
    middle = points.mean(axis=0)
    for times in TRIES:
        target = int(wanted * times)
        if target >= len(faces):
            break
        own, corners = fast_simplification.simplify(
            (points - middle).astype(np.float32), faces.astype(np.int32), target_count=target
        )
        own, corners = used(np.asarray(own, np.float64) + middle, np.asarray(corners, np.int64))
        kept = _kept(own, corners, points, faces, limit)
        if kept is not None:
            return (*kept, times == 1.0 and len(corners) <= 1.1 * wanted)
    return points, faces, 0.0, False


def _smoother(points: Array, faces: Array, rounds: int, limit: float) -> tuple[Array, Array, float, bool]:
    """Return one piece smoothed, how far its vertices moved, and whether it is smoothed at all."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ends = np.concatenate([ends, ends[:, ::-1]])
    size = len(points)
    links = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(size, size)).tocsr()
    links.data[:] = 1.0
    number = np.maximum(np.asarray(links.sum(axis=1)).reshape(-1, 1), 1)
    now = points
    for _ in range(rounds):
        for weight in (LAMBDA, MU):
            now = now + weight * (links @ now / number - now)
    now = _held(now, points, limit)
    kept = _kept(now, faces, points, faces, limit, moved=True)
    return (points, faces, 0.0, False) if kept is None else (*kept, True)


def _held(now: Array, points: Array, limit: float) -> Array:
    """Return vertices no farther than the limit from where they were."""
    away = now - points
    far = np.linalg.norm(away, axis=1, keepdims=True)
    return np.asarray(points + away * np.minimum(1.0, limit / np.maximum(far, 1e-300)))


def _kept(
    own: Array, corners: Array, points: Array, faces: Array, limit: float, *, moved: bool = False
) -> tuple[Array, Array, float] | None:
    """Return a changed piece brought back to its volume, and how far it lies off; None where it breaks a bound."""
    if len(corners) < 4:
        return None
    before = checked(Surface(vertices_mm=points, faces=faces), crossing=False)
    volume = enclosed(points, faces)
    if before.watertight:
        own = _filled(own, corners, volume)
    own = _held(own, points, limit) if moved else own
    after = checked(Surface(vertices_mm=own, faces=corners), crossing=False)
    if before.watertight and abs(enclosed(own, corners) - volume) > VOLUME * abs(volume):
        return None
    worse = any(
        getattr(after, name) > getattr(before, name)
        for name in ("open_edges", "crowded_edges", "twisted_edges", "pinched_vertices", "degenerate")
    )
    if worse or after.pieces != before.pieces:
        return None
    if moved:
        return own, corners, float(np.linalg.norm(own - points, axis=1).max())
    far = _apart(own, corners, points, faces)
    return (own, corners, far) if far <= limit else None


def _filled(own: Array, corners: Array, volume: float) -> Array:
    """Return vertices moved along their normals until the mesh encloses a volume."""
    for _ in range(4):
        off = volume - enclosed(own, corners)
        area = float(areas(own, corners).sum())
        if abs(off) <= 1e-6 * abs(volume) or area <= 0:
            break
        own = own + corner_normals(own, corners) * (off / area)
    return own


def _some(points: Array) -> Array:
    """Return every n-th point, so that there are not too many."""
    return np.asarray(points[:: max(len(points) // MOST_LOOKED, 1)])


def _apart(own: Array, corners: Array, points: Array, faces: Array) -> float:
    """Return how far vertices and middles of faces of either mesh lie from the other at most, in mm."""
    new, old = Surface(vertices_mm=own, faces=corners), Surface(vertices_mm=points, faces=faces)
    middles = own[corners].mean(axis=1)
    there = to_surface(_some(np.concatenate([own, middles])), old)
    back = to_surface(_some(points), new)
    return max(float(there.max()), float(back.max()))
