"""Texture matrices against published examples and cases that were worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.feature import graycomatrix

from vesalius.core.image import Array
from vesalius.radiomics.families import glcm, gldm, glrlm, glszm, ngtdm
from vesalius.radiomics.offsets import lines, offsets
from vesalius.radiomics.region import Region
from vesalius.radiomics.settings import Settings
from vesalius.radiomics.sizes import Sizes

USUAL = Settings()
# Thibault's example as PyRadiomics' documentation has it
ZONES = np.array([[5, 2, 5, 4, 4], [3, 3, 3, 1, 3], [2, 1, 1, 1, 3], [4, 2, 2, 2, 3], [3, 5, 3, 3, 2]])[None]


def full(matrix: Sizes, shape: tuple[int, int]) -> list[list[int]]:
    """Return a matrix of levels and sizes with its empty cells."""
    found = np.zeros(shape, int)
    found[matrix.level.astype(int) - 1, matrix.size.astype(int) - 1] = matrix.count
    return found.tolist()


def test_cooccurrence_equals_haralick_1973() -> None:
    """The 4 × 4 image of Haralick's figure 3, with its four matrices; grey levels are counted from 1 here."""
    image = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 2, 2, 2], [2, 2, 3, 3]])[None] + 1
    wanted = {
        (0, 0, 1): [[4, 2, 1, 0], [2, 4, 0, 0], [1, 0, 6, 1], [0, 0, 1, 2]],
        (0, 1, -1): [[4, 1, 0, 0], [1, 2, 2, 0], [0, 2, 4, 1], [0, 0, 1, 0]],
        (0, 1, 0): [[6, 0, 2, 0], [0, 4, 2, 0], [2, 2, 2, 2], [0, 0, 2, 0]],
        (0, 1, 1): [[2, 1, 3, 0], [1, 2, 1, 0], [3, 1, 0, 2], [0, 0, 2, 0]],
    }
    ways = offsets(image.shape)
    assert set(ways) == set(wanted)
    for way, found in zip(ways, glcm.matrices(image, USUAL), strict=True):
        assert found.tolist() == wanted[way], way
    (merged,) = glcm.matrices(image, Settings(merged=True))
    assert merged.tolist() == sum(np.array(w) for w in wanted.values()).tolist()


def test_cooccurrence_equals_scikit_image(rng: np.random.Generator) -> None:
    image = rng.integers(1, 6, (1, 9, 7))
    theirs = graycomatrix(image[0].astype(np.uint8) - 1, [2], [0], levels=5, symmetric=True)[:, :, 0, 0]
    ways = offsets(image.shape, distances=(2,))
    found = dict(zip(ways, glcm.matrices(image, Settings(distances=(2,))), strict=True))
    assert found[(0, 0, 2)].tolist() == theirs.tolist()


def test_runs_equal_galloway_1975() -> None:
    """Galloway's 4 × 4 image, runs along rows."""
    image = np.array([[0, 1, 2, 3], [0, 2, 3, 3], [2, 1, 1, 1], [3, 0, 3, 0]])[None] + 1
    ways = offsets(image.shape)
    found = dict(zip(ways, glrlm.matrices(image, USUAL), strict=True))
    assert full(found[(0, 0, 1)], (4, 4)) == [[4, 0, 0, 0], [1, 0, 1, 0], [3, 0, 0, 0], [3, 1, 0, 0]]
    # columns: 0 0 2 3 | 1 2 1 0 | 2 3 1 3 | 3 3 1 0
    assert full(found[(0, 1, 0)], (4, 2)) == [[2, 1], [4, 0], [3, 0], [3, 1]]


def test_zones_and_dependences_of_the_documented_example() -> None:
    zones = [[0, 0, 0, 1, 0], [1, 0, 0, 0, 1], [1, 0, 1, 0, 1], [1, 1, 0, 0, 0], [3, 0, 0, 0, 0]]
    assert full(glszm.matrix(ZONES, USUAL), (5, 5)) == zones
    alike = [[0, 1, 2, 1], [1, 2, 3, 0], [1, 4, 4, 0], [1, 2, 0, 0], [3, 0, 0, 0]]
    assert full(gldm.matrix(ZONES, USUAL), (5, 4)) == alike


def test_neighbourhood_differences_of_the_documented_example() -> None:
    image = np.array([[1, 2, 5, 2], [3, 5, 1, 3], [1, 3, 5, 5], [3, 1, 1, 1]])[None]
    level, count, sums = ngtdm.matrix(image, USUAL)
    assert level.tolist() == [1, 2, 3, 5] and count.tolist() == [6, 2, 4, 4]
    assert sums.tolist() == pytest.approx([13.35, 2.0, 0.6 + 0.6 + 0.5 + 4 / 3, 10.075])
    # a voxel without a neighbour in the region is not counted
    alone = np.array([[1, 2, 0, 0, 3]])[None]
    assert ngtdm.matrix(alone, USUAL)[1].tolist() == [1, 1]


def test_dependence_counts_levels_that_are_near() -> None:
    image = np.array([[1, 2, 4]])[None]
    assert full(gldm.matrix(image, Settings(dependence=1)), (4, 2)) == [[0, 1], [0, 1], [0, 0], [1, 0]]


def test_nothing_reaches_across_slices_where_neighbours_are_flat() -> None:
    image = np.stack([ZONES[0], ZONES[0]])
    flat = Settings(flat=True)
    assert (
        full(glszm.matrix(image, flat), (5, 5))
        == (2 * np.array(full(glszm.matrix(ZONES, USUAL), (5, 5)))).tolist()
    )
    assert (
        full(gldm.matrix(image, flat), (5, 4))
        == (2 * np.array(full(gldm.matrix(ZONES, USUAL), (5, 4)))).tolist()
    )
    assert len(glcm.matrices(image, flat)) == len(glrlm.matrices(image, flat)) == 4
    assert full(glszm.matrix(image, USUAL), (5, 10))[0] == [0] * 7 + [
        1,
        0,
        0,
    ]  # both zones of level 1 are one


def test_every_line_is_walked_once(rng: np.random.Generator) -> None:
    """Along each direction all voxels are there, next to the one that lies at the offset."""
    volume = np.arange(1, 1 + 3 * 4 * 5).reshape(3, 4, 5)
    ways = offsets(volume.shape)
    assert len(ways) == 13
    for way, line in zip(ways, lines(volume, ways), strict=True):
        assert sorted(line[line > 0]) == sorted(volume.ravel())
        z, y, x = way
        for first, second in zip(line[:-1], line[1:], strict=True):
            if first and second:
                at, to = (np.argwhere(volume == v)[0] for v in (first, second))
                assert (to - at).tolist() == [z, y, x]


def test_merged_runs_are_the_sum_of_all_directions(rng: np.random.Generator) -> None:
    levels = rng.integers(0, 4, (4, 5, 6))
    each = sum(np.array(full(m, (3, 6))) for m in glrlm.matrices(levels, USUAL))
    (merged,) = glrlm.matrices(levels, Settings(merged=True))
    assert full(merged, (3, 6)) == each.tolist()


def test_a_flat_region_has_the_limits_of_the_definitions() -> None:
    """One grey level: no entropy, full correlation, and the coarsest there is, as PyRadiomics has it."""
    about = region_like(np.ones((2, 3, 3), int))
    found = glcm.glcm(about, USUAL)
    assert (found["JointEntropy"], found["Correlation"], found["MCC"], found["Imc2"]) == (0, 1, 1, 0)
    assert ngtdm.ngtdm(about, USUAL) == {
        "Busyness": 0, "Coarseness": 1e6, "Complexity": 0, "Contrast": 0, "Strength": 0
    }  # fmt: skip


def test_one_voxel_has_no_texture_and_says_so() -> None:
    about = region_like(np.ones((1, 1, 1), int))
    assert all(np.isnan(v) for v in glcm.glcm(about, USUAL).values())
    assert all(np.isnan(v) for v in ngtdm.ngtdm(about, USUAL).values())
    assert glrlm.glrlm(about, USUAL)["RunPercentage"] == glszm.glszm(about, USUAL)["ZonePercentage"] == 1


def region_like(levels: Array) -> Region:
    inside = levels > 0
    return Region(inside, inside, levels.astype(float), levels.astype(np.int32), np.ones(3))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)
