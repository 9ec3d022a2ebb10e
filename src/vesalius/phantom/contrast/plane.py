"""A slice of a liver with its arteries and lesions, and the frames in which contrast is seen to arrive in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.phantom.contrast.kinetics import KINDS, Injection, Lesion, draw_lesion

FIELD_MM = 128.0  # of a picture's side
RADII = (0.075, 0.14)  # of a lesion, as shares of the side
SPECKLE = 0.20  # the spread of a pixel of a frame, over its mean
NATIVE = 0.16  # what tissue shows without contrast


@dataclass(frozen=True)
class Site:
    """A laboratory's machine: `gain`, the power of its grey scale, and its noise where there is nothing."""

    name: str
    gain: float
    gamma: float
    floor: float


SITES = (Site("north", 1.0, 0.60, 0.03), Site("south", 1.15, 0.55, 0.04), Site("west", 0.8, 0.70, 0.02))


@dataclass(frozen=True, eq=False)
class Slice:
    """Where is what, `(Y, X)`: the share of each pixel that is `liver`, `artery` and each of the lesions."""

    liver: Array
    artery: Array
    lesions: tuple[Array, ...]

    def labels(self) -> Array:
        """Return which lesion covers a pixel by half or more, k + 1 of lesion k, else 0; `(Y, X)` uint8."""
        drawn = np.zeros(self.liver.shape, np.uint8)
        for k, share in enumerate(self.lesions):
            drawn[share >= 0.5] = k + 1
        return drawn


def draw_lesions(random: np.random.Generator, kind: str) -> tuple[Lesion, ...]:
    """Return one or two lesions that lie apart; a case is malignant where one of them is."""
    first = draw_lesion(random, kind, *_place(random))
    other = KINDS[0] if kind == KINDS[0] else KINDS[int(random.integers(2))]
    for _ in range(40):
        centre, radius = _place(random)
        if np.hypot(centre[0] - first.centre[0], centre[1] - first.centre[1]) > 1.4 * (radius + first.radius):
            second = draw_lesion(random, other, centre, radius)
            return (first, second) if random.random() < 0.4 else (first,)
    return (first,)


def draw_slice(random: np.random.Generator, lesions: tuple[Lesion, ...], size: int) -> Slice:
    """Return a slice with an outline, arteries and lesions of its own."""
    at = (np.arange(size) + 0.5) / size
    y, x = np.meshgrid(at, at, indexing="ij")
    v, u = (y - 0.5 - random.uniform(-0.03, 0.03)) / 0.46, (x - 0.5 - random.uniform(-0.03, 0.03)) / 0.47
    liver = _share(_round(random, u, v, 0.06), 0.46 * size)
    artery = np.zeros_like(liver)
    for _ in range(int(random.integers(3, 6))):
        artery = np.maximum(artery, _tube(random, y, x, size))
    shares = []
    for lesion in lesions:
        own = np.random.default_rng(lesion.seed)
        v, u = (y - lesion.centre[0]) / lesion.radius, (x - lesion.centre[1]) / lesion.radius
        shares.append(_share(_round(own, u, v, 0.1), lesion.radius * size))
    return Slice(liver, artery * liver, tuple(shares))


def frames(
    here: Slice,
    lesions: tuple[Lesion, ...],
    injection: Injection,
    times_s: Array,
    *,
    site: Site,
    noise: float,
    random: np.random.Generator,
) -> Array:
    """Return the frames `(T, Y, X)` uint8 at uneven times, while breathing moves the slice by a pixel or two."""
    size = here.liver.shape[0]
    curves = [one.curve(injection, times_s) for one in lesions]
    liver, artery = injection.liver(times_s), injection.artery(times_s)
    tissue = 1 + 0.12 * _smooth(random.standard_normal((size, size)), size / 20)
    native = NATIVE * tissue * (0.35 + 0.65 * here.liver)
    shown = np.empty((len(times_s), size, size))
    for t in range(len(times_s)):
        contrast = liver[t] * here.liver * tissue
        for share, curve in zip(here.lesions, curves, strict=True):
            contrast = contrast * (1 - share) + curve[t] * share
        contrast = contrast * (1 - here.artery) + artery[t] * here.artery
        shown[t] = native + contrast
    breath = np.cumsum(random.normal(0, 0.35, (len(times_s), 2)), axis=0)
    breath = np.clip(breath - breath.mean(axis=0), -2, 2) * size / 64
    for t, (down, right) in enumerate(breath):
        shown[t] = ndimage.shift(shown[t], (down, right), order=1, mode="nearest")
    grain = ndimage.gaussian_filter(random.standard_normal(shown.shape), (0, 0.6, 0.6), mode="wrap") / 0.47
    shown = shown * np.exp(noise * SPECKLE * grain - (noise * SPECKLE) ** 2 / 2)
    shown = shown + noise * site.floor * np.abs(random.standard_normal(shown.shape))
    return np.asarray(np.rint(255 * np.clip(site.gain * shown / 1.9, 0, 1) ** site.gamma), np.uint8)


def _place(random: np.random.Generator) -> tuple[tuple[float, float], float]:
    radius = round(float(random.uniform(*RADII)), 4)
    far, angle = 0.3 * np.sqrt(random.random()), random.uniform(0, 2 * np.pi)
    return (round(0.5 + float(far * np.sin(angle)), 4), round(0.5 + float(far * np.cos(angle)), 4)), radius


def _round(random: np.random.Generator, u: Array, v: Array, rough: float) -> Array:
    """Return the distance from the middle over that of an uneven outline."""
    angle, outline = np.arctan2(v, u), np.ones_like(u)
    for k in (2, 3, 4):
        outline = outline + rough / k * 2 * random.normal() * np.cos(k * angle + random.uniform(0, 2 * np.pi))
    return np.asarray(np.hypot(u, v) / outline)


def _share(distance: Array, radius_pixels: float) -> Array:
    return np.clip((1 - distance) * radius_pixels + 0.5, 0, 1)


def _tube(random: np.random.Generator, y: Array, x: Array, size: int) -> Array:
    """Return the share of each pixel that a straight artery covers."""
    a, b = random.uniform(0.15, 0.85, 2), random.uniform(0, 2 * np.pi)
    long = random.uniform(0.1, 0.35)
    along = (y - a[0]) * np.sin(b) + (x - a[1]) * np.cos(b)
    aside = (y - a[0]) * np.cos(b) - (x - a[1]) * np.sin(b)
    far = np.hypot(aside, np.maximum(np.abs(along) - long, 0))
    return np.asarray(np.clip((random.uniform(0.008, 0.02) - far) * size + 0.5, 0, 1))


def _smooth(noise: Array, sigma: float) -> Array:
    smooth = ndimage.gaussian_filter(noise, sigma, mode="wrap")
    return np.asarray(smooth / smooth.std())
