"""How a field of cells looks: stains absorb light, which passes the microscope's blur, an uneven lamp and a camera.

Light is absorbed by Beer and Lambert's law: what reaches the camera is `light · exp(−Σ stain · amount)` a channel. A
cell that lies on another lets its part through, less than all of it, so that the upper outline runs through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.phantom.blood.cells import PLATELET, RED, WHITE, Cell
from vesalius.phantom.blood.slide import PIXEL_UM, Slide

EOSIN = np.array([0.13, 0.46, 0.42])  # what a unit of stain absorbs of red, green and blue
AZURE = np.array([0.80, 1.25, 0.22])
HIDES = {RED: 0.5, WHITE: 0.95, PLATELET: 0.75}  # how much of what is below a cell is not seen through it
SPECKS = 2.0  # of precipitated stain in a field of 2304 µm²
SPECK_UM = (0.3, 0.7)  # their radii: no cell is so small


def thickness(rho: Array, pallor: Array | float) -> Array:
    """Return a red cell's thickness, at most about 1, at `rho` radii from its middle.

    A share `pallor` is the biconcave disc of Evans and Fung (1972), t = √(1 − r²) · (.81 + 7.83 r² − 4.39 r⁴) µm, its
    dimple the wider and deeper the paler the cell is: r = ρ ^ (1 + pallor), and .81 times 1.5 − pallor. The rest is
    flat, as cells dry on glass.
    """
    r = np.clip(rho, 0, 1) ** (1 + pallor)
    disc = np.sqrt(1 - r**2) * (0.81 * (1.5 - pallor) + 7.83 * r**2 - 4.39 * r**4) / 2.6
    flat = np.sqrt(np.clip(1 - rho**6, 0, 1))
    return np.asarray(np.where(rho < 1, pallor * disc + (1 - pallor) * 0.85 * flat, 0))


def picture(
    cells: Sequence[Cell],
    slide: Slide,
    *,
    size: int,
    contrast: float,
    noise: float,
    seed: Callable[[int], np.random.Generator],
) -> Array:
    """Return the picture `(Y, X, 3)` uint8 of cells, the first lowest. `seed` gives the generator of a purpose.

    `contrast` multiplies both stains, `noise` is the standard deviation in grey values of a pixel of the lamp's light.
    """
    eosin, azure = np.zeros((size, size)), np.zeros((size, size))
    for cell in cells:
        window = cell.window(size)
        y, x, rho = cell.polar(window)
        covers = np.clip((1 - rho) * cell.radius + 0.5, 0, 1)
        red, blue = _STAINED[cell.label](
            cell, np.broadcast_to(y, rho.shape), np.broadcast_to(x, rho.shape), rho
        )
        let = 1 - HIDES[cell.label] * covers
        if cell.label == RED:
            blue = slide.site.blueness * red
        eosin[window] = eosin[window] * let + red * covers
        azure[window] = azure[window] * let + blue * covers
    _speckle(azure, seed(0))
    strengths = contrast * slide.site.eosin * slide.eosin, contrast * slide.site.azure * slide.azure
    absorbed = strengths[0] * eosin[..., None] * EOSIN + strengths[1] * azure[..., None] * AZURE
    light = np.array(slide.site.light) * np.exp(-absorbed) * _lamp(slide, size)[..., None]
    sigma = float(np.hypot(slide.site.blur_um, slide.defocus_um)) / PIXEL_UM
    seen = ndimage.gaussian_filter(light, (sigma, sigma, 0), mode="nearest")
    grain = seed(1).normal(0, 1, seen.shape)
    grain = 0.8 * grain + 0.6 * grain.mean(axis=2, keepdims=True) * np.sqrt(3)
    seen = seen + noise * np.sqrt(np.clip(seen, 1, None) / 220) * grain
    return np.asarray(np.rint(255 * np.clip(seen / 255, 0, 1) ** slide.site.gamma).astype(np.uint8))


def _lamp(slide: Slide, size: int) -> Array:
    """Return the share of the light at each pixel."""
    y, x = np.ogrid[:size, :size]
    far = (y / size - slide.lamp[0]) ** 2 + (x / size - slide.lamp[1]) ** 2
    return np.asarray(1 - slide.falloff * far / 0.5)


def _speckle(azure: Array, random: np.random.Generator) -> None:
    """Add specks of precipitated stain."""
    size = azure.shape[0]
    for _ in range(int(random.poisson(SPECKS * size**2 * PIXEL_UM**2 / 2304))):
        y, x = random.uniform(0, size, 2)
        radius = float(random.uniform(*SPECK_UM)) / PIXEL_UM
        amount = float(random.uniform(0.2, 0.9))
        part = tuple(slice(max(int(c - radius) - 2, 0), min(int(c + radius) + 3, size)) for c in (y, x))
        rows, columns = np.ogrid[part]
        far = np.hypot(rows + 0.5 - y, columns + 0.5 - x)
        azure[part] += amount * np.clip(radius - far + 0.5, 0, 1)


def _red(cell: Cell, y: Array, x: Array, rho: Array) -> tuple[Array, Array]:
    amount = 0.95 * thickness(rho, cell.pallor)
    return amount, np.zeros_like(rho)


def _platelet(cell: Cell, y: Array, x: Array, rho: Array) -> tuple[Array, Array]:
    grains = _texture(cell.grain, rho.shape, 0.9)
    body = np.clip(1.15 - 0.5 * rho**2, 0, None)
    return 0.25 * body, np.clip(0.42 + 0.22 * grains, 0.1, None) * body


def _white(cell: Cell, y: Array, x: Array, rho: Array) -> tuple[Array, Array]:
    """Return cytoplasm and nucleus of a white cell, by its kind."""
    random = np.random.default_rng(cell.grain)
    turn = float(random.uniform(0, 2 * np.pi))
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    nucleus = _NUCLEI[cell.kind](random, u, v)
    soft = np.clip((1 - nucleus) * 0.5 * cell.radius + 0.5, 0, 1) * np.clip((0.97 - rho) * cell.radius, 0, 1)
    chromatin = _texture(cell.grain + 1, rho.shape, 1.7)
    grains = _texture(cell.grain + 2, rho.shape, 1.0)
    pink, blue, coarse = _CYTOPLASM[cell.kind]
    rim = np.clip(0.85 + 0.25 * rho**4, 0, None)
    red = (pink + coarse * np.clip(grains, -0.5, 2)) * rim * (1 - soft) + 0.30 * soft
    azure = (blue + 0.25 * coarse * grains) * rim * (1 - soft) + np.clip(
        1.0 + 0.26 * chromatin, 0.45, None
    ) * soft
    return np.clip(red, 0, None), np.clip(azure, 0, None)


def _lobes(random: np.random.Generator, u: Array, v: Array, count: int) -> Array:
    """Return the distance, below 1 inside, from lobes along an arc and the threads between them."""
    angles = np.linspace(-0.36, 0.36, count) * np.pi * min(count, 4) / 2.2 + random.normal(0, 0.12, count)
    ring = 0.44 + random.normal(0, 0.04, count)
    centres = np.stack([ring * np.cos(angles), ring * np.sin(angles)], 1) - [0.12, 0.0]
    radii = random.uniform(0.27, 0.36, count) * (1.25 if count == 2 else 1)
    found = np.full(u.shape, np.inf)
    for (a, b), r in zip(centres, radii, strict=True):
        stretch = float(random.uniform(0.8, 1.2))
        found = np.minimum(found, np.hypot((u - a) * stretch, (v - b) / stretch) / r)
    for (a, b), (c, d) in pairwise(centres):
        along = np.clip(((u - a) * (c - a) + (v - b) * (d - b)) / ((c - a) ** 2 + (d - b) ** 2), 0, 1)
        found = np.minimum(found, np.hypot(u - a - along * (c - a), v - b - along * (d - b)) / 0.09)
    return found


def _neutrophil(random: np.random.Generator, u: Array, v: Array) -> Array:
    return _lobes(random, u, v, int(random.integers(2, 6)))


def _eosinophil(random: np.random.Generator, u: Array, v: Array) -> Array:
    return _lobes(random, u, v, 2)


def _lymphocyte(random: np.random.Generator, u: Array, v: Array) -> Array:
    return np.asarray(np.hypot(u - random.normal(0, 0.05), (v - random.normal(0, 0.05)) * 1.06) / 0.8)


def _monocyte(random: np.random.Generator, u: Array, v: Array) -> Array:
    """Return a kidney: a ball with a bay."""
    bay = np.hypot(u - 0.62, v) / 0.42
    return np.asarray(np.maximum(np.hypot(u * 1.1 + 0.08, v * 0.95) / 0.74, 2 - bay))


def _texture(seed: int, shape: tuple[int, ...], sigma: float) -> Array:
    """Return smooth noise of mean 0 and standard deviation of about 1."""
    drawn = np.random.default_rng(seed).standard_normal(shape)
    return np.asarray(ndimage.gaussian_filter(drawn, sigma, mode="wrap") * (2 * np.sqrt(np.pi) * sigma))


Stained = Callable[[Cell, Array, Array, Array], tuple[Array, Array]]
_STAINED: dict[str, Stained] = {RED: _red, WHITE: _white, PLATELET: _platelet}
_NUCLEI = {
    "neutrophil": _neutrophil,
    "eosinophil": _eosinophil,
    "lymphocyte": _lymphocyte,
    "monocyte": _monocyte,
}
_CYTOPLASM = {  # pink, blue, and how coarse its granules are
    "neutrophil": (0.38, 0.14, 0.07),
    "eosinophil": (0.85, 0.10, 0.30),
    "lymphocyte": (0.10, 0.34, 0.02),
    "monocyte": (0.22, 0.27, 0.04),
}
