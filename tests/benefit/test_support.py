"""Refused: a patient like whom only one arm was given, be it by a trend, a hole or a bound."""

from __future__ import annotations

import numpy as np
import pytest
from tests.benefit._made import ARMS, NAMES, draw

from vesalius.benefit.support import SMALLEST, fit_support
from vesalius.benefit.trial import Trial, trial
from vesalius.core.errors import DataError
from vesalius.survival.observed import observed


def given(x: np.ndarray, treated: np.ndarray, *, randomised: bool | None = None) -> Trial:
    n = len(x)
    return trial(
        x,
        [ARMS[int(t)] for t in treated],
        observed(np.ones(n), np.ones(n)),
        names=NAMES,
        randomised=randomised,
    )


def test_where_chance_decided_all_are_supported_within_what_was_seen() -> None:
    made = draw(400, 1)
    support = fit_support(made)
    new = np.random.default_rng(9).normal(size=(1000, 2))
    assert support.supported(made.x).all() and support.supported(new).mean() > 0.99
    assert sum(sum(g.counts) for g in support.groups) == 400
    support.assert_supported(np.zeros(2))
    with pytest.raises(DataError, match=r"none of the treatments.*age 9 is far from all"):
        support.assert_supported(np.array([9.0, 0.0]))


def test_a_hole_that_a_trend_cannot_show_is_found() -> None:
    """Those of middle age are all treated, younger and older ones by chance: a logistic model sees no trend."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 2))
    treated = np.where(np.abs(x[:, 0]) < 0.5, True, rng.random(500) < 0.5)
    support = fit_support(given(x, treated))
    assert support.propensity.of(np.zeros((1, 2))).min() > 0.2
    inside = support.supported(np.array([[0.0, 0.0], [1.2, 0.0], [-1.2, 0.3]]))
    assert inside.tolist() == [[False, True], [True, True], [True, True]]
    with pytest.raises(DataError, match=r"had only treated.*control: given to none of \d+ patients with age"):
        support.assert_supported(np.zeros(2))
    assert support.reasons(np.array([1.2, 0.0])) == {}


def test_reasons_and_bits_agree_and_what_is_not_known_is_refused() -> None:
    made = draw(400, 9, confounded=True)
    support = fit_support(made)
    rows = np.random.default_rng(1).normal(size=(200, 2)) * 1.8
    bits = support.supported(rows)
    assert 0 < (~bits).sum() < bits.size
    for row, own in zip(rows, bits, strict=True):
        assert {a for a, so in zip(ARMS, own, strict=True) if not so} == support.reasons(row).keys()
    with pytest.raises(DataError, match="'size' is not known"):
        support.assert_supported(np.array([0.0, np.nan]))
    with pytest.raises(DataError, match="need the columns age, size"):
        support.supported(np.zeros((3, 1)))


def test_a_trend_is_found_where_no_group_is_empty() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(-3, 3, size=(600, 2))
    treated = rng.random(600) < 1 / (1 + np.exp(-1.6 * x[:, 0]))
    support = fit_support(given(x, treated))
    assert not support.supported(np.array([2.9, 0.0]))[0, 0] and support.supported(np.array([0.0, 0.0])).all()
    with pytest.raises(DataError, match="only treated"):
        support.assert_supported(np.array([2.9, 0.0]))


def test_chance_alone_hardly_ever_empties_a_group() -> None:
    rng = np.random.default_rng(2)
    for share in (0.1, 0.5):
        refused = 0.0
        for _ in range(20):
            x = rng.normal(size=(300, 2))
            support = fit_support(given(x, rng.random(300) < share))
            assert all(sum(g.counts) >= SMALLEST for g in support.groups)
            refused += sum(sum(g.counts) for g in support.groups if 0 in g.counts) / 300 / 20
        assert refused < 0.02, share


def test_groups_part_all_patients_and_hold_counts_alone() -> None:
    made = draw(500, 3, confounded=True)
    support = fit_support(made)
    holds = np.stack([g.holds(made.x) for g in support.groups])
    assert (holds.sum(axis=0) == 1).all() and len(support.groups) > 1
    for group, inside in zip(support.groups, holds, strict=True):
        assert group.counts == tuple(np.bincount(made.arm[inside], minlength=2))
    assert any("age" in g.words(made.names) for g in support.groups)
