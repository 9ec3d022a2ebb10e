"""Pictures of a design: the part in its place from six sides, alone with its gap, and sections."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image as Pictures
from scipy import ndimage

from vesalius.answers.drawing.pictures import address
from vesalius.core.answers.surface import Surface
from vesalius.core.image import Array
from vesalius.prepare.geometry import orientation, turn
from vesalius.run.design.result import Design
from vesalius.shapes.extract import surface_of_bits
from vesalius.shapes.picture import picture_of
from vesalius.shapes.reduce import reduced
from vesalius.shapes.scale import scale_of
from vesalius.shapes.views import VIEWS

BONE, PART = "#d9cfb8", "#0f7c8a"
MOST_FACES = 60_000
SIZE = (300, 300)
_SECTIONS = (("axial", 0), ("coronal", 1), ("sagittal", 2))
_HIGH = 320  # pixels of a section's longer side, at least


def from_six_sides(design: Design) -> list[dict[str, str]]:
    """Return the bone with the part in its place from six sides, each a title and a data address."""
    affine = np.asarray(design.image.affine)
    bone = surface_of_bits(design.bone, affine)
    bone = reduced(bone, faces=MOST_FACES).surface if len(bone.faces) > MOST_FACES else bone
    return [
        {
            "title": f"From the {name}" if name in ("left", "right") else name.capitalize(),
            "src": _address(picture_of([bone, design.surface], view=name, colours=[BONE, PART], size=SIZE)),
        }
        for name in VIEWS
    ]


def with_gap(design: Design) -> list[dict[str, str]]:
    """Return the part alone, its colour the gap to the bone in mm, from outside and from inside."""
    surface: Surface = design.surface
    gap = design.part.made.bone.distance_at(surface.vertices_mm)
    shown = np.clip(gap, 0, max(3.0, float(np.percentile(gap, 30))))
    scale = scale_of([shown], "gap to the bone", "mm")
    axis = np.array(design.part.made.part.axis)
    turned = (
        float(np.degrees(np.arctan2(axis[0], -axis[1]))),
        float(np.degrees(np.arcsin(np.clip(axis[2], -1, 1)))),
    )
    other = (turned[0] + 180.0, -turned[1])
    return [
        {
            "title": title,
            "src": _address(picture_of([surface], view=view, colours=[shown], scale=scale, size=SIZE)),
        }
        for title, view in (("Along the axis, from outside", turned), ("From inside", other))
    ]


def sections(design: Design) -> list[dict[str, str]]:
    """Return three planes through the middle of the part, bone grey and the part in its colour."""
    order, flips = orientation(design.image.affine)
    image, bone, part = (
        turn(a, order, flips) for a in (design.image.array[0], design.bone, design.part.made.mask)
    )
    spacing = np.array([np.linalg.norm(np.asarray(design.image.affine)[:3, 2 - a]) for a in order])
    at = np.round(np.argwhere(part).mean(axis=0)).astype(int) if part.any() else np.array(part.shape) // 2
    grey = _grey(image, bone, design.image.unit)
    made = []
    for name, axis in _SECTIONS:
        k = int(at[axis])
        planes = [np.take(a, k, axis=axis) for a in (grey, part.astype(np.float32))]
        sides = np.delete(spacing, axis)
        zoom = sides / sides.min() * max(1.0, _HIGH / max(np.array(planes[0].shape) * sides / sides.min()))
        shade, inside = (ndimage.zoom(p.astype(np.float32), zoom, order=1) for p in planes)
        if name != "axial":  # up is the head
            shade, inside = shade[::-1], inside[::-1]
        made.append(
            {"title": f"{name.capitalize()} plane {k + 1}", "src": _address(_coloured(shade, inside))}
        )
    return made


def _grey(image: Array, bone: Array, unit: str | None) -> Array:
    """Return shades from 0 to 1: of a CT a window of bone, of a mask the bone."""
    if unit == "HU":
        window: Array = np.clip((image.astype(np.float32) + 450) / 2000, 0, 1)
        return window
    return bone.astype(np.float32) * 0.75


def _coloured(shade: Array, inside: Array) -> Array:
    colour = np.array([int(PART[k : k + 2], 16) for k in (1, 3, 5)], dtype=np.float32)
    grey = np.repeat(shade[..., None], 3, axis=-1) * 255
    part = (inside > 0.5)[..., None]
    found: Array = np.where(part, 0.3 * grey + 0.7 * colour, grey).astype(np.uint8)
    return found


def _address(picture: Array) -> str:
    made: Any = address(Pictures.fromarray(picture))
    return str(made)
