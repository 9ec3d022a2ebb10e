"""Synthetic defects: reproducible, in one part, where they may be, and refused where none can be cut."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.shapes.defects import cut

AFFINE = np.diag([-4.0, 4.0, 4.0, 1.0])


@pytest.fixture(scope="module")
def shell() -> Array:
    """A shell of bone of 160 mm, 10 mm thick."""
    far = np.sqrt(((np.indices((48, 48, 48)) - 23.5) ** 2).sum(axis=0)) * 4
    found: Array = (far < 80) & (far > 70)
    return found


def test_a_cut_is_the_same_for_the_same_seed_and_both_parts_are_the_whole(shell: Array) -> None:
    one, again, other = (cut(shell, AFFINE, 7, index=k) for k in (0, 0, 1))
    assert np.array_equal(one.implant, again.implant) and not np.array_equal(one.implant, other.implant)
    for made in (one, other):
        assert (
            np.array_equal(made.implant | made.defective, shell) and not (made.implant & made.defective).any()
        )
        assert ndimage.label(made.implant, np.ones((3, 3, 3)))[1] == 1
        volume = made.implant.sum() * 0.064  # ml
        assert volume == pytest.approx(made.saw.area_cm2 * 1.0, rel=0.6)  # a plate of 10 mm


def test_holes_go_through_and_differ(shell: Array) -> None:
    """Seen from the middle, a hole is open: no bone is left in the direction of the saw."""
    sizes = []
    for index in range(8):
        made = cut(shell, AFFINE, 1, index=index)
        sizes.append(made.saw.area_cm2)
        middle = np.array([-4.0, 4.0, 4.0]) * 23.5
        way = made.saw.point_mm - middle
        for far in np.linspace(0.7, 1.1, 16):
            x, y, z = np.round((middle + far * way) / np.diag(AFFINE)[:3]).astype(int)
            assert not made.defective[z, y, x]
        assert made.saw.point_mm[2] > middle[2] - 0.1 * 160  # the upper part
    assert max(sizes) > 2 * min(sizes)


def test_where_a_hole_may_be(shell: Array) -> None:
    where = np.zeros_like(shell)
    where[:, :, :20] = True
    for index in range(4):
        made = cut(shell, AFFINE, 3, index=index, where=where, diameter_mm=(20, 30))
        assert np.nonzero(made.implant)[2].max() < 28


def test_what_cannot_be_cut_is_refused(shell: Array) -> None:
    with pytest.raises(DataError, match="diameters"):
        cut(shell, AFFINE, 0, diameter_mm=(30, 20))
    with pytest.raises(DataError, match="no hole of 1 to 2 mm"):
        cut(shell, AFFINE, 0, diameter_mm=(1, 2))
    with pytest.raises(DataError, match="empty"):
        cut(np.zeros_like(shell), AFFINE, 0)
    with pytest.raises(DataError, match="no place"):
        cut(shell, AFFINE, 0, where=np.zeros_like(shell))
