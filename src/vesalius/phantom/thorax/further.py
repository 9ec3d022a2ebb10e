"""Further findings of a chest with a dictated report: edema around the hila, a band, a chest tube, dense nodules."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.phantom.thorax.body import FIELD_MM, MEDIAL_MM, SIDES, Shape, soft
from vesalius.phantom.thorax.findings import Finding, spot, zone_of
from vesalius.phantom.thorax.scene import LUNG, SEEN, Chest, lay_nodule
from vesalius.phantom.thorax.tubes import Lines, thick

HILUM_MM = (4.0, MEDIAL_MM + 14.0)  # where the hila are: y, and x to each side
SPREAD_MM = 34.0  # how far edema reaches from them
TUBE_MM = (5.0, 3.2)  # radii of a chest tube, and of its lumen
TUBE_DENSE = 5.0  # how much more than water its wall weakens
NODULE_DENSE = 2.4  # how much more than water a nodule weakens
TILT = 0.35  # the most that a band of atelectasis is inclined, in radians


def edema(random: np.random.Generator) -> Finding:
    """Return fluid in both lungs around the hila."""
    amount = round(float(random.uniform(0.35, 0.95)), 4)
    return Finding("edema", 0, {"filled": amount}, amount, "", int(random.integers(2**31)))


def atelectasis(random: np.random.Generator, shape: Shape) -> Finding:
    """Return a band of collapsed lung in the lower half of one lung."""
    side = -1 if random.random() < 0.45 else 1
    length = round(float(random.uniform(42, 88)), 2)
    y, x = max((spot(random, shape, side, 16, []) for _ in range(4)), key=lambda at: at[0])
    place = {
        "y": y, "x": x, "length": length, "width": round(float(random.uniform(7, 11)), 2),
        "tilt": round(float(random.uniform(-TILT, TILT)), 3),
    }  # fmt: skip
    return Finding("atelectasis", side, place, length, zone_of(shape, side, y, x))


def tube(random: np.random.Generator) -> Finding:
    """Return a chest tube that enters one side of the chest and ends in the upper part of its lung."""
    side = -1 if random.random() < 0.5 else 1
    place = {
        "enters": round(float(random.uniform(20, 55)), 2),
        "ends": round(float(random.uniform(0.12, 0.3)), 3),
    }
    return Finding("tube", side, place, 1.0)


def _lay_edema(chest: Chest, finding: Finding, contrast: float) -> tuple[Finding, Array]:
    """Fill a share of the air around both hila, mottled as fluid in the interstitium is."""
    pixel = FIELD_MM / len(chest.y)
    drawn = np.random.default_rng(finding.seed).standard_normal(chest.y.shape)
    mottle = ndimage.gaussian_filter(drawn, 5 / pixel, mode="wrap") * (2 * np.sqrt(np.pi) * 5 / pixel)
    where = np.zeros(chest.y.shape, bool)
    for side in SIDES:
        far = np.hypot(chest.y - HILUM_MM[0], 1.15 * (chest.x - side * HILUM_MM[1]))
        haze = np.exp(-0.5 * (far / SPREAD_MM) ** 2) * np.clip(1 + 0.25 * mottle, 0, None)
        lung = chest.tissue[side] > SEEN
        filled = np.clip(0.55 * contrast * finding.place["filled"] * haze, 0, 0.9) * lung
        chest.added += filled * (1 - LUNG) * chest.tissue[side]
        where |= (haze > 0.4) & lung
    return finding, where


def _lay_atelectasis(chest: Chest, finding: Finding, contrast: float) -> tuple[Finding, Array]:
    """Replace the air of a band by tissue."""
    y, x = chest.moved(finding.side, finding.place["y"], finding.place["x"])
    tilt = finding.place["tilt"]
    along = (chest.x - x) * np.cos(tilt) + (chest.y - y) * np.sin(tilt)
    across = (chest.y - y) * np.cos(tilt) - (chest.x - x) * np.sin(tilt)
    inside = np.maximum(
        np.abs(along) - finding.place["length"] / 2, np.abs(across) - finding.place["width"] / 2
    )
    lung = chest.tissue[finding.side] > SEEN
    band = soft(inside, 3) * lung
    chest.added += np.clip(0.45 * contrast * band, 0, 0.9) * (1 - LUNG) * chest.tissue[finding.side]
    return finding, (inside < 0) & lung


def _lay_tube(chest: Chest, finding: Finding, contrast: float) -> tuple[Finding, Array]:
    """Lay the wall of a tube, a line from the side of the chest up to below the apex of a lung."""
    shape, side, t = chest.shape, finding.side, np.linspace(0, 1, 160)
    start = finding.place["enters"]
    end = shape.apex + finding.place["ends"] * (shape.dome[(side + 1) // 2] - shape.apex)
    out = MEDIAL_MM + 2 * float(shape.width(start)) + 6
    inner = MEDIAL_MM + 1.1 * float(shape.width(end))
    lines, y = Lines(), start + (end - start) * t**1.4
    lines.add(y, side * (out + (inner - out) * np.sin(0.5 * np.pi * t) ** 0.8))
    laid = lines.laid(len(chest.y))
    chest.added += contrast * TUBE_DENSE * thick(laid, TUBE_MM[0], hollow_mm=TUBE_MM[1])
    return finding, thick(laid, TUBE_MM[0] + 1) > 1


def _lay_dense_nodule(chest: Chest, finding: Finding, contrast: float) -> tuple[Finding, Array]:
    """Lay a nodule that is denser than water, as those with calcium in them are."""
    return lay_nodule(chest, finding, NODULE_DENSE * contrast)


LAID = {"nodule": _lay_dense_nodule, "edema": _lay_edema, "atelectasis": _lay_atelectasis, "tube": _lay_tube}
