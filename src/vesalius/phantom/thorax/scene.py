"""A chest with its findings, as the millimetres of water that would weaken X-rays as much at each pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.phantom.thorax.body import (
    FIELD_MM,
    SIDES,
    Person,
    Shape,
    breasts,
    grid,
    heart_profile,
    soft,
    trunk,
)
from vesalius.phantom.thorax.findings import Finding
from vesalius.phantom.thorax.tubes import Lines, skeleton, thick, vessels

Draw = Callable[[int], np.random.Generator]
LUNG = 0.26  # how dense a lung is, relative to water
BONE = 2.0  # how much more than water a mm of dense bone weakens
HEART_DEPTH = 0.8  # the share of the lung's air that the heart displaces where it is thickest
SEEN = 8.0  # mm of lung from which on a pixel counts as lung
OPAQUE = 0.3  # the share of a patch's opacity from which on a pixel counts as consolidated
RIBS_MM, CLAVICLE_MM = (5.4, 3.7), (6.5, 4.0)  # radii, and those of their marrow


@dataclass(frozen=True, eq=False)
class Scene:
    """`water` `(Y, X)` in mm, and the findings with what their degree follows from, and a mask of each."""

    water: Array
    findings: tuple[Finding, ...]
    marked: tuple[Array, ...]
    heart: Array


@dataclass(eq=False)
class Chest:
    """What lies over each pixel so far; the findings change it. `air` and `tissue` are by side, in mm."""

    y: Array
    x: Array
    shape: Shape
    air: dict[int, Array]
    tissue: dict[int, Array]
    kept: dict[int, float]
    added: Array

    def lung_area(self, side: int) -> Array:
        """Return where a lung is seen above the diaphragm."""
        return np.asarray(
            (self.shape.lung(side, self.y, self.x) > SEEN) & (self.y < self.shape.floor(side, self.x))
        )

    def root(self, side: int) -> tuple[float, float]:
        """Return the point that a lung shrinks towards."""
        return self.shape.dome[(side + 1) // 2] + 22.0, side * 42.0

    def moved(self, side: int, y: float, x: float) -> tuple[float, float]:
        """Return where a point of a lung lies after it shrank."""
        (ry, rx), kept = self.root(side), self.kept[side]
        return ry + (y - ry) * kept, rx + (x - rx) * kept

    def unmoved(self, side: int) -> tuple[Array, Array]:
        """Return where each pixel's tissue lay before a lung shrank."""
        (ry, rx), kept = self.root(side), self.kept[side]
        return ry + (self.y - ry) / kept, rx + (self.x - rx) / kept


Lay = Callable[
    [Chest, Finding, float], tuple[Finding, Array]
]  # lays one finding; returns it and where it is seen


def draw_scene(
    person: Person,
    shape: Shape,
    findings: Sequence[Finding],
    draw: Draw,
    *,
    size: int,
    contrast: float,
    more: Mapping[str, Lay] | None = None,
) -> Scene:
    """Return a chest with its findings; `draw` gives the generator of a purpose, `contrast` multiplies their opacity.

    Anatomy does not depend on the findings, but for what moves with a lung that shrinks. `more` lays findings of
    further labels.
    """
    lays = {**_LAID, **(more or {})}
    y, x = grid(size)
    heart = heart_profile(shape, y, x)
    chest = Chest(y, x, shape, {}, {}, dict.fromkeys(SIDES, 1.0), np.zeros_like(y))
    for side in SIDES:
        chest.air[side] = _air(shape, side, y, x) * (1 - HEART_DEPTH * heart**0.8)
    aorta = 2 * _ball(y + 62, x - 24, shape.aorta)
    down = (
        0.8 * shape.aorta * soft(np.abs(x - 22 - 0.02 * (y + 60)) - 0.8 * shape.aorta, 3) * soft(-y - 60, 12)
    )
    chest.air[1] = np.clip(chest.air[1] - 1.6 * aorta - 0.8 * down, 0, None)
    chest.air[1] = np.clip(chest.air[1] - 2 * _ball(y + 26, x - 30, 15), 0, None)
    chest.air[-1] = np.clip(chest.air[-1] - 1.5 * _ball((y + 40) / 3, x + 20, 15), 0, None)
    chest.tissue = dict(chest.air)
    told, marked = list(findings), [heart > 0.08] * len(findings)
    for k in sorted(
        range(len(told)), key=lambda k: told[k].label != "pneumothorax"
    ):  # what it moves comes after it
        if told[k].label in lays:
            told[k], marked[k] = lays[told[k].label](chest, told[k], contrast)
    water = trunk(person, y, x) + breasts(person, y, x, draw(0)) + chest.added
    for side in SIDES:
        tree = sum(thick(lines.laid(size), r) for r, lines in vessels(shape, side, draw(2 + side)).items())
        if chest.kept[side] < 1:
            tree = _resampled(np.asarray(tree), *chest.unmoved(side))
        cap = 24 * np.tanh(np.minimum(1.4 * tree, 0.7 * chest.tissue[side]) / 24)
        water += LUNG * chest.tissue[side] + cap * (chest.tissue[side] > 3) - chest.air[side]
    water += _bones(person, shape, draw, size, y, x) - _windpipe(size, y, x) - _stomach(shape, y, x, draw(6))
    return Scene(np.clip(water, 0, None), tuple(told), tuple(marked), heart > 0.08)


def _ball(y: Array, x: Array, radius: float) -> Array:
    """Return half the chord of a ball at offsets from its middle."""
    return np.asarray(np.sqrt(np.clip(radius**2 - y**2 - x**2, 0, None)))


def _air(shape: Shape, side: int, y: Array, x: Array) -> Array:
    """Return the mm of a lung, with what lies behind the dome of the diaphragm."""
    floor = shape.floor(side, x)
    above = soft(y - floor, 5)
    behind = 0.14 * (1 - above) * np.clip(1 - (y - floor) / 38, 0, 1)
    return np.asarray(shape.lung(side, y, x) * (above + behind))


def lay_nodule(chest: Chest, finding: Finding, contrast: float) -> tuple[Finding, Array]:
    """Lay a ball of water."""
    y, x = chest.moved(finding.side, finding.place["y"], finding.place["x"])
    radius = finding.place["diameter"] / 2
    far = np.hypot(chest.y - y, chest.x - x)
    chest.added += contrast * (1 - LUNG) * 2 * np.sqrt(np.clip(radius**2 - far**2, 0, None))
    return finding, far < radius


def _consolidation(chest: Chest, finding: Finding, contrast: float) -> tuple[Finding, Array]:
    """Fill a share of the air of a patch with water, with an irregular border."""
    y, x = chest.moved(finding.side, finding.place["y"], finding.place["x"])
    v, u = (chest.y - y) / finding.place["half_height"], (chest.x - x) / finding.place["half_width"]
    pixel = FIELD_MM / len(chest.y)
    mottle = _mottle(finding.seed, chest.y.shape, 9 / pixel) + 0.6 * _mottle(
        finding.seed + 1, chest.y.shape, 4 / pixel
    )
    opaque = ndimage.gaussian_filter(np.clip(1.5 - 1.1 * np.hypot(u, v) + 0.28 * mottle, 0, 1), 2.5 / pixel)
    opaque = opaque * (chest.tissue[finding.side] > SEEN)
    chest.added += contrast * finding.place["filled"] * opaque * (1 - LUNG) * chest.tissue[finding.side]
    lung = chest.lung_area(finding.side)
    where = (opaque > OPAQUE) & lung
    return replace(finding, amount=round(float(where.sum() / lung.sum()), 4)), where


def _effusion(chest: Chest, finding: Finding, contrast: float) -> tuple[Finding, Array]:
    """Replace air by fluid at the floor of a lung, thinner and higher at the side."""
    floor = chest.shape.floor(finding.side, chest.x)
    across = (finding.side * chest.x - 27) / (2 * chest.shape.half)  # 0 in the middle, 1 at the side
    height = finding.place["height"]
    base = chest.shape.dome[(finding.side + 1) // 2] + 20
    top = base - height * (0.38 + 0.72 * np.clip(across, 0, 1.1) ** 2.5)
    fluid = np.clip((chest.y - top) / (0.3 * height + 6), 0, 1) ** 0.8
    chest.added += min(contrast, 1.0) * fluid * (chest.air[finding.side] - LUNG * chest.tissue[finding.side])
    region = (chest.shape.lung(finding.side, chest.y, chest.x) > SEEN) & (chest.y < floor + 8)
    return finding, (fluid > 0.12) & region


def _pneumothorax(chest: Chest, finding: Finding, contrast: float) -> tuple[Finding, Array]:
    """Shrink a lung towards its root: air without tissue around it, and the line of its border."""
    side = finding.side
    whole = chest.lung_area(side)
    chest.kept[side] = finding.place["kept"]
    tissue = _resampled(chest.tissue[side], *chest.unmoved(side))
    tissue = np.minimum(tissue / finding.place["kept"] ** 0.5, chest.air[side] / LUNG)
    inside = soft(SEEN - tissue, 4)
    pixel = FIELD_MM / len(chest.y)
    line = ndimage.gaussian_gradient_magnitude(inside, 0.5 / pixel + 0.4)
    chest.added += contrast * 5.0 * line / max(float(line.max()), 1e-6) * (chest.air[side] > SEEN)
    chest.tissue[side] = tissue * (chest.air[side] > 0)
    rim = whole & (tissue <= SEEN)
    return replace(finding, amount=round(float(rim.sum() / whole.sum()), 4)), rim


_LAID: dict[str, Lay] = {
    "nodule": lay_nodule,
    "consolidation": _consolidation,
    "effusion": _effusion,
    "pneumothorax": _pneumothorax,
}


def _bones(person: Person, shape: Shape, draw: Draw, size: int, y: Array, x: Array) -> Array:
    """Return ribs, clavicles, spine and shoulder blades in mm of water beyond what they displace."""
    dense = BONE * shape.bone
    ribs, clavicles = skeleton(shape, person, draw(4))
    found = dense * thick(ribs.laid(size), RIBS_MM[0], hollow_mm=RIBS_MM[1])
    found += dense * thick(clavicles.laid(size), CLAVICLE_MM[0], hollow_mm=CLAVICLE_MM[1])
    random = draw(5)
    phase, gap = float(random.uniform(0, 24)), 22.5 * person.scale
    disc = np.abs(np.mod(y + phase, gap) - gap / 2) > gap / 2 - 2.2
    column = np.sqrt(np.clip(1 - (x / 19) ** 2, 0, None)) * np.where(disc, 8, 20)
    process = 8 * soft(np.abs(x) - 2.5, 2) * (np.abs(np.mod(y + phase + 8, gap) - gap / 2) < 6)
    found += 0.3 * dense * (ndimage.gaussian_filter(column, 0.8) + process)
    turn = 0.9 if person.view == "AP" else 1.15
    for side in SIDES:
        u = (x - side * 128 * turn) * np.cos(0.25) + side * (y + 62) * np.sin(0.25)
        v = (y + 62) * np.cos(0.25) - side * (x - side * 128 * turn) * np.sin(0.25)
        blade = soft((np.hypot(u / 30, v / 62) - 1) * 30, 3)
        found += 3.5 * blade + 5 * soft(np.abs(np.hypot(u / 30, v / 62) - 1) * 30 - 2, 2)
        found += 0.9 * np.sqrt(
            np.clip(26**2 - (y + 112) ** 2 - (x - side * 172 * person.scale) ** 2, 0, None)
        )
    calcified = float(np.clip((person.age - 50) / 40, 0, 1)) * float(random.uniform(0.3, 1))
    arch, angle = Lines(), np.linspace(-0.7 * np.pi, 0.35 * np.pi, 60)
    arch.add(-62 + shape.aorta * np.sin(angle), 24 + shape.aorta * np.cos(angle))
    return np.asarray(found + 3.5 * calcified * thick(arch.laid(size), 1.2))


def _windpipe(size: int, y: Array, x: Array) -> Array:
    """Return the air of the trachea and of the main bronchi in mm."""
    bronchi = Lines()
    t = np.linspace(0, 1, 40)
    for side, down in ((-1, 34), (1, 26)):
        bronchi.add(-58 + down * t, side * (3 + 34 * t))
    return np.asarray(
        13 * soft(np.abs(x + 2) - 7.5, 3) * soft(y + 58, 6) + 0.7 * thick(bronchi.laid(size), 5.0)
    )


def _stomach(shape: Shape, y: Array, x: Array, random: np.random.Generator) -> Array:
    """Return the air of the stomach below the left diaphragm, which many have."""
    there, radius = random.random() < 0.7, float(random.uniform(11, 22))
    down = shape.dome[1] + radius + 9
    inside = np.clip(1 - ((y - down) / radius) ** 2 - ((x - 66) / (1.4 * radius)) ** 2, 0, None)
    return np.asarray(float(there) * 1.5 * radius * np.sqrt(inside))


def _resampled(image: Array, y: Array, x: Array) -> Array:
    """Return an image's values at points in mm; 0 outside of it."""
    size = len(image)
    at = [(c + FIELD_MM / 2) * size / FIELD_MM - 0.5 for c in (y, x)]
    return np.asarray(ndimage.map_coordinates(image, at, order=1, mode="constant"))


def _mottle(seed: int, shape: tuple[int, ...], sigma: float) -> Array:
    drawn = np.random.default_rng(seed).standard_normal(shape)
    return np.asarray(ndimage.gaussian_filter(drawn, sigma, mode="wrap") * (2 * np.sqrt(np.pi) * sigma))
