"""Visits: the cup that is told is the one that is drawn; the course tells the outcome, and the last visit far less."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import vesalius as vs
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.phantom import visits
from vesalius.phantom.common.streams import stream
from vesalius.phantom.nerve import disc, growth


@pytest.fixture(scope="module")
def courses() -> list[growth.Growth]:
    """Six hundred patients' courses, without pictures."""
    return [growth.draw_growth(stream(2, k, 0)) for k in range(600)]


def auc(values: Array, positive: Array) -> float:
    """Area under the ROC curve, by Mann and Whitney's statistic."""
    return float(
        stats.mannwhitneyu(values[positive], values[~positive]).statistic
        / (positive.sum() * (~positive).sum())
    )


def test_the_oracle_that_reads_the_truth_is_always_right() -> None:
    made = [visits.patient(k, 3, size=32) for k in range(40)]
    assert all(visits.oracle(json.loads(json.dumps(one.truth()))) == one.onset for one in made)
    assert {one.onset for one in made} == {"yes", "no"}


def test_at_no_visit_has_the_disease_begun(courses: list[growth.Growth]) -> None:
    for one in courses:
        assert max(one.cups) - one.healthy < growth.GROWN
        if one.onset_days is not None and one.begins_days is not None:
            assert one.onset_days > one.days[-1]
            grown = one.rate * (one.onset_days - one.begins_days) / 365.25
            assert grown == pytest.approx(growth.GROWN, abs=1e-3)
        assert len(one.days) >= 2 and min(np.diff(one.days)) > 100
    gaps = np.concatenate([np.diff(one.days) for one in courses])
    assert gaps.max() > 450 and gaps.std() > 60  # uneven, and some were missed


def test_the_course_tells_and_the_last_visit_far_less(courses: list[growth.Growth]) -> None:
    soon = np.array([one.soon for one in courses])
    last = auc(np.array([one.cups[-1] for one in courses]), soon)
    grown = np.array([one.cups[-1] - one.cups[0] for one in courses])
    rate = np.array(
        [(one.cups[-1] - one.cups[-2]) / (one.days[-1] - one.days[-2]) * 365.25 for one in courses]
    )
    course = auc(grown + 2 * rate, soon)
    pressure = auc(np.array([one.pressures[-1] for one in courses], float), soon)
    age = auc(np.array([one.ages[-1] for one in courses]), soon)
    assert 0.68 < last < 0.82 and course > 0.9 and course - last > 0.12
    assert 0.5 < age < 0.68 and 0.53 < pressure < 0.72


def test_the_drawn_cup_has_the_height_that_is_told() -> None:
    """The pale part's area over the disc's is the square of the cup's share, for both are of nearly one shape."""
    one = disc.draw_disc(np.random.default_rng(0))
    one = disc.Disc(0.35, 0.92, (0.0, 0.0), 1.0, np.ones((2, 3)), (), 1, False)
    for share in (0.3, 0.5, 0.7):
        drawn = disc.picture(one, share, np.random.default_rng(4), size=160).astype(float)
        blue = drawn[..., 2] / drawn[..., 0]
        pale = (blue > 0.55).sum()
        whole = (blue > 0.32).sum()
        assert np.sqrt(pale / whole) == pytest.approx(share, abs=0.04)


def test_a_visit_is_a_row_and_the_last_one_has_the_outcome(tmp_path: Path) -> None:
    root = vs.phantom(tmp_path / "eyes", kind="visits", cases=5, options={"size": 32, "missing": 0.4})
    rows = list(csv.DictReader((root / "cohort.csv").open()))
    assert list(rows[0]) == ["case", "patient", "days", "image", "onset_2y", "age", "pressure"]
    assert len({row["case"] for row in rows}) == len(rows)
    empty = 0
    for k in range(5):
        one = visits.patient(k, 0, size=32, missing=0.4)
        own = [row for row in rows if row["patient"] == one.patient]
        assert [int(row["days"]) for row in own] == list(one.course.days)
        assert [row["onset_2y"] for row in own] == [""] * (len(own) - 1) + [one.onset]
        assert [bool(row["image"]) for row in own] == [picture is not None for picture in one.pictures]
        assert own[-1]["case"] == one.id and own[-1]["image"]
        empty += sum(not row["image"] for row in own)
    assert empty > 0


def test_a_case_is_the_last_visit_and_has_the_earlier_ones() -> None:
    one = visits.patient(3, 0)
    case = one.as_case()
    assert case.targets == {"onset_2y": one.onset}
    assert [v.days_before for v in case.earlier] == [
        float(one.course.days[-1] - d) for d in one.course.days[:-1]
    ]
    assert all(not visit.case.targets and visit.case.patient == case.patient for visit in case.earlier)
    image = case.earlier[0].case.images["image"]
    assert isinstance(image, Image) and image.array.shape == (3, 1, 64, 64)
    assert one.pictures[0] is not None and np.array_equal(
        np.moveaxis(image.array[:, 0], 0, -1), one.pictures[0]
    )


def test_an_impossible_option_is_refused() -> None:
    with pytest.raises(DataError, match="missing"):
        visits.patient(0, missing=1.0)
    with pytest.raises(DataError, match="pixels a side"):
        visits.patient(0, size=8)
