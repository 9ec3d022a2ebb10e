"""Mending of a mesh that leaves its form: equal vertices are made one, faces without area or twice there go."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vesalius.core.answers.surface import Surface
from vesalius.core.merged import merged as one_each
from vesalius.core.meshes import mesh_of, used
from vesalius.core.words import counted


@dataclass(frozen=True, eq=False)
class Repaired:
    """A mended mesh, and a sentence for each thing that was done; none where there was nothing to do."""

    surface: Surface
    notes: tuple[str, ...] = ()


def repaired(surface: Surface) -> Repaired:
    """Return a mesh whose equal vertices are one, without faces that name a vertex twice or are there twice.

    Nothing else is touched: holes stay open, and what is turned stays turned. Raises DataError where it is no mesh.
    """
    points, faces = mesh_of(surface)
    notes = []
    merged, place = one_each(points)
    corners = place[faces]
    if len(merged) < len(points):
        notes.append(f"{counted(len(points) - len(merged), 'vertex', 'vertices')} merged into equal ones")
    kept = np.ones(len(corners), bool)
    for k in range(3):
        kept &= corners[:, k] != corners[:, k - 1]
    if not kept.all():
        notes.append(f"{counted(int((~kept).sum()), 'face')} without area left out")
    turned = np.take_along_axis(corners, (np.arange(3) + corners.argmin(axis=1)[:, None]) % 3, axis=1)
    first = np.zeros(len(corners), bool)
    if kept.any():
        first[np.flatnonzero(kept)[np.unique(turned[kept], axis=0, return_index=True)[1]]] = True
    if first.sum() < kept.sum():
        notes.append(f"{counted(int(kept.sum() - first.sum()), 'face')} left out that are there twice")
    lean, own = used(merged, corners[first])
    labels = None if surface.face_labels is None else np.asarray(surface.face_labels)[first]
    return Repaired(replace(surface, vertices_mm=lean, faces=own, face_labels=labels), tuple(notes))
