"""Pictures of surfaces: shaded, without perspective, with the patient's letters and a bar of a known length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.answers.surface import Surface
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.meshes import corner_normals, mesh_of, pieces
from vesalius.core.palette import SERIES, colour_of, rgb
from vesalius.shapes._notes import noted
from vesalius.shapes.raster import Seen, seen
from vesalius.shapes.scale import Scale
from vesalius.shapes.views import Camera, Direction, camera_of

SIZE = (480, 480)
FOOT = 44  # pixels at the foot for the bar of length and of colours
MOST = 4096  # pixels of a side
FINER = 2  # pixels along each axis for one of the picture
BACK = 255.0
AMBIENT = {"colour": 0.4, "numbers": 0.65}  # of numbers more, so that their colours can be read off the scale
_LIGHT = np.array([-0.25, -0.35, -0.9])  # from above and the left of the viewer: right, down, away


@dataclass(frozen=True, eq=False)
class _Layer:
    """One surface as it is seen: its colour at each pixel `(H, W, 3)`, its depth `(H, W)`, and how much it covers."""

    colour: Array
    depth: Array
    opacity: float


def picture_of(
    surfaces: Surface | Sequence[Surface],
    *,
    view: Direction = "anterior",
    colours: Sequence[str | Array] | None = None,
    opacities: Sequence[float] | None = None,
    scale: Scale | None = None,
    size: tuple[int, int] = SIZE,
    frame_mm: Array | None = None,
) -> Array:
    """Return a picture of surfaces as `(H, W, 3)` bytes, on white.

    `view` is one of `VIEWS` (`anterior`, `posterior`, `left`, `right`, `superior`, `inferior`: the side seen), or an
    azimuth and an elevation in degrees. Each of `colours` is a colour `#rrggbb`, or a number for each vertex `(V,)`,
    whose colour `scale` says and explains at the foot; by default that of its label. `opacities` are from 0 to 1; of
    a surface that is not wholly opaque its nearest side is seen. `size` is height and width. All points of
    `frame_mm`, `(N, 3)` in LPS, are within the picture in the place of those of the surfaces, so that several
    pictures have one scale.

    Raises DataError for a mesh that cannot be drawn, UnknownName for a view that does not exist.
    """
    drawn = [surfaces] if isinstance(surfaces, Surface) else list(surfaces)
    covers = [1.0] * len(drawn) if opacities is None else [float(x) for x in opacities]
    paints: Sequence[str | Array]
    if colours is None:
        drawn, paints, covers = _by_label(drawn, covers)
    else:
        paints = colours
    meshes = _meshes(drawn, paints, covers, scale, size)
    points = [mesh[0] for mesh in meshes]
    framed = np.concatenate(points) if frame_mm is None else np.asarray(frame_mm, dtype=np.float64)
    camera = camera_of(framed, view, (size[0] * FINER, size[1] * FINER), edge=FOOT * FINER)
    layers = [
        _layer(camera, *each, scale)
        for each in zip(points, [mesh[1] for mesh in meshes], paints, covers, strict=True)
    ]
    whole = _composed(layers, camera.shape)
    small = whole.reshape(size[0], FINER, size[1], FINER, 3).mean(axis=(1, 3))
    beyond = (False, False)
    for paint in paints:
        if scale is not None and not isinstance(paint, str):
            low, high = scale.beyond(paint)
            beyond = (beyond[0] or low, beyond[1] or high)
    return noted(
        np.clip(np.rint(small), 0, 255).astype(np.uint8),
        per_mm=camera.per_mm / FINER,
        letters=camera.letters(),
        scale=scale,
        beyond=beyond,
    )


def row_of(
    surfaces: Surface | Sequence[Surface],
    *,
    views: Sequence[Direction] = ("anterior", "left", "superior"),
    colours: Sequence[str | Array] | None = None,
    opacities: Sequence[float] | None = None,
    scale: Scale | None = None,
    size: tuple[int, int] = SIZE,
) -> Array:
    """Return pictures of the same surfaces from several sides, beside one another: `(H, W · views, 3)` bytes."""
    found = [
        picture_of(surfaces, view=view, colours=colours, opacities=opacities, scale=scale, size=size)
        for view in views
    ]
    row: Array = np.concatenate(found, axis=1)
    return row


def _by_label(
    surfaces: Sequence[Surface], covers: Sequence[float]
) -> tuple[list[Surface], list[str], list[float]]:
    """Return each label's mesh by itself with its colour; one without labels in the colour of its place."""
    if len(surfaces) != len(covers):
        return list(surfaces), [SERIES[0]] * len(surfaces), list(covers)  # which is refused below
    found: list[tuple[Surface, str, float]] = []
    for surface, cover in zip(surfaces, covers, strict=True):
        for label, one in pieces(surface):
            place = len(found)
            paint = SERIES[place % len(SERIES)] if label is None else colour_of(label, place)
            found += [(one, paint, cover)] if len(one.faces) or label is None else []
    return [x[0] for x in found], [x[1] for x in found], [x[2] for x in found]


def _meshes(
    surfaces: Sequence[Surface],
    paints: Sequence[str | Array],
    covers: Sequence[float],
    scale: Scale | None,
    size: tuple[int, int],
) -> list[tuple[Array, Array]]:
    """Return the vertices and faces of all surfaces. Raises DataError for what cannot be drawn."""
    if not surfaces:
        raise DataError("there is no surface to draw")
    if min(size) < 3 * FOOT or max(size) > MOST:
        hint = f"{3 * FOOT} to {MOST}"
        raise DataError("a picture's size cannot be used", found=f"{size[0]} × {size[1]}", hint=hint)
    if not len(surfaces) == len(paints) == len(covers):
        raise DataError(
            "need one colour and one opacity a surface",
            found=f"{len(surfaces)} surfaces, {len(paints)} colours and {len(covers)} opacities",
        )
    if any(not 0 <= cover <= 1 for cover in covers):
        raise DataError("an opacity is not from 0 to 1", found=str(list(covers)))
    found = [mesh_of(surface) for surface in surfaces]
    for (points, faces), paint in zip(found, paints, strict=True):
        if not len(faces):
            raise DataError("a surface without faces cannot be drawn", found=f"{len(points)} vertices")
        if not isinstance(paint, str) and (scale is None or np.shape(paint) != (len(points),)):
            raise DataError(
                "numbers as colours need a scale, and one number a vertex", found=f"shape {np.shape(paint)}"
            )
    return found


def _layer(
    camera: Camera, points: Array, faces: Array, paint: str | Array, cover: float, scale: Scale | None
) -> _Layer:
    """Return a surface as it is seen, in its colour, lit."""
    laid = camera.laid(points)
    found = seen(laid, faces, camera.shape)
    there = found.there
    corners = faces[found.face[there]]
    if isinstance(paint, str) or scale is None:
        flat = np.asarray(rgb(str(paint)), dtype=np.float64)
    else:
        numbers = np.asarray(paint, dtype=np.float64)[corners]
        flat = scale.colours((numbers * found.weights).sum(axis=1))
    colour = np.zeros((*camera.shape, 3), dtype=np.float32)
    ambient = AMBIENT["colour" if isinstance(paint, str) else "numbers"]
    colour[there] = flat * (ambient + (1 - ambient) * _diffuse(laid, faces, found))[:, None]
    return _Layer(colour, found.depth.astype(np.float32), cover)


def _diffuse(laid: Array, faces: Array, found: Seen) -> Array:
    """Return how much of the light each pixel sends back, from 0 to 1; a face is lit from both sides."""
    corners = faces[found.face[found.there]]
    normals = (corner_normals(laid, faces)[corners] * found.weights[..., None]).sum(axis=1)
    length = np.linalg.norm(normals, axis=1)
    facing = normals * np.where(normals[:, 2:] > 0, -1.0, 1.0)  # towards the viewer
    back: Array = np.clip(facing @ _LIGHT / (np.linalg.norm(_LIGHT) * np.maximum(length, 1e-12)), 0, 1)
    return back


def _composed(layers: Sequence[_Layer], shape: tuple[int, int]) -> Array:
    """Return all surfaces over white: what is opaque by its depth, and what is not over it from far to near."""
    depth = np.full(shape, np.inf, dtype=np.float32)
    colour = np.full((*shape, 3), BACK, dtype=np.float32)
    for layer in layers:
        if layer.opacity >= 1:
            near = layer.depth < depth
            depth[near], colour[near] = layer.depth[near], layer.colour[near]
    clear = [layer for layer in layers if layer.opacity < 1]
    if clear:
        depths = np.stack([np.where(layer.depth < depth, layer.depth, np.inf) for layer in clear])
        order = np.argsort(-depths, axis=0, kind="stable")  # infinite ones first, which are not seen
        for place in range(len(clear)):
            for k, layer in enumerate(clear):
                here = (order[place] == k) & np.isfinite(depths[k])
                colour[here] += layer.opacity * (layer.colour[here] - colour[here])
    return colour
