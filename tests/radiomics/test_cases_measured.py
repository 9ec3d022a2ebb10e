"""Cases that could be measured wrongly without a sign: units, channels, empty masks, grey levels, grids."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError, PlanError, UnknownName
from vesalius.core.image import Array, Image
from vesalius.radiomics import Settings, measured, names_of
from vesalius.radiomics.case import rows_of
from vesalius.radiomics.region import grey_levels, region
from vesalius.radiomics.settings import settings_of

USUAL = Settings()


def volume(rng: np.random.Generator, shape: tuple[int, ...] = (1, 6, 9, 9), **about: object) -> Image:
    told: dict[str, object] = {"spacing_mm": (1.0, 1.0, 2.0), "unit": "HU"} | about
    return Image(rng.normal(40, 60, shape).round().astype(np.int16), **told)  # type: ignore[arg-type]


def middle(image: Image) -> Array:
    found = np.zeros(image.shape, bool)
    found[tuple(slice(n // 4, n - n // 4) for n in image.shape)] = True
    return found


def test_a_row_says_what_it_was_measured_on(rng: np.random.Generator) -> None:
    image = volume(rng)
    found = rows_of(image, [("lesion", middle(image)), ("cyst", np.zeros(image.shape, bool))], settings=USUAL)
    (row,) = found.rows
    assert (row["label"], row["lengths"], row["intensities"]) == ("lesion", "mm", "HU")
    assert (row["spacing_x"], row["spacing_z"], row["voxels"]) == (1, 2, middle(image).sum())
    assert row["original_shape_VoxelVolume"] == 2 * row["voxels"]
    assert found.aside == ("cyst: the mask is empty",)  # and no row of zeros
    assert [n for n in row if n.startswith("original")] == list(names_of(USUAL, flat=False))


def test_a_picture_without_spacing_is_measured_in_pixels_and_a_volume_is_refused(
    rng: np.random.Generator,
) -> None:
    picture = volume(rng, (1, 1, 9, 9), spacing_mm=None, unit=None)
    (row,) = rows_of(picture, [("spot", middle(picture))], settings=USUAL).rows
    assert (
        row["lengths"] == "pixels"
        and "original_shape2D_Perimeter" in row
        and "original_shape_Flatness" not in row
    )
    with pytest.raises(DataError, match="size of the image's voxels is not known"):
        rows_of(volume(rng, spacing_mm=None), [], settings=USUAL)
    with pytest.raises(DataError, match="size of the image's voxels is not known"):
        rows_of(picture, [], settings=Settings(spacing_mm=(1, 1, 1)))


def test_a_picture_stays_one_slice_when_it_is_resampled(rng: np.random.Generator) -> None:
    picture = volume(rng, (1, 1, 12, 12), spacing_mm=(0.5, 0.5, 4.0))
    (row,) = rows_of(picture, [("spot", middle(picture))], settings=Settings(spacing_mm=(1, 1, 1))).rows
    assert (row["spacing_x"], row["spacing_z"], row["voxels"]) == (1, None, 9)
    assert row["original_shape2D_PixelSurface"] == 9


def test_lengths_at_the_detector_are_called_so(rng: np.random.Generator) -> None:
    picture = volume(rng, (1, 1, 9, 9), spacing_at="detector")
    assert (
        rows_of(picture, [("spot", middle(picture))], settings=USUAL).rows[0]["lengths"]
        == "mm at the detector"
    )


def test_one_of_several_channels_must_be_chosen(rng: np.random.Generator) -> None:
    image = volume(rng, (2, 6, 9, 9))
    regions = [("lesion", middle(image))]
    with pytest.raises(DataError, match=r"several channels.*channel=0"):
        rows_of(image, regions, settings=USUAL)
    with pytest.raises(DataError, match="no channel 2"):
        rows_of(image, regions, settings=Settings(channel=2))
    (row,) = rows_of(image, regions, settings=Settings(channel=1)).rows
    assert row["original_firstorder_Mean"] == image.array[1][middle(image)].mean()
    grey = Image(np.repeat(image.array[:1], 3, axis=0), spacing_mm=(1, 1, 1))
    assert len(rows_of(grey, regions, settings=USUAL).rows) == 1  # three equal channels are one


def test_intensities_that_are_no_numbers_are_refused_inside_the_mask_alone(rng: np.random.Generator) -> None:
    values, mask = rng.normal(0, 50, (6, 6, 6)), np.zeros((6, 6, 6), bool)
    mask[2:4, 2:4, 2:4] = True
    values[0, 0, 0] = np.nan
    assert np.isfinite(measured(values, mask, (1, 1, 1), settings=USUAL)["original_glcm_Contrast"])
    values[2, 2, 2] = np.nan
    with pytest.raises(DataError, match="1 voxel of the mask is NaN"):
        measured(values, mask, (1, 1, 1), settings=USUAL)
    with pytest.raises(DataError, match="grid"):
        measured(values, mask[1:], (1, 1, 1), settings=USUAL)


def test_grey_levels_begin_at_multiples_of_the_width() -> None:
    """So that a level is the same intensity in every case; the least that occurs is level 1."""
    assert grey_levels(np.array([-30.0, -25, -1, 0, 24.9, 25]), USUAL).tolist() == [1, 2, 2, 3, 3, 4]
    assert grey_levels(np.array([30.0, 49, 50, 74]), USUAL).tolist() == [1, 1, 2, 2]
    assert grey_levels(np.array([0.0, 1, 2, 4]), Settings(bin_count=4)).tolist() == [1, 2, 3, 4]
    assert grey_levels(np.array([7.0, 7]), Settings(bin_count=4)).tolist() == [1, 1]
    assert (
        grey_levels(np.array([0.0, 1, 2, 4]), Settings(bin_count=4)).max() == 4
    )  # the greatest is within, not above
    with pytest.raises(DataError, match=r"more than 1024 grey levels.*bin_width"):
        grey_levels(np.array([0.0, 65535]), USUAL)


def test_a_range_leaves_voxels_out_of_intensities_but_not_of_the_shape(rng: np.random.Generator) -> None:
    values, mask = rng.normal(0, 10, (5, 6, 7)), np.ones((5, 6, 7), bool)
    values[0, 0, 0] = 900
    found = region(values, mask, np.ones(3), Settings(range=(-3, 3), range_of="sigma"))
    assert found.body.all() and found.inside.sum() == mask.sum() - 1
    with pytest.raises(DataError, match="no voxel of the mask"):
        region(values, mask, np.ones(3), Settings(range=(5000, 6000)))


def test_features_do_not_depend_on_how_the_volume_lies(rng: np.random.Generator) -> None:
    """Turned and mirrored, all but the diameters that name a plane stay as they are."""
    values, mask = rng.normal(0, 60, (6, 7, 8)), rng.random((6, 7, 8)) < 0.7
    one = measured(values, mask, (1, 1, 1), settings=USUAL)
    turned = measured(
        values.transpose(2, 0, 1)[::-1], mask.transpose(2, 0, 1)[::-1], (1, 1, 1), settings=USUAL
    )
    for name, value in one.items():
        if "Maximum2D" not in name:
            assert turned[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name


def test_resampling_finds_the_same_lesion_on_other_voxels() -> None:
    """A smooth ball on voxels of .8 × .8 × 2.4 mm has, brought to 1 mm, the figures of one drawn at 1 mm."""

    def drawn(spacing: tuple[float, float, float], shape: tuple[int, int, int]) -> tuple[Array, Array]:
        places = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing[::-1], strict=True)]
        z, y, x = np.meshgrid(*places, indexing="ij")
        far = np.sqrt(x**2 + y**2 + z**2)
        return 100 * np.cos(far / 12), far <= 11

    there = measured(*drawn((1, 1, 1), (30, 30, 30)), (1, 1, 1), settings=USUAL)
    here = measured(
        *drawn((0.8, 0.8, 2.4), (13, 40, 40)), (0.8, 0.8, 2.4), settings=Settings(spacing_mm=(1, 1, 1))
    )
    for name in ("shape_MeshVolume", "firstorder_Mean", "glcm_JointEntropy", "firstorder_90Percentile"):
        assert here[f"original_{name}"] == pytest.approx(there[f"original_{name}"], rel=0.06), name


def test_settings_are_read_as_typed() -> None:
    found = settings_of(
        {"bin_width": "10", "families": "shape,glcm", "spacing_mm": "1,1,2", "flat": "true", "range": "-3,3"}
    )
    assert found == Settings(
        families=("shape", "glcm"), bin_width=10, spacing_mm=(1, 1, 2), flat=True, range=(-3, 3)
    )
    assert settings_of({"distances": "2", "bin_count": 32}) == Settings(distances=(2,), bin_count=32)
    assert settings_of({"families": "firstorder"}).families == ("firstorder",)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"bin_width": "wide"}, "bin_width must be a number"),
        ({"bin_width": "0"}, "bin_width must be above 0"),
        ({"bin_count": "4000"}, "bin_count must be from 1 to 1024"),
        ({"range": "3,-3"}, "the lower one first"),
        ({"spacing_mm": "1,1"}, "spacing_mm"),
        ({"distances": "0"}, "distances must be whole numbers from 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, str], text: str) -> None:
    with pytest.raises(PlanError, match=text):
        settings_of(given)


def test_unknown_names_are_met_with_the_closest() -> None:
    with pytest.raises(UnknownName, match="closest: bin_width"):
        settings_of({"binwidth": 25})
    with pytest.raises(UnknownName, match="closest: glcm"):
        names_of(Settings(families=("glcmm",)), flat=False)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)
