"""Intensities: each way of normalising against a value worked out by hand, and what is not a number."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.core.plan import Normalisation
from vesalius.prepare.intensity import normalise, to_channels


def row(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32).reshape(1, 1, 1, -1)


def test_each_way_by_hand() -> None:
    hu = row(-1000, 0, 50, 100, 3000)
    fixed = Normalisation(method="fixed", low=-100, high=200, mean=50, sd=25)
    assert normalise(hu, [fixed]).ravel().tolist() == [-6, -2, 0, 2, 6]
    unit = Normalisation(method="unit", low=0, high=100)
    assert normalise(row(-5, 0, 50, 75, 400), [unit]).ravel().tolist() == [-1, -1, 0, 0.5, 1]
    z = normalise(row(1, 3, 5, 7), [Normalisation(method="zscore")]).ravel()  # mean 4, variance 5
    assert np.allclose(z, np.array([-3, -1, 1, 3]) / np.sqrt(5), atol=1e-6)


def test_each_channel_by_itself() -> None:
    both = np.concatenate([row(0, 10), row(0, 1000)])
    found = normalise(both, [Normalisation(method="zscore")] * 2)
    assert np.allclose(found[0], found[1])


def test_a_flat_image_becomes_zeros() -> None:
    assert not normalise(row(7, 7, 7), [Normalisation(method="zscore")]).any()


def test_what_is_not_finite_becomes_the_lowest() -> None:
    plain = Normalisation(method="fixed", mean=0, sd=1)
    assert normalise(row(np.nan, 2, np.inf, -np.inf, 5), [plain]).ravel().tolist() == [2, 2, 2, 2, 5]
    limited = Normalisation(method="fixed", low=-1, high=4, mean=0, sd=1)
    assert normalise(row(np.nan, 2, 5), [limited]).ravel().tolist() == [-1, 2, 4]
    assert not normalise(row(np.nan, np.nan), [plain]).any()


def test_integers_and_views_that_cannot_be_written_are_copied() -> None:
    grey = np.arange(4, dtype=np.uint8).reshape(1, 1, 1, 4)
    three = to_channels(grey, 3)
    found = normalise(three, [Normalisation(method="fixed", mean=1, sd=1)] * 3)
    assert found.dtype == np.float32 and grey.ravel().tolist() == [0, 1, 2, 3]
    assert found[2].ravel().tolist() == [-1, 0, 1, 2]


def test_colour_becomes_grey_by_its_mean_and_nothing_else_is_made_up() -> None:
    colour = np.stack([np.full((1, 2, 2), v, dtype=np.uint8) for v in (250, 10, 100, 255)])
    assert np.allclose(to_channels(colour, 1), 120.0), "the fourth is opacity"
    with pytest.raises(DataError, match="another number of channels"):
        to_channels(colour, 3)
