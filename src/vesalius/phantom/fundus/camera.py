"""The picture of a retina: its background, what lies in it, and the blur and the noise of the camera.

Blood absorbs light by Beer and Lambert's law: what comes back is `light · exp(−absorbed)` a channel, and a vessel that
crosses another one is darker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.phantom.fundus.changes import Lesion
from vesalius.phantom.fundus.eye import View
from vesalius.phantom.fundus.tree import ARTERY, FOVEA, VEIN, Vessel

ABSORBED = {  # of red, green and blue, by a vessel that is FULL_MM thick
    VEIN: np.array([0.115, 0.31, 0.18]),
    ARTERY: np.array([0.08, 0.26, 0.155]),
}
FULL_MM, GROWS = (
    0.15,
    0.55,
)  # what is absorbed grows with this power of the thickness, for light comes from all around
REFLEX = 0.16  # how bright the line along an artery is
BLOOD = np.array([0.55, 1.15, 0.7])  # a whole haemorrhage absorbs
FAT = np.array([1.2, 0.92, 0.45])  # the colour of an exudate, relative to the disc's
Layers = dict[str, Array]


def laid(vessels: Sequence[Vessel], view: View, size: int, sort: str) -> tuple[Array, Array, Array]:
    """Return how much of each pixel one sort of vessels covers, how thick it is there in mm, and its reflex, `(Y, X)`.

    Where several cover a pixel it is the most that any does.
    """
    mm = view.mm_a_pixel(size)
    own = [v for v in vessels if v.sort == sort]
    covers, thick, reflex = (np.zeros(size * size, np.float32) for _ in range(3))
    if not own:
        return covers.reshape(size, size), thick.reshape(size, size), reflex.reshape(size, size)
    places, radii = (np.concatenate(x) for x in zip(*(_dense(v, mm) for v in own), strict=True))
    at = view.pixels(places, size)
    inside = ((at > -8) & (at < size + 7)).all(axis=1)
    at, radii = at[inside], radii[inside] / mm
    for low, high in ((0.0, 0.75), (0.75, 1.75), (1.75, 40.0)):
        part = (radii >= low) & (radii < high)
        if part.any():
            _stamp(at[part], radii[part], size, mm, (covers, thick, reflex))
    return covers.reshape(size, size), thick.reshape(size, size), reflex.reshape(size, size)


def _dense(vessel: Vessel, mm: float) -> tuple[Array, Array]:
    """Return points and radii of a vessel less than half a pixel apart."""
    steps = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(vessel.points, axis=0).T))])
    many = max(int(np.ceil(steps[-1] / (0.45 * mm))) + 1, 2)
    s = np.linspace(0, steps[-1], many)
    points = np.stack([np.interp(s, steps, c) for c in vessel.points.T], axis=1)
    return points, np.interp(s, steps, vessel.radii)


def _stamp(at: Array, radii: Array, size: int, mm: float, into: tuple[Array, Array, Array]) -> None:
    """Lay discs of those radii, in pixels, into the layers."""
    half = int(np.ceil(radii.max() + 1))
    reach = np.arange(-half, half + 1)
    corner = np.rint(at).astype(int)
    y, x = (corner[:, k, None] + reach for k in (0, 1))  # (N, W)
    far = np.sqrt(
        ((y - at[:, :1]) ** 2).astype(np.float32)[:, :, None]
        + ((x - at[:, 1:]) ** 2).astype(np.float32)[:, None]
    )
    r = radii.astype(np.float32)[:, None, None]
    inside = ((y >= 0) & (y < size))[:, :, None] & ((x >= 0) & (x < size))[:, None]
    inside &= far < r + 0.5
    where = (y[:, :, None] * size + x[:, None])[inside]
    far, r = far[inside], np.broadcast_to(r, inside.shape)[inside]
    covers = np.clip(0.5 + r - far, 0, 1) - np.clip(0.5 - r - far, 0, 1)  # a strip that is 2 r wide
    np.maximum.at(into[0], where, covers)
    chord = 2 * mm * np.sqrt(np.clip(r**2 - 0.85 * np.minimum(far, r) ** 2, 0, None))
    np.maximum.at(into[1], where, covers * chord)
    wide = r > 1.0
    core = np.exp(-((far[wide] / (0.38 * r[wide])) ** 2))
    np.maximum.at(into[2], where[wide], core)


def spots(lesions: Sequence[Lesion], view: View, size: int) -> list[tuple[tuple[slice, slice], Array]]:
    """Return for each lesion a window of the picture, and how much of each pixel there it covers, from 0 to 1."""
    mm, found = view.mm_a_pixel(size), []
    x, y = view.places(size)
    for lesion in lesions:
        blobs = np.array(lesion.blobs)
        at = view.pixels(blobs[:, :2], size)
        margin = (blobs[:, 2] * lesion.stretch / mm + 2)[:, None]
        low = np.clip(np.floor((at - margin).min(axis=0)), 0, size - 1).astype(int)
        high = np.clip(np.ceil((at + margin).max(axis=0)) + 1, low + 1, size).astype(int)
        window = slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))
        covers = np.zeros((high - low).tolist())
        for bx, by, radius in blobs:
            away = np.hypot(bx, by) + 1e-6
            along = ((x[window] - bx) * bx + (y[window] - by) * by) / away
            across = ((x[window] - bx) * by - (y[window] - by) * bx) / away
            far = np.hypot(along / lesion.stretch, across)
            covers = np.maximum(covers, np.clip((radius - far) / mm + 0.5, 0, 1))
        found.append((window, covers))
    return found


def picture(
    layers: dict[str, tuple[Array, Array, Array]],
    lesions: Sequence[Lesion],
    covered: Sequence[tuple[tuple[slice, slice], Array]],
    view: View,
    *,
    size: int,
    contrast: float,
    noise: float,
    seed: Callable[[int], np.random.Generator],
) -> Array:
    """Return the picture `(Y, X, 3)` uint8. `seed` gives the generator of a purpose.

    `layers` are those of the vessels by sort, `covered` where each lesion lies. `contrast` multiplies how much blood
    and lesions are seen, `noise` the camera's noise.
    """
    light = _background(view, size, seed(0))
    absorbed = np.zeros((size, size, 3), np.float32)
    for sort, (_, thick, reflex) in layers.items():
        depth = contrast * (thick / FULL_MM) ** GROWS
        absorbed += depth[..., None] * (ABSORBED[sort] * np.array(view.site.blood)).astype(np.float32)
        shine = REFLEX * (1.0 if sort == ARTERY else 0.35)
        absorbed -= shine * reflex[..., None] * np.array([0.6, 1.0, 0.8], np.float32)
    light = light * np.exp(-absorbed)
    for lesion, (window, covers) in zip(lesions, covered, strict=True):
        share = (contrast * lesion.strength * covers)[..., None]
        if lesion.label == "exudate":
            bright = np.minimum(FAT * np.array(view.disc), 255)
            light[window] += np.clip(share, 0, 1) * (bright - light[window])
        else:
            light[window] *= np.exp(-share * BLOOD * np.array(view.site.blood))
    sigma = float(np.hypot(view.site.blur, view.defocus)) * size / 256
    light = ndimage.gaussian_filter(light, (sigma, sigma, 0), mode="nearest", truncate=3)
    light *= view.seen(size)[..., None]
    grain = seed(1).standard_normal(light.shape, dtype=np.float32)
    grain = ndimage.gaussian_filter(grain, (0.5, 0.5, 0), mode="wrap", truncate=2) * 1.5
    strength = view.site.noise * noise * np.sqrt(np.clip(light, 4, None) / 120)
    return np.asarray(np.rint(np.clip(light + strength * grain + 2.0, 0, 255)).astype(np.uint8))


def _background(view: View, size: int, random: np.random.Generator) -> Array:
    """Return the light that comes from a retina without vessels, `(Y, X, 3)` float32 in grey values."""
    x, y = view.places(size)
    px = size / 256
    mottle = 0.045 * _cloud(random, size, 5 * px) + 0.06 * _cloud(random, size, 22 * px)
    ridges = np.exp(-((_cloud(random, size, 5 * px, along=2.2) / 0.55) ** 2)) - 0.5
    mottle += view.striped * np.clip(ridges, -0.35, 0.3)
    hue = 0.03 * _cloud(random, size, 40 * px)
    fx, fy = x - FOVEA[0], y - FOVEA[1]
    pit = view.fovea * np.exp(-(fx**2 + fy**2) / (2 * 0.75**2)) + 0.5 * view.fovea * np.exp(
        -(fx**2 + fy**2) / (2 * 0.25**2)
    )
    mx, my = x - view.middle[0], y - view.middle[1]
    half = view.site.field_mm / 2
    rim = (mx**2 + my**2) / half**2
    lamp = 1 - view.site.dim * rim**1.5 + view.tilt[0] * mx / half * 2 + view.tilt[1] * my / half * 2
    base = np.array(view.light, np.float32) * np.stack(
        [
            np.exp(0.6 * mottle - 0.5 * pit),
            np.exp(mottle - pit - hue),
            np.exp(0.8 * mottle - 0.7 * pit + 1.5 * hue),
        ],
        axis=-1,
    )
    base *= np.clip(lamp, 0.15, 1.6)[..., None]
    return np.asarray(_with_disc(base, view, x, y, random), np.float32)


def _with_disc(base: Array, view: View, x: Array, y: Array, random: np.random.Generator) -> Array:
    """Return the background with the optic disc: a pale rim towards the temple, and a brighter cup."""
    wide, tall = view.disc_mm
    rho = np.sqrt((x / wide) ** 2 + (y / tall) ** 2)
    edge = 1 / (1 + np.exp(np.clip((rho - 1) / 0.045, -30, 30)))
    halo = 0.18 * np.exp(-(((rho - 1.05) / 0.22) ** 2)) * (rho > 1)
    cup = np.sqrt(((x - 0.12) / (wide * view.cup)) ** 2 + (y / (tall * view.cup)) ** 2)
    bright = 1 / (1 + np.exp(np.clip((cup - 1) / 0.12, -30, 30)))
    lit = 0.9 + 0.05 * np.clip(x / wide, -1, 1) + 0.12 * bright + 0.02 * random.standard_normal()
    pale = np.clip(0.72 + 0.24 * x / wide + 0.3 * bright, 0.35, 1)[..., None]  # the nasal rim is rosy
    colour = np.array(view.disc, np.float32) * lit[..., None]
    base = base * (1 + halo[..., None] * np.array([0.25, 0.35, 0.3]))
    rosy = np.minimum(1.25 * base, 0.92 * np.array(view.disc, np.float32))
    return np.asarray(base + (0.96 * edge)[..., None] * (pale * colour + (1 - pale) * rosy - base))


def _cloud(random: np.random.Generator, size: int, sigma: float, along: float = 1.0) -> Array:
    """Return smooth noise `(Y, X)` of mean 0 and variance 1, drawn on a coarser grid where it is smooth enough."""
    step = max(int(sigma // 3), 1)
    many = -(-size // step) + 3
    coarse = random.standard_normal((many, many), dtype=np.float32)
    coarse = ndimage.gaussian_filter(coarse, (sigma / step, along * sigma / step), mode="wrap", truncate=3)
    coarse = (coarse - coarse.mean()) / coarse.std()
    if step == 1:
        return np.asarray(coarse[:size, :size])
    at = np.arange(size, dtype=np.float32) / step
    low = at.astype(int)
    share = at - low
    rows = coarse[low] * (1 - share)[:, None] + coarse[low + 1] * share[:, None]
    return np.asarray(rows[:, low] * (1 - share) + rows[:, low + 1] * share)
