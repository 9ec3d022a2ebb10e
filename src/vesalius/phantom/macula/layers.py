"""The layers of a macula in one B-scan: how thick each is, and at which depth its upper end lies at each column.

x is in mm from the fovea along the scan, depth in µm. Thicknesses follow the usual macula (about 300 µm in all, the pit
some 120 µm deep: Wagner-Schuman et al. 2011 describe its shape), and vary from eye to eye.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.phantom.macula.findings import Cyst, Druse, Lens

# What is told apart in the mask, from above; drusen and fluid lie between them, and vitreous and sclera are background.
LABELS = {
    "rnfl": 1, "gcl_ipl": 2, "inl": 3, "opl": 4, "onl": 5, "photoreceptors": 6, "rpe": 7, "choroid": 8,
    "drusen": 9, "fluid": 10,
}  # fmt: skip
RPE_UM = 24.0


@dataclass(frozen=True)
class Eye:
    """One macula and how the scan goes through it.

    `thick` multiplies the layers of the retina (six, from above), `pit` is how wide the pit is, `beside_mm` how far
    from the fovea the scan passes, `nasal` the side on which the nerve fibres are thicker (−1 or 1), `choroid_um` its
    thickness, `lies` the depth of Bruch's membrane in the middle as a share of the picture, `tilt` in µm a mm and
    `bend` in µm a mm².
    """

    thick: tuple[float, ...]
    pit: float
    beside_mm: float
    nasal: int
    choroid_um: float
    lies: float
    tilt: float
    bend: float
    wave: tuple[float, float, float]

    def truth(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


@dataclass(frozen=True, eq=False)
class Boundaries:
    """Depths in µm, `(X,)` each, of what lies above one another.

    `tops` are those of the six layers of the retina, `lens` is where fluid under it begins, `rpe` the top of the
    pigment epithelium, `under` its lower end, `bruch` Bruch's membrane (drusen lie between these two), `sclera` the
    lower end of the choroid.
    """

    tops: tuple[Array, ...]
    lens: Array
    rpe: Array
    under: Array
    bruch: Array
    sclera: Array


def draw_eye(random: np.random.Generator) -> Eye:
    """Return a macula; one scan in three passes beside the pit."""
    beside = 0.0 if random.random() < 0.65 else float(random.uniform(0.4, 1.8))
    return Eye(
        tuple(round(float(v), 4) for v in random.normal(1, 0.07, 6) * random.normal(1, 0.05)),
        round(float(random.uniform(0.85, 1.2)), 4),
        round(beside, 4),
        1 if random.random() < 0.5 else -1,
        round(float(np.clip(random.normal(240, 65), 120, 380)), 1),
        round(float(random.uniform(0.6, 0.72)), 4),
        round(float(random.normal(0, 10)), 3),
        round(float(random.normal(-2.5, 2.0)), 3),
        (
            round(float(random.uniform(0.5, 2.5)), 3),
            round(float(random.uniform(0.6, 1.4)), 3),
            round(float(random.uniform(0, 6.28)), 3),
        ),
    )


def draw_boundaries(
    eye: Eye,
    x: Array,
    high_um: float,
    *,
    drusen: Sequence[Druse] = (),
    lenses: Sequence[Lens] = (),
    cysts: Sequence[Cyst] = (),
) -> Boundaries:
    """Return where boundaries lie at columns `x` `(X,)` in mm, in a picture that is `high_um` µm high."""
    raised = np.maximum.reduce([np.zeros_like(x), *(d.raises(x) for d in drusen)])
    lifted = np.maximum.reduce([np.zeros_like(x), *(d.raises(x) for d in lenses)])
    inner, outer = (_swollen(cysts, name, x) for name in ("inner nuclear", "outer nuclear"))
    ripple = eye.wave[0] * np.sin(2 * np.pi * x / eye.wave[1] + eye.wave[2])
    bruch = eye.lies * high_um + eye.tilt * x + eye.bend * x**2 + ripple
    under = bruch - raised
    rpe = under - RPE_UM * (1 - 0.25 * raised / 95.0)
    lens = rpe - lifted
    usual = _thicknesses(eye, x, np.hypot(x, eye.beside_mm))
    top = lens - usual[5] * np.clip(1 - 0.25 * raised / 95 - 0.2 * lifted / 170, 0.5, 1)
    level = bruch - RPE_UM - usual[5]  # where it would lie if nothing were found
    tops = [top]
    for k in (4, 3, 2, 1, 0):  # what is found moves the upper layers less, and more smoothly
        level = level - usual[k]
        moved = 0.94 * (tops[0] - level - usual[k]) - (outer if k == 4 else inner if k == 2 else 0)
        moved = ndimage.gaussian_filter1d(moved, 0.09 / float(x[1] - x[0]), mode="nearest")
        tops.insert(0, np.minimum(level + moved, tops[0] - 0.35 * usual[k]))
    return Boundaries(tuple(tops), lens, rpe, under, bruch, bruch + eye.choroid_um * (1 + 0.06 * x / 3))


def _swollen(cysts: Sequence[Cyst], layer: str, x: Array) -> Array:
    """Return by how much a layer is thicker for its cysts, in µm, `(X,)`."""
    each = [c.swells(x) for c in cysts if c.layer == layer]
    if not each:
        return np.zeros_like(x)
    most, total = np.max(each, axis=0), np.sum(each, axis=0)
    return np.asarray(np.minimum(most + 0.25 * (total - most), 140))


def _thicknesses(eye: Eye, x: Array, far: Array) -> list[Array]:
    """Return how thick the six layers of the retina are, in µm, `(X,)` each."""
    r = far / eye.pit
    open_, wide = 1 - np.exp(-((r / 0.55) ** 2)), np.exp(-((r / 4.2) ** 2))
    nerve = (20 + 9 * eye.nasal * x / 2.5) * (1 - np.exp(-((r / 0.8) ** 2)))
    shapes = [
        np.clip(nerve, 2, None),
        6 + 88 * open_ * wide,
        7 + 34 * (1 - np.exp(-((r / 0.42) ** 2))) * np.exp(-((r / 6.0) ** 2)),
        12 + 16 * (1 - np.exp(-((r / 0.35) ** 2))),
        66 + 42 * np.exp(-((r / 0.6) ** 2)) - 4 * r,
        52 + 9 * np.exp(-((r / 0.5) ** 2)),
    ]
    return [np.asarray(t * s) for t, s in zip(eye.thick, shapes, strict=True)]


def labelled(found: Boundaries, cysts: Sequence[Cyst], x: Array, depth: Array) -> Array:
    """Return the mask `(Y, X)` uint8 of rows at `depth` `(Y,)` in µm and columns at `x` in mm, by LABELS."""
    y = depth[:, None]
    mask = np.zeros((len(depth), len(x)), np.uint8)
    names = list(LABELS)[:6]
    for name, top in zip(names, found.tops, strict=True):
        mask[y >= top] = LABELS[name]
    mask[y >= found.lens] = LABELS["fluid"]
    mask[y >= found.rpe] = LABELS["rpe"]
    mask[y >= found.under] = LABELS["drusen"]
    mask[y >= found.bruch] = LABELS["choroid"]
    mask[y >= found.sclera] = 0
    inner = (y >= found.tops[1]) & (y < found.lens)
    for cyst in cysts:
        mask[(within(cyst, found, x, depth) < 1) & inner] = LABELS["fluid"]
    return mask


def within(cyst: Cyst, found: Boundaries, x: Array, depth: Array) -> Array:
    """Return the distance from a cyst's middle at rows and columns, `(Y, X)`: 1 is its edge."""
    k = 4 if cyst.layer == "outer nuclear" else 2
    column = int(np.argmin(np.abs(x - cyst.x)))
    top, bottom = float(found.tops[k][column]), float(found.tops[k + 1][column])
    middle = top + cyst.depth * (bottom - top)
    return np.asarray(np.hypot((x[None] - cyst.x) / cyst.half, (depth[:, None] - middle) / cyst.high))


def thickness_um(found: Boundaries, x: Array) -> float:
    """Return the mean thickness within 0.5 mm of the middle, from the inner membrane to Bruch's, in µm."""
    central = np.abs(x) <= 0.5
    return float((found.bruch - found.tops[0])[central].mean())
