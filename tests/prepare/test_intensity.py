"""Intensities: each way of normalising against a value worked out by hand, and what is not a number."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.channels import COLOURS
from vesalius.core.errors import MismatchError
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
    three = to_channels(grey, 3, planned=COLOURS)
    found = normalise(three, [Normalisation(method="fixed", mean=1, sd=1)] * 3)
    assert found.dtype == np.float32 and grey.ravel().tolist() == [0, 1, 2, 3]
    assert found[2].ravel().tolist() == [-1, 0, 1, 2]


def test_colour_becomes_grey_by_its_mean_and_nothing_else_is_made_up() -> None:
    colour = np.stack([np.full((1, 2, 2), v, dtype=np.uint8) for v in (250, 10, 100, 255)])
    rgba = (*COLOURS, "alpha")
    assert np.allclose(to_channels(colour, 1, names=rgba), 120.0), "the fourth is opacity"
    assert np.array_equal(to_channels(colour, 3, names=rgba, planned=COLOURS), colour[:3])
    want = colour[:3].mean(axis=0, keepdims=True, dtype=np.float32)
    assert np.array_equal(to_channels(colour[:3], 1, names=("R", "G", "B")), want)
    for count, channels in ((4, 1), (3, 1), (4, 3), (2, 1)):  # nobody says that they are colours
        with pytest.raises(MismatchError, match=f"found {count} channels, learned from {channels} channel"):
            to_channels(colour[:count], channels)


def test_grey_is_repeated_for_colours_alone() -> None:
    grey = row(1, 2, 3)
    assert to_channels(grey, 3, planned=COLOURS).shape == (3, 1, 1, 3)
    for planned in ((), ("FLAIR", "T1w", "T2w")):
        with pytest.raises(MismatchError, match="found 1 channel, learned from 3 channels"):
            to_channels(grey, 3, planned=planned)
    with pytest.raises(MismatchError, match=r"learned from 4 channels \(FLAIR, T1w, t1gd, T2w\)"):
        to_channels(grey, 4, planned=("FLAIR", "T1w", "t1gd", "T2w"))


def test_channels_of_the_same_names_are_put_into_the_learned_order() -> None:
    array = np.arange(4, dtype=np.float32).reshape(4, 1, 1, 1)
    learned = ("FLAIR", "T1w", "t1gd", "T2w")
    found = to_channels(array, 4, names=("t1", "T1-Gd", "T2", "flair"), planned=learned)
    assert found.ravel().tolist() == [3, 0, 1, 2]
    assert to_channels(array, 4, planned=learned) is array, "without names on one side the count must do"
    assert to_channels(array, 4, names=learned) is array
    with pytest.raises(MismatchError, match="ADC"):
        to_channels(array, 4, names=("ADC", "T1w", "t1gd", "T2w"), planned=learned)
    with pytest.raises(MismatchError, match="colours"):
        to_channels(array[:3], 3, names=COLOURS, planned=("FLAIR", "T1", "T2"))
