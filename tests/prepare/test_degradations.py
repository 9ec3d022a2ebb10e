"""Degradations, each against what is known of it: a variance, a width, an interpolation worked by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from vesalius.core import registry
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array, Image
from vesalius.prepare import degradations
from vesalius.prepare.degradations import KIND, degraded
from vesalius.prepare.degradations.dose import own_noise

NAMES = tuple(registry.names(KIND))


def picture(dtype: str = "float32", *, shape: tuple[int, ...] = (1, 16, 32, 32)) -> Image:
    """An image with structure and noise, 0 to about 1000."""
    draw = np.random.default_rng(0)
    z, y, x = np.mgrid[: shape[1], : shape[2], : shape[3]]
    plain = 500 + 300 * np.sin(y / 5) * np.cos(x / 7) * np.cos(z / 4) + draw.normal(0, 20, shape)
    return Image(np.clip(plain, 0, 1000).astype(dtype))


@pytest.mark.parametrize("name", NAMES)
def test_an_image_gets_worse_with_the_amount_and_stays_within_its_ends(name: str) -> None:
    way, image = degradations.get(name), picture("int16")
    off = []
    for amount in way.amounts:
        made = degraded(image, name, amount, seed=3)
        assert made.array.dtype == np.int16 and made.array.shape == image.array.shape
        assert image.array.min() <= made.array.min() and made.array.max() <= image.array.max()
        assert np.array_equal(made.array, degraded(image, name, amount, seed=3).array)
        off.append(np.abs(made.array.astype(float) - image.array).mean())
    assert 0 < off[0] < off[1] < off[2]
    assert np.array_equal(degraded(image, name, way.clean, seed=3).array, image.array)


@pytest.mark.parametrize("name", NAMES)
def test_an_amount_out_of_bounds_is_refused(name: str) -> None:
    way = degradations.get(name)
    for amount in (way.least - 1, way.most + 1, float("nan")):
        with pytest.raises(DataError, match="takes an amount from"):
            degraded(picture(), name, amount, seed=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_cine_is_made_worse_frame_by_frame(name: str) -> None:
    one = picture()
    cine = Image(np.stack([one.array, one.array]), times_s=(0.0, 1.0))
    made = degraded(cine, name, degradations.get(name).amounts[0], seed=1)
    assert made.array.shape == cine.array.shape and made.times_s == cine.times_s
    first = degraded(one, name, degradations.get(name).amounts[0], seed=1)
    assert np.array_equal(made.array[0], first.array)


def test_unknown_ones_and_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(UnknownName):
        degraded(picture(), "fog", 1.0, seed=0)
    bad = picture().array.copy()
    bad[0, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match="not finite"):
        degraded(Image(bad), "noise", 5.0, seed=0)


def test_noise_has_the_stated_deviation() -> None:
    ramp = np.full((1, 1, 100, 100), 0.5)
    ramp[0, 0, 0, :2] = 0.0, 1.0  # the reach is 1
    off = degraded(Image(ramp), "noise", 5.0, seed=1).array - ramp
    assert off[0, 0, 1:].std() == pytest.approx(0.05, rel=0.03)


def test_blur_spreads_a_point_as_wide_as_is_stated() -> None:
    point = np.zeros((1, 1, 65, 65))
    point[0, 0, 32, 32] = 1.0
    made = degraded(Image(point), "blur", 3.0, seed=0).array[0, 0]
    y = np.arange(65) - 32
    assert np.sqrt((made.sum(axis=1) * y**2).sum() / made.sum()) == pytest.approx(3.0, rel=0.01)
    assert made.sum() == pytest.approx(1.0, rel=1e-6)


def test_missing_slices_are_interpolated_and_the_end_repeats() -> None:
    heights = np.array([0.0, 9.0, 2.0, 9.0, 4.0, 9.0])  # kept: 0, 2, 4
    volume = np.broadcast_to(heights[:, None, None], (1, 6, 4, 4)).copy()
    made = degraded(Image(volume), "slices", 2.0, seed=0).array[0, :, 0, 0]
    assert np.allclose(made, [0, 1, 2, 3, 4, 4])
    with pytest.raises(DataError, match="volume alone"):
        degraded(picture(shape=(1, 1, 16, 16)), "slices", 2.0, seed=0)


def test_a_linear_ramp_survives_a_coarser_grid_inside() -> None:
    ramp = np.broadcast_to(np.linspace(0, 1, 32), (1, 1, 32, 32)).copy()
    made = degraded(Image(ramp), "spacing", 2.0, seed=0).array
    assert np.abs(made - ramp)[..., 4:-4].max() < 0.02
    dots = np.indices((32, 32)).sum(axis=0)[None, None] % 2.0  # finer than the coarse grid
    assert degraded(Image(dots), "spacing", 2.0, seed=0).array.std() < 0.1


@pytest.mark.parametrize("unit", ["HU", None])
def test_a_quarter_of_the_dose_doubles_the_noise(unit: str | None) -> None:
    draw = np.random.default_rng(0)
    flat = 500 + draw.normal(0, 10, (1, 2, 96, 96))
    flat[0, :, 0, 0], flat[0, :, 0, 1] = 0, 1000
    image = Image(flat, unit=unit)
    made = degraded(image, "dose", 25.0, seed=1)
    assert own_noise(flat[0]) == pytest.approx(10, rel=0.06)
    assert made.array[0, :, 1:].std() == pytest.approx(20, rel=0.08)


def test_counts_lose_more_where_there_are_more_of_them() -> None:
    draw = np.random.default_rng(0)
    counts = draw.poisson(np.broadcast_to(np.where(np.arange(96) < 48, 20.0, 180.0), (1, 1, 96, 96)))
    image = Image(counts.astype(np.float64))
    off = degraded(image, "dose", 25.0, seed=1).array - image.array
    assert off[..., 52:].std() / off[..., :44].std() == pytest.approx(3.0, rel=0.15)  # roots of 180 and of 20


def test_what_a_lower_dose_does_to_an_image_without_noise_is_not_guessed() -> None:
    ramp = np.broadcast_to(np.linspace(0, 1, 32), (1, 1, 32, 32)).copy()
    with pytest.raises(DataError, match="no noise of its own"):
        degraded(Image(ramp), "dose", 50.0, seed=0)


def test_channels_are_scaled_each_by_itself_and_colours_together() -> None:
    faint = np.concatenate([picture().array, picture().array / 1000])
    off = degraded(Image(faint), "noise", 10.0, seed=0).array - faint
    assert off[0].std() / off[1].std() == pytest.approx(1000, rel=0.1)
    three = np.concatenate([picture().array * share for share in (1.0, 0.5, 0.1)])
    colours = Image(three, channels=("red", "green", "blue"))
    made = degraded(colours, "noise", 5.0, seed=0).array - three
    assert made[1].std() == pytest.approx(made[0].std(), rel=0.2)


def by_hand(name: str, make: Callable[[Array], Array]) -> None:
    image = replace(picture(), array=picture().array.astype(np.float64))
    amount = degradations.get(name).amounts[0]
    low, high = image.array.min(), image.array.max()
    scaled = (image.array - low) / (high - low)
    assert np.allclose(degraded(image, name, amount, seed=0).array, make(scaled) * (high - low) + low)


def test_contrast_and_gamma_follow_their_formulas() -> None:
    by_hand("contrast", lambda x: 0.7 * x + 0.3 * x.mean())
    by_hand("gamma", lambda x: x**1.5)


def test_contrast_keeps_the_brightness_of_each_channel() -> None:
    two = np.concatenate([picture().array, 1000 - picture().array ** 2 / 1000]).astype(np.float64)
    made = degraded(Image(two), "contrast", 50.0, seed=0).array
    assert np.allclose(made.mean(axis=(1, 2, 3)), two.mean(axis=(1, 2, 3)))
