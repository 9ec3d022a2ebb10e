"""Courses: values have the covariance that Bayes' rule counts with, and only their order in time tells the class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import vesalius as vs
from vesalius.core.course import Course
from vesalius.core.errors import DataError
from vesalius.phantom import course
from vesalius.phantom.regions import signals


def test_values_have_the_covariance_that_the_oracle_counts_with() -> None:
    times = np.array([0.0, 1.75, 4.25, 6.0, 9.5])
    drawn = np.stack(
        [signals.draw_values(np.random.default_rng(k), "dorsal", times, noise=0.5) for k in range(6000)]
    )
    for stream, way in enumerate(signals.CLASSES["dorsal"]):
        own = drawn[:, :, 3 * stream : 3 * stream + 3].transpose(0, 2, 1).reshape(len(drawn), -1)
        assert np.cov(own.T) == pytest.approx(signals.covariance(times, way, noise=0.5), abs=0.09)


def test_chances_are_bayes_rule_of_whole_densities() -> None:
    """By scipy's density of all six regions at once, with equal priors."""
    one = course.patient(5, 0, noise=3.0)
    times, values = np.array(one.times_s)[:20], one.values[:20]
    logs = []
    for ways in signals.CLASSES.values():
        whole = sum(
            multivariate_normal(cov=signals.covariance(times, way, noise=3.0)).logpdf(
                values[:, 3 * k : 3 * k + 3].T.ravel()
            )
            for k, way in enumerate(ways)
        )
        logs.append(whole)
    by_hand = np.exp(np.array(logs) - max(logs))
    found = signals.chances(times, values, noise=3.0)
    assert list(found.values()) == pytest.approx(by_hand / by_hand.sum(), abs=1e-6)


def test_a_class_differs_from_another_by_order_alone() -> None:
    """Each region's own covariance and those of two regions at one time are the same forwards and backwards."""
    times = np.cumsum(np.full(9, 2.0))
    forward, backward = (signals.covariance(times, way, noise=1.0) for way in (1, -1))
    assert not np.allclose(forward, backward)
    for a in range(3):
        for b in range(3):
            one, other = (c[9 * a : 9 * a + 9, 9 * b : 9 * b + 9] for c in (forward, backward))
            assert np.allclose(np.diag(one), np.diag(other)) and (a != b or np.allclose(one, other))


def test_the_optimal_answer_is_nearly_always_right_and_as_sure_as_it_should_be() -> None:
    made = [course.patient(k, 2) for k in range(100)]
    given = np.array([list(one.chances.values()) for one in made])
    right = np.array([course.CLASSES.index(one.kind) for one in made]) == given.argmax(axis=1)
    assert 0.93 < right.mean() <= 1
    assert given.max(axis=1).mean() == pytest.approx(right.mean(), abs=0.04)
    assert min(np.bincount([course.CLASSES.index(one.kind) for one in made])) > 12


def test_the_file_holds_the_times_and_the_values(tmp_path: Path) -> None:
    root = vs.phantom(tmp_path / "regions", kind="course", cases=3)
    one = course.patient(2, 0)
    lines = (root / "courses" / f"{one.id}.csv").read_text().splitlines()
    assert lines[0] == "time_s," + ",".join(signals.REGIONS) and len(lines) == len(one.times_s) + 1
    table = np.array([[float(v) for v in line.split(",")] for line in lines[1:]])
    assert np.array_equal(table[:, 0], one.times_s) and np.array_equal(table[:, 1:], one.values)
    steps = np.diff(table[:, 0])
    assert steps.min() >= 1 and steps.max() > 2.5 and len(np.unique(steps)) > 3  # uneven
    held = one.as_case().courses["course"]
    assert isinstance(held, Course) and held.names == signals.REGIONS and held.timed


def test_an_impossible_option_is_refused() -> None:
    with pytest.raises(DataError, match="noise"):
        course.patient(0, noise=0.0)
