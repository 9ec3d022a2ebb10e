"""A body that holds a tracer: organs and hot spots as activity relative to soft tissue, on a coronal grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.image import Array
from vesalius.phantom.common.fields import correlated_noise, draw_deformation

FIELD_MM = 384.0  # the width and the height of what is seen
DEPTH_MM = 240.0  # from the front to the back of a volume
DIAPHRAGM_MM = 10.0  # where the diaphragm lies, downwards from the middle of the field

# Each organ: centre and half axes in mm (back, down, left), and the lowest and highest activity (soft tissue is 1).
ORGANS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float]]] = {
    "right lung": ((0, -70, -72), (75, 82, 46), (0.3, 0.5)),
    "left lung": ((0, -70, 74), (75, 82, 42), (0.3, 0.5)),
    "liver": ((0, 52, -66), (72, 52, 72), (2.0, 3.0)),
    "spleen": ((10, 42, 98), (45, 40, 24), (1.5, 2.4)),
    "stomach": ((-10, 45, 40), (45, 30, 34), (0.9, 2.0)),
    "right kidney": ((20, 105, -58), (48, 38, 22), (3.0, 7.0)),
    "left kidney": ((20, 98, 60), (48, 38, 22), (3.0, 7.0)),
    "heart": ((0, -28, 26), (42, 40, 38), (1.6, 8.0)),
    "heart's cavity": ((0, -28, 26), (26, 25, 23), (1.4, 2.0)),
    "bladder": ((0, 172, 0), (38, 20, 30), (8.0, 25.0)),
}
SOFT_TISSUE, MOTTLE = 1.0, 0.12  # the activity of what is no organ, and the spread of it
MOST_SPOTS = 8
SPOT_RADIUS_MM, SPOT_ACTIVITY = (4.0, 22.0), (2.5, 14.0)


@dataclass(frozen=True)
class HotSpot:
    """A ball that holds more tracer: `centre_mm` (back, down, left) from the middle of the field."""

    centre_mm: tuple[float, float, float]
    radius_mm: float
    activity: float

    def truth(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"centre_mm": list(self.centre_mm), "radius_mm": self.radius_mm, "activity": self.activity}


@dataclass(frozen=True, eq=False)
class Body:
    """A body on a grid `(front to back, head to feet, right to left)` with its spacing in mm.

    `activity` is relative to soft tissue, `liver` says where the inner part of the liver lies, `half_axes_mm` are those
    of the trunk's ellipse from side to side and from front to back.
    """

    activity: Array
    liver: Array
    spots: tuple[HotSpot, ...]
    spacing_mm: tuple[float, float, float]
    plane_mm: float
    half_axes_mm: tuple[float, float]


def draw_body(shaping: np.random.Generator, spotting: np.random.Generator, *, size: int, depth: int) -> Body:
    """Return a body on `depth` coronal planes of `size` by `size`; a single plane lies somewhere near the middle."""
    spacing = (DEPTH_MM / depth if depth > 1 else 4.0, FIELD_MM / size, FIELD_MM / size)
    plane = round(float(shaping.uniform(-20, 25)), 2)
    points = _points(size, depth, spacing, plane)
    wide, thick = float(shaping.uniform(140, 168)), float(shaping.uniform(95, 115))
    bent = draw_deformation(shaping, rms_mm=4.0)(points)
    edge = 0.35 * spacing[2]
    trunk = _trunk(bent, wide, thick, edge)
    activity = SOFT_TISSUE * trunk
    liver = np.zeros(activity.shape, bool)
    for name, (centre, half, reach) in ORGANS.items():
        moved = np.array(centre) + shaping.normal(0, 5, 3)
        grown = np.array(half) * shaping.uniform(0.88, 1.12, 3)
        inside = _ball(bent, moved, grown, edge)
        if name == "liver":
            liver = inside > 0.95
        activity = activity * (1 - inside) + float(shaping.uniform(*reach)) * inside
    shape = (activity.shape[0], activity.shape[1], activity.shape[2])
    sigma = (8.0 / spacing[0] if depth > 1 else 1e-3, 8.0 / spacing[1], 8.0 / spacing[2])
    mottle = correlated_noise(shaping, shape, sigma_voxels=sigma)
    activity = activity * np.clip(1 + MOTTLE * mottle, 0.3, 2.0)
    spots = _draw_spots(spotting, wide, thick, plane if depth == 1 else None)
    for spot in spots:
        inside = _ball(points, np.array(spot.centre_mm), np.full(3, spot.radius_mm), edge)
        activity = np.maximum(activity, spot.activity * inside)
    return Body(np.asarray(activity, np.float32), liver, spots, spacing, plane, (wide, thick))


def _points(size: int, depth: int, spacing: tuple[float, float, float], plane: float) -> Array:
    """Return where voxels lie, `(3, Z, Y, X)` float32 in mm from the middle: back, down, left."""
    back = (np.arange(depth) - (depth - 1) / 2) * spacing[0] if depth > 1 else np.array([plane])
    across = (np.arange(size) - (size - 1) / 2) * spacing[1]
    return np.stack(np.meshgrid(back, across, across, indexing="ij")).astype(np.float32)


def _trunk(points: Array, wide: float, thick: float, edge: float) -> Array:
    """Return the share of each voxel that is in the trunk or the neck; the arms are above the head, out of sight."""
    back, down, left = points
    shoulder = 1 / (1 + np.exp(-(down + 150) / 10))  # 0 at the neck, 1 below the shoulders
    half = 55 + (wide - 55) * shoulder
    outside = np.sqrt((left / half) ** 2 + (back / thick) ** 2) - 1
    return np.asarray(1 / (1 + np.exp(np.clip(outside * half / edge, -30, 30))))


def _ball(points: Array, centre: Array, half: Array, edge: float) -> Array:
    """Return the share of each voxel that is in an ellipsoid, with a soft edge of about a voxel."""
    far = np.sqrt(sum(((p - c) / h) ** 2 for p, c, h in zip(points, centre, half, strict=True)))
    return np.asarray(1 / (1 + np.exp(np.clip((far - 1) * float(half.min()) / edge, -30, 30))))


def _draw_spots(
    random: np.random.Generator, wide: float, thick: float, plane: float | None
) -> tuple[HotSpot, ...]:
    """Return hot spots anywhere in the trunk; those of a single plane lie in it."""
    count = min(int(random.poisson(2.5)), MOST_SPOTS)
    found = []
    for _ in range(count):
        radius, hot = (float(np.exp(random.uniform(*np.log(r)))) for r in (SPOT_RADIUS_MM, SPOT_ACTIVITY))
        back, down, left = (
            random.uniform(-0.6, 0.6) * thick,
            random.uniform(-130, 150),
            random.uniform(-0.75, 0.75),
        )
        centre = (plane if plane is not None else float(back), float(down), float(left) * wide)
        found.append(
            HotSpot(
                (round(centre[0], 2), round(centre[1], 2), round(centre[2], 2)),
                round(radius, 2),
                round(hot, 2),
            )
        )
    return tuple(found)
