"""Mass: what lies in a prepared field is all found again on the image's own grid, whatever is done between."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.prepare.batch import Example
from vesalius.prepare.geometry import forward_points, layout
from vesalius.prepare.mass import INSIDE, Backward, inner_mass, inside_of, share_weights, within

OBLIQUE = np.diag([-0.7, -0.8, 2.5, 1.0])[[1, 2, 0, 3]]  # axes exchanged and flipped


@pytest.mark.parametrize(("n_out", "n_in"), [(5, 5), (7, 3), (3, 7), (100, 37), (37, 100), (1, 9), (9, 1)])
def test_what_is_shared_out_is_all_there(n_out: int, n_in: int) -> None:
    weights = share_weights(n_out, n_in)
    assert weights.shape == (n_out, n_in)
    assert np.allclose(np.asarray(weights.sum(axis=0)), 1.0)
    assert (weights.toarray() >= 0).all()


@pytest.mark.parametrize("shape", [(6, 20, 33), (31, 9, 14), (1, 40, 23)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mass_comes_home_in_stretches(shape: tuple[int, int, int], axis: int) -> None:
    rng = np.random.default_rng(0)
    spacing = None if shape[0] == 1 else (1.3, 1.1, 1.7)
    affine = None if shape[0] == 1 else OBLIQUE
    image = Image(np.zeros((1, *shape), np.uint8), affine=affine)
    size = (1, 48, 48) if shape[0] == 1 else (40, 40, 40)
    undo = layout(image, canonical=True, spacing_mm=spacing, size=size, whole=shape[0] == 1)
    field = rng.random((2, *undo.shape)).astype(np.float32)
    home = Backward(undo)
    for start in range(0, undo.shape[axis], 7):
        where: list[slice] = [slice(None)] * 4
        where[axis + 1] = slice(start, start + 7)
        home.add(axis, start, field[tuple(where)])
    example = Example("a", {"image": field}, ragged={INSIDE: inside_of(undo)})
    inner = field[(slice(None), *within(example))].sum(axis=(1, 2, 3), dtype=np.float64)
    assert np.allclose(home.counts(), inner)
    assert home.native().shape == (2, *shape) and home.native().min() >= 0
    assert np.allclose(home.native().sum(axis=(1, 2, 3), dtype=np.float64), inner, rtol=1e-5)
    assert inner[0] < field[0].sum()  # what lies in the padding counts for nothing


def test_mass_comes_home_to_its_place() -> None:
    image = Image(np.zeros((1, 12, 40, 30), np.uint8), affine=OBLIQUE)
    undo = layout(image, canonical=True, spacing_mm=(1.3, 1.1, 1.7), size=(8, 8, 8), whole=False)
    place = np.array([[6.5, 21.5, 9.5]])
    z, y, x = np.floor(forward_points(place, undo)[0]).astype(int)
    field = np.zeros((1, *undo.shape), np.float32)
    field[0, z, y, x] = 3.0
    home = Backward(undo)
    home.add(0, 0, field)
    found = home.native()[0].astype(np.float64)
    middle = [float((found * (i + 0.5)).sum() / found.sum()) for i in np.indices(found.shape)]
    assert np.allclose(middle, place[0], atol=1.3) and found.sum() == pytest.approx(3.0, rel=1e-5)


def test_nothing_is_no_field() -> None:
    undo = layout(Image(np.zeros((1, 1, 4, 4))), canonical=True, spacing_mm=None, size=None, whole=False)
    with pytest.raises(DataError, match="empty"):
        Backward(undo).native()


def test_the_share_of_a_kernel_inside_is_that_of_a_normal_law() -> None:
    centre, sigma = np.array([[1.0, 5.0, 2.0]]), np.array([[2.0, 1.0, 0.5]])
    by_hand = 1.0
    for c, s, high in zip(centre[0], sigma[0], (8.0, 8.0, 8.0), strict=True):
        by_hand *= norm.cdf(high, c, s) - norm.cdf(0.0, c, s)
    assert inner_mass(centre, sigma, (0, 0, 0), (8, 8, 8))[0] == pytest.approx(by_hand)
