"""What stands beside figures of cases with time: parts of a case, splits by patient, and what the truth would tell."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # benchmarks/ is not installed

from benchmarks import _over_time  # noqa: E402
from benchmarks._beside import ORACLE, judged, small  # noqa: E402

from vesalius.core.answers.value import Value  # noqa: E402
from vesalius.core.cohort import Label  # noqa: E402
from vesalius.phantom import cine, course, patient, visits  # noqa: E402


def test_parts_of_a_cine_are_what_they_are_called() -> None:
    case = cine.patient(0, 0, size=32).as_case()
    frames = case.images["image"].array.astype(np.float64)  # type: ignore[union-attr]
    seen = _over_time.frames([case], [case])
    middle, _ = seen["the middle frame"]
    assert np.array_equal(middle[0], small(frames[len(frames) // 2]))
    mean, _ = seen["the mean over time"]
    by_hand = frames.mean(axis=0)[0, 0].reshape(16, 2, 16, 2).mean(axis=(1, 3)).ravel()
    assert np.allclose(mean[0], by_hand, atol=1e-3)


def test_true_cups_say_how_far_and_how_fast_it_grew() -> None:
    told = {"cups": [0.3, 0.3, 0.36, 0.42], "days": [0, 365.25, 730.5, 913.125]}
    last, grown, over_least, lately, slope, years = _over_time.cups(told)
    assert (last, years) == (0.42, 2.5) and grown == pytest.approx(0.12) == over_least
    assert lately == pytest.approx(0.12) and slope == pytest.approx(0.12 / 1.5)


def test_a_split_keeps_the_visits_of_a_patient_together(tmp_path: Path) -> None:
    import vesalius as vs

    data = vs.phantom(tmp_path / "eyes", kind="visits", cases=6, options={"size": 32})
    split = _over_time.split(data, tmp_path / "split", 2)
    where = {row["case"]: row["split"] for row in csv.DictReader(split.open())}
    for k in range(6):
        one = visits.patient(k, 0, size=32)
        own = {where[one.visit(n)] for n in range(len(one.pictures))}
        assert own == {"test" if k >= 4 else "train"}


def test_only_the_order_in_time_tells_the_classes_of_courses() -> None:
    cases = [course.patient(k, 0, noise=0.8).as_case() for k in range(80)]
    known = {c.id: course.patient(k, 0, noise=0.8).truth() for k, c in enumerate(cases)}
    labels = [Label(k + 1, name) for k, name in enumerate(course.CLASSES)]
    rivals = _over_time.of_series(cases[:50], cases[50:], known, labels)
    truths = [c.targets["class"] for c in cases[50:]]
    area = {name: judged(a, cases[50:], truths, resamples=10)["auc"].value or 0 for name, a in rivals.items()}
    assert area["Bayes' rule with the true covariances"] > 0.99
    assert area["logistic regression on correlations from one row to the next"] > 0.95
    assert area["logistic regression on the mean of each region"] < 0.7


def test_perfect_outlines_of_the_frames_err_a_little_and_the_oracle_does_not() -> None:
    made = [patient(k, 0, kind="cine", options={"size": 32}) for k in range(16)]
    cases = [one.as_case() for one in made]
    known = {c.id: one.truth() for c, one in zip(cases, made, strict=True)}
    rivals = _over_time.of_cines(cases[:8], cases[8:], known)
    for answer, case in zip(rivals[ORACLE], cases[8:], strict=True):
        assert isinstance(answer, Value)
        assert answer.x == pytest.approx(case.targets["ejection_fraction"], abs=0.01)
    far = [
        abs(a.x - float(c.targets["ejection_fraction"]))  # type: ignore[attr-defined, arg-type]
        for a, c in zip(rivals["the true volumes of the frames"], cases[8:], strict=True)
    ]
    assert 0 < max(far) < 4
