"""PET: the label follows from the truth, is seen in the pixels, and is not told by how bright a picture is."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage, stats

import vesalius as vs
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.phantom import pet
from vesalius.phantom.tracer.body import Body, draw_body
from vesalius.phantom.tracer.scan import SCANNERS, Conditions, displayed, moved, scanned, survival

FEWER = {"size": 48}  # pixels a side, which is faster


@pytest.fixture(scope="module")
def made() -> list[pet.PetPatient]:
    """Three hundred patients."""
    return [pet.patient(k, 7, size=48) for k in range(300)]


def body() -> Body:
    random = np.random.default_rng
    return draw_body(random(1), random(2), size=96, depth=1)


STILL = Conditions(counts=1e5, motion_mm=0.0, breathing=True, direction=0.0, until=0.5, scatter=0.1)


def auc(values: Array, positive: Array) -> float:
    """Area under the ROC curve whichever way the value points, by Mann and Whitney's statistic."""
    u = stats.mannwhitneyu(values[positive], values[~positive]).statistic
    area = float(u) / (positive.sum() * (~positive).sum())
    return max(area, 1 - area)


def test_the_oracle_that_reads_the_truth_is_always_right(made: list[pet.PetPatient]) -> None:
    assert all(pet.oracle(json.loads(json.dumps(one.truth()))) == one.quality for one in made)
    assert min(Counter(one.quality for one in made).values()) > 75  # of 300


def test_the_worst_of_three_aspects_decides() -> None:
    good = {"noise": 0.1, "motion_mm": 1.0, "scatter": 0.2}
    assert pet.grade(**good) == "good"
    for name, usable, poor in (("noise", 0.2, 0.3), ("motion_mm", 5.0, 9.0), ("scatter", 0.3, 0.5)):
        assert pet.grade(**good | {name: usable}) == "usable"
        assert pet.grade(**good | {name: poor}) == "poor"
    assert pet.grade(noise=0.2, motion_mm=5.0, scatter=0.3) == "usable"  # three times usable is not poor


def test_neither_the_mean_nor_the_maximum_tells_the_quality(made: list[pet.PetPatient]) -> None:
    quality = np.array([one.quality for one in made])
    for what in (np.mean, np.max):
        told = np.array([float(what(one.volume)) for one in made])
        assert max(auc(told, quality == grade) for grade in pet.GRADES) < 0.62  # chance alone reaches .56


def test_the_noise_that_is_told_is_that_of_many_scans() -> None:
    one, conditions = body(), replace(STILL, counts=8e3)
    images = [scanned(one, conditions, SCANNERS["A"], np.random.default_rng(k)) for k in range(150)]
    pixels = np.stack([image[one.liver] for image, _ in images])  # (scans, voxels of the liver)
    measured = (pixels.std(axis=0, ddof=1).mean() / pixels.mean()).item()
    assert images[0][1] == pytest.approx(measured, rel=0.03)


def test_four_times_the_counts_halve_the_noise() -> None:
    _, few = scanned(body(), replace(STILL, counts=1e4), SCANNERS["A"], np.random.default_rng(0))
    _, many = scanned(body(), replace(STILL, counts=4e4), SCANNERS["A"], np.random.default_rng(0))
    assert few == pytest.approx(2 * many)


@pytest.mark.parametrize("breathing", [True, False])
def test_motion_spreads_a_point_by_its_standard_deviation(breathing: bool) -> None:
    one = body()
    point = np.zeros_like(one.activity)
    point[0, 50, 48] = 1  # the diaphragm is 10 mm below the middle, and a pixel has 4 mm
    seen = moved(
        replace(one, activity=ndimage.gaussian_filter(point, (0, 2, 2))),
        replace(STILL, motion_mm=8.0, breathing=breathing, direction=0.0, until=0.4),
    )
    rows = seen.sum(axis=(0, 2)) / seen.sum()
    at = 4.0 * np.arange(96)
    variance = float((rows * at**2).sum() - (rows * at).sum() ** 2)
    assert np.sqrt(variance - 8.0**2) == pytest.approx(8.0, rel=0.08)  # the point itself spreads by 2 pixels


def test_scatter_is_the_share_of_counts_that_it_says() -> None:
    one, random = body(), np.random.default_rng
    clean, _ = scanned(one, replace(STILL, counts=1e9, scatter=1e-6), SCANNERS["A"], random(0))
    mixed, _ = scanned(one, replace(STILL, counts=1e9, scatter=0.4), SCANNERS["A"], random(0))
    leaves = survival(one)
    share = float((leaves * (mixed - clean)).sum() / (leaves * mixed).sum())
    assert share == pytest.approx(0.4, abs=0.005)
    assert (
        mixed[0, 2:10, 2:8].mean() > 0.05 > 100 * clean[0, 2:10, 2:8].mean()
    )  # beside the neck is nothing else


def test_the_picture_has_the_mean_that_was_drawn() -> None:
    image, _ = scanned(body(), STILL, SCANNERS["B"], np.random.default_rng(0))
    assert float(displayed(image, SCANNERS["B"], 33.0).mean()) == pytest.approx(33.0, abs=0.5)


def test_a_volume_lies_where_it_says() -> None:
    case = pet.patient(3, 0, size=48, depth=24).as_case()
    image = case.images["image"]
    assert isinstance(image, vs.Image)
    assert image.array.shape == (1, 24, 48, 48) and image.affine is not None
    assert np.linalg.det(image.affine[:3, :3]) == pytest.approx(8.0 * 8.0 * 10.0)  # right-handed, mm³
    feet = image.affine @ np.array([0, 47, 0, 1.0])
    assert feet[2] < -300  # the last row is nearer to the feet, and LPS counts towards the head


def test_pictures_without_a_label_are_read_as_such(tmp_path: Path) -> None:
    written = vs.phantom(
        tmp_path / "pet", kind="pet", cases=24, options={"size": 32, "labelled": 0.5, "second": 0.5}
    )
    cohort = vs.read(written)
    told = [k for k in range(24) if pet.patient(k, size=32, labelled=0.5, second=0.5).labelled]
    assert [c.id for c in cohort.cases if "class" in c.targets] == [f"pet-{k:05d}" for k in told]
    assert 0 < len(told) < 24 and len(cohort.cases) == 24
    assert {c.covariates["scanner"] for c in cohort.cases} == {"A", "B"}
    header = (written / "cohort.csv").read_text().splitlines()[0]
    assert header == "case,patient,image,class,scanner"  # and nothing that gives the quality away


def test_the_scanner_changes_the_picture_and_not_the_rule() -> None:
    a, b = (pet.patient(5, 0, size=48, second=share) for share in (0.0, 1.0))
    assert (a.scanner, b.scanner) == ("A", "B") and a.conditions == b.conditions
    assert not np.array_equal(a.volume, b.volume)


def test_an_impossible_option_is_refused() -> None:
    with pytest.raises(DataError, match="second"):
        pet.patient(0, second=1.5)
    with pytest.raises(DataError, match="pixels a side"):
        pet.patient(0, size=16)
    with pytest.raises(DataError, match="one plane or"):
        pet.patient(0, depth=3)
