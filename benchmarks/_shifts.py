"""Images with something wrong: noise, blur, less contrast, another gamma, a coarser grid; each at three strengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from vesalius.core.image import Array, Image

STRENGTHS = (0, 1, 2)


def noise(x: Array, strength: int, generator: np.random.Generator) -> Array:
    """Gaussian noise of 5, 10 and 20 % of the image's reach."""
    return x + generator.normal(0.0, (0.05, 0.1, 0.2)[strength], x.shape)


def blur(x: Array, strength: int, generator: np.random.Generator) -> Array:
    """A Gaussian of 1, 2 and 4 pixels."""
    from scipy.ndimage import gaussian_filter

    sigma = (1.0, 2.0, 4.0)[strength]
    return gaussian_filter(x, [0.0, *(sigma if n > 1 else 0.0 for n in x.shape[1:])])


def contrast(x: Array, strength: int, generator: np.random.Generator) -> Array:
    """70, 50 and 30 % of the contrast about the mean."""
    return x.mean() + (x - x.mean()) * (0.7, 0.5, 0.3)[strength]


def gamma(x: Array, strength: int, generator: np.random.Generator) -> Array:
    """The power of 1.5, 2 and 3, which darkens."""
    return np.clip(x, 0.0, 1.0) ** (1.5, 2.0, 3.0)[strength]


def resolution(x: Array, strength: int, generator: np.random.Generator) -> Array:
    """Every second, fourth and eighth pixel in each plane, interpolated."""
    from scipy.ndimage import zoom

    factor = (2, 4, 8)[strength]
    small = zoom(x, [1, 1, 1 / factor, 1 / factor], order=1, grid_mode=True, mode="nearest")
    scale = [n / m for n, m in zip(x.shape, small.shape, strict=True)]
    return zoom(small, scale, order=1, grid_mode=True, mode="nearest")


SHIFTS: Mapping[str, Callable[[Array, int, np.random.Generator], Array]] = {
    "noise": noise,
    "blur": blur,
    "contrast": contrast,
    "gamma": gamma,
    "resolution": resolution,
}


def shifted(image: Image, name: str, strength: int, *, seed: int) -> Image:
    """The same image with something wrong; values stay within its own ends, whole numbers stay whole."""
    x = image.array.astype(np.float64)
    low, high = float(x.min()), float(x.max())
    reach = (high - low) or 1.0
    made = SHIFTS[name]((x - low) / reach, strength, np.random.default_rng(seed))
    out = np.clip(made, 0.0, 1.0) * reach + low
    whole = np.issubdtype(image.array.dtype, np.integer)
    return replace(image, array=(np.rint(out) if whole else out).astype(image.array.dtype))
