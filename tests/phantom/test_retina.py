"""Retina: the grade follows from the vessels, which are as wide and as tortuous as told, and lesions are where told."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from scipy import ndimage, stats

import vesalius as vs
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.phantom import retina
from vesalius.phantom.common.streams import stream
from vesalius.phantom.fundus import camera, grading
from vesalius.phantom.fundus.eye import draw_view
from vesalius.phantom.fundus.tree import ARTERY, VEIN, Vessel


@pytest.fixture(scope="module")
def made() -> list[retina.RetinaPatient]:
    """Sixteen eyes."""
    return [retina.patient(k, 7) for k in range(16)]


def green(one: retina.RetinaPatient) -> Array:
    return np.asarray(one.picture[..., 1], float)


def test_the_oracle_that_reads_the_truth_is_always_right(made: list[retina.RetinaPatient]) -> None:
    assert all(retina.oracle(json.loads(json.dumps(one.truth()))) == one.grade for one in made)


def test_two_quadrants_with_both_aspects_make_plus_and_two_with_one_make_preplus() -> None:
    def eye(*pairs: tuple[float, float]) -> str:
        return grading.grade([grading.Quadrant("", *pair) for pair in pairs])

    calm, pre, both = (0.02, 150.0), (0.1, 150.0), (0.3, 240.0)
    assert (
        eye(calm, calm, calm, calm) == eye(pre, calm, calm, calm) == eye(both, calm, calm, calm) == "normal"
    )
    assert eye(pre, (0.02, 200.0), calm, calm) == eye(both, pre, calm, calm) == "pre-plus"
    assert (
        eye((0.4, 150.0), (0.02, 270.0), calm, calm) == "pre-plus"
    )  # tortuous and narrow, wide and straight
    assert eye(both, both, calm, calm) == "plus"
    assert [grading.Quadrant("", 0.07, 0).level, grading.Quadrant("", 0.25, 219.9).level] == [1, 1]
    assert grading.Quadrant("", 0.25, 220.0).level == 2  # the limits belong to the higher level


def test_a_grade_that_is_wanted_is_had_and_its_aspects_keep_clear_of_the_limits() -> None:
    for wanted, name in enumerate(grading.GRADES):
        for k in range(150):
            quadrants = grading.draw_quadrants(stream(3, k, wanted), wanted)
            assert grading.grade(quadrants) == name
            for q in quadrants:
                assert min(abs(q.tortuosity - limit) for limit in grading.TORTUOSITY) > 0.02
                assert min(abs(q.calibre_um - limit) for limit in grading.CALIBRE_UM) > 7


def test_trunks_are_as_tortuous_as_told(made: list[retina.RetinaPatient]) -> None:
    """Measured otherwise than drawn: the way along the points over that along the points smoothed."""
    told, found = [], []
    for one in made:
        by = {q.name: q.tortuosity for q in one.quadrants}
        for vessel in (v for v in one.tree if v.order == 0 and v.sort == ARTERY):
            assert vessel.tortuosity == pytest.approx(by[vessel.quadrant], abs=2e-4)
            points = vessel.points[8:85]
            smooth = ndimage.gaussian_filter1d(points, 14, axis=0, mode="nearest")[12:-12]
            ways = [np.hypot(*np.diff(p, axis=0).T).sum() for p in (points[12:-12], smooth)]
            if len(points) == 77:
                told.append(by[vessel.quadrant])
                found.append(ways[0] / ways[1] - 1)
    assert len(told) > 40 and stats.spearmanr(told, found).statistic > 0.9


@pytest.mark.parametrize("radius_mm", [0.02, 0.05, 0.12])
def test_a_vessel_covers_as_much_as_its_width_times_its_length(radius_mm: float) -> None:
    view = draw_view(np.random.default_rng(0), 0.0)
    line = np.array([[-0.5, -2.0], [3.1, 2.2]])
    one = Vessel(VEIN, "", 0, line, np.full(2, radius_mm), 0.0)
    covers, thick, _ = camera.laid([one], view, 256, VEIN)
    mm = view.mm_a_pixel(256)
    length = float(np.hypot(*(line[1] - line[0])))
    area = 2 * radius_mm * length + (np.pi * radius_mm**2 if radius_mm / mm > 0.5 else 0)
    assert covers.sum() * mm**2 == pytest.approx(area, rel=0.08)
    assert thick.max() <= 2 * radius_mm + 1e-6
    assert not camera.laid([one], view, 256, ARTERY)[0].any()


def test_vessels_are_dark_lines_as_in_drive(made: list[retina.RetinaPatient]) -> None:
    """In DRIVE at 256² the green of vessels 4 pixels wide lies 0.30 below their surroundings', as a logarithm."""
    for one in made:
        vessel, seen = one.vessels > 0, one.seen > 0
        free = ~ndimage.binary_dilation(vessel, iterations=2) & ndimage.binary_erosion(seen, iterations=8)
        near = ndimage.uniform_filter(np.where(free, green(one), 0), 15)
        near = near / np.maximum(ndimage.uniform_filter(free.astype(float), 15), 0.05)
        wide = (ndimage.distance_transform_edt(vessel) >= 1.9) & ndimage.binary_erosion(seen, iterations=8)
        wide &= near > 5
        assert -0.5 < np.median(np.log(green(one)[wide] / near[wide])) < -0.15
        assert 0.05 < vessel[seen].mean() < 0.26 and not vessel[~seen].any()
        assert one.picture[~ndimage.binary_dilation(seen, iterations=4)].max() < 20


def test_how_bright_a_picture_is_does_not_tell_the_grade() -> None:
    many = [retina.patient(k, 1, size=64) for k in range(48)]
    wanted = np.array([one.grade for one in many])
    assert min(Counter(wanted).values()) > 8
    for what in (np.mean, np.std, lambda p: p[..., 1].mean()):
        values = np.array([float(what(one.picture)) for one in many])
        for name in grading.GRADES:
            positive = wanted == name
            u = stats.mannwhitneyu(values[positive], values[~positive]).statistic
            area = u / (positive.sum() * (~positive).sum())
            assert abs(area - 0.5) < 0.27  # three standard errors of 48
    ill = np.array([bool(one.lesions) for one in many])
    assert abs(np.corrcoef(ill, wanted == "plus")[0, 1]) < 0.43  # lesions say nothing of the grade


def test_lesions_are_seen_where_they_are_told(made: list[retina.RetinaPatient]) -> None:
    seen = Counter[str]()
    for one in made:
        for lesion, box in zip(one.lesions, one.boxes, strict=True):
            rows, columns = slice(int(box.low[1]), int(box.high[1])), slice(int(box.low[2]), int(box.high[2]))
            if not one.seen[rows, columns].all():
                continue
            where = one.changes[rows, columns] == retina.LESIONS.index(lesion.label) + 1
            assert where.any()
            wide = (
                slice(max(rows.start - 6, 0), rows.stop + 6),
                slice(max(columns.start - 6, 0), columns.stop + 6),
            )
            around = (one.changes[wide] == 0) & (one.vessels[wide] == 0) & (one.seen[wide] > 0)
            apart = green(one)[rows, columns][where].mean() - np.median(green(one)[wide][around])
            seen[lesion.label, bool(apart > 0)] += 1  # type: ignore[index]
    for label in retina.LESIONS:
        bright, dark = seen[label, True], seen[label, False]  # type: ignore[index]
        right, wrong = (bright, dark) if label == "exudate" else (dark, bright)
        assert right > 8 * wrong, label


def test_without_lesions_the_rest_of_the_picture_stays(made: list[retina.RetinaPatient]) -> None:
    index = next(k for k, one in enumerate(made) if "haemorrhage" in one.labels and len(one.labels) > 1)
    one, other = made[index], retina.twin(index, 7, without="haemorrhage")
    assert set(one.labels) - set(other.labels) == {"haemorrhage"} and other.grade == one.grade
    gone = ndimage.binary_dilation(one.changes == 2, iterations=8)
    assert np.array_equal(one.picture[~gone], other.picture[~gone])
    assert not np.array_equal(one.picture[gone], other.picture[gone])


def test_without_plus_the_same_eye_has_calm_vessels(made: list[retina.RetinaPatient]) -> None:
    index = next(k for k, one in enumerate(made) if one.grade == "plus")
    one, other = made[index], retina.twin(index, 7, without="plus")
    assert other.grade == "normal" and other.view == one.view and other.lesions == one.lesions
    assert np.array_equal(other.changes, one.changes)
    ways = [sum(v.tortuosity for v in eye.tree if v.order == 0) for eye in (one, other)]
    assert ways[1] < 0.4 * ways[0]


def test_sites_differ_in_colour_and_field() -> None:
    a, b = (retina.patient(4, 0, second=share) for share in (0.0, 1.0))
    assert (a.view.site.name, b.view.site.name) == ("A", "B") and a.quadrants == b.quadrants
    inside = a.seen > 0
    blue = [float(one.picture[inside][:, 2].mean() / one.picture[inside][:, 0].mean()) for one in (a, b)]
    assert blue[0] > 2 * blue[1] and a.view.mm_a_pixel(256) > 1.3 * b.view.mm_a_pixel(256)


def test_the_files_say_what_the_truth_says(tmp_path: Path) -> None:
    root = vs.phantom(tmp_path / "retina", kind="retina", cases=4, options={"size": 96, "diabetic": 1.0})
    truths = {t["id"]: t for t in json.loads((root / "truth.json").read_text())["cases"]}
    with (root / "boxes.csv").open() as file:
        boxes = list(csv.DictReader(file))
    with (root / "cohort.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        truth = truths[row["case"]]
        own = [[int(b[c]) for c in ("y0", "x0", "y1", "x1")] for b in boxes if b["case"] == row["case"]]
        assert own == [x["box"] for x in truth["lesions"]] and row["plus_disease"] == truth["plus_disease"]
        assert [x for x in retina.LESIONS if row[x] == "yes"] == truth["findings"]
        with (
            Pillow.open(root / row["vessel_mask"]) as vessels,
            Pillow.open(root / row["arteries_veins"]) as sorts,
        ):
            assert np.array_equal(np.asarray(vessels) > 0, np.asarray(sorts) > 0)
    cohort = vs.read(root, target="vessel_mask")
    assert [label.name for label in cohort.targets["vessel_mask"].labels] == ["vessel"]
    graded = vs.read(root, columns={"grade": "plus_disease"}, labels={"plus_disease": "normal<pre-plus<plus"})
    assert [label.name for label in graded.targets["plus_disease"].labels] == list(retina.GRADES)


def test_an_impossible_option_is_refused() -> None:
    with pytest.raises(DataError, match="diabetic"):
        retina.patient(0, diabetic=1.5)
    with pytest.raises(DataError, match="pixels a side"):
        retina.patient(0, size=16)
    with pytest.raises(DataError, match="not negative"):
        retina.patient(-1)
