"""Runs of voxels that changed: against a reading of them one voxel at a time, and faulty ones."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.serve.http.clicks.flips import flipped, flips


def test_runs_by_hand() -> None:
    mask = np.zeros((1, 2, 5), bool)
    mask[0, 0, 1:3] = mask[0, 1, 4] = True
    assert flips(None, mask) == [1, 2, 6, 1]
    other = mask.copy()
    other[0, 0, 2:4] = [False, True]
    assert flips(mask, other) == [2, 2] and flips(mask, mask) == []


def test_they_lead_back() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.random((2, 4, 5, 6)) > 0.5
    assert np.array_equal(flipped(a, flips(a, b), (4, 5, 6)), b)
    assert np.array_equal(flipped(None, flips(None, b), (4, 5, 6)), b)


@pytest.mark.parametrize("runs", [[1], [0, 121], [-1, 3], [100, 10, 10, 1]])
def test_runs_that_fit_no_image_are_refused(runs: list[int]) -> None:
    with pytest.raises(DataError, match="do not fit the image"):
        flipped(None, runs, (4, 5, 6))
