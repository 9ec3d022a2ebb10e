"""Small cohorts of drawn pictures, in memory, for the reliability room."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.image import Array, Image


def scene(seed: int, size: int = 64) -> Array:
    """A picture with structure at every scale, another for every seed; (size, size) of uint8."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    layers = [ndimage.gaussian_filter(rng.normal(size=(size, size)), s) * s for s in (1.0, 2.0, 4.0, 8.0)]
    picture = np.sum(layers, axis=0)
    low, high = picture.min(), picture.max()
    result: Array = ((picture - low) / (high - low) * 255).astype(np.uint8)
    return result


@pytest.fixture
def draw() -> Callable[..., Array]:
    """The function that draws a picture for a seed."""
    return scene


@pytest.fixture
def cohort_from() -> Callable[..., Cohort]:
    """A cohort of pictures held in memory: by name, a picture (Y, X), a class, a split, a patient."""

    def build(
        pictures: Mapping[str, Array],
        *,
        labels: Mapping[str, str] | None = None,
        splits: Mapping[str, str] | None = None,
        patients: Mapping[str, str] | None = None,
    ) -> Cohort:
        labels = labels or {name: "ab"[k % 2] for k, name in enumerate(pictures)}
        cases = tuple(
            Case(
                id=name,
                images={"image": Image(picture[None, None])},
                targets={"class": labels[name]},
                split=(splits or {}).get(name),  # type: ignore[arg-type]
                patient=(patients or {}).get(name),
            )
            for name, picture in pictures.items()
        )
        names = sorted(set(labels.values()))
        info = TargetInfo("class", "class", tuple(Label(k, n) for k, n in enumerate(names)))
        return Cohort(Path("drawn"), "folder", cases, {"class": info}, patients_known=patients is not None)

    return build
