"""Every learner of benefit keeps the contract and finds what was planted; ridge against its closed form."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from tests.benefit._made import ARMS, MEAN, NAMES, SURVIVAL, benefits, chances, draw

from vesalius.benefit.hazards import fit_hazards
from vesalius.benefit.learners import KIND, USUAL, learn
from vesalius.benefit.learners.contract import Curves, Learned
from vesalius.benefit.learners.robust import PENALTIES, ridge
from vesalius.benefit.measure import Measure
from vesalius.benefit.trial import Trial, trial
from vesalius.core.errors import DataError, MissingExtra, UnknownName
from vesalius.core.registry import stems
from vesalius.survival.observed import observed

OURS = sorted(set(stems(KIND)) - {"forest"})


@pytest.fixture(scope="module")
def planted() -> Trial:
    return draw(900, 24, effect=-1.0)


@pytest.fixture(scope="module")
def learned(planted: Trial) -> dict[str, Learned]:
    return {name: learn(planted, SURVIVAL, name=name, rng=np.random.default_rng(0)) for name in OURS}


def test_there_are_learners_without_an_extra() -> None:
    assert OURS == ["armwise", "interaction", "robust"] and USUAL in OURS


@pytest.mark.parametrize("name", OURS)
def test_it_finds_who_gains_and_how_much(name: str, learned: dict[str, Learned]) -> None:
    x = np.random.default_rng(5).normal(size=(500, 2))
    found = learned[name].benefit(x, control="control", treated="treated")
    truth = benefits(x, -1.0)
    assert np.corrcoef(found, truth)[0, 1] > 0.9
    assert abs(found.mean() - truth.mean()) < 0.08 and np.abs(found - truth).mean() < 0.1
    assert learned[name].benefit(x, control="treated", treated="control") == pytest.approx(-found)


@pytest.mark.parametrize("name", OURS)
def test_it_keeps_the_contract(name: str, learned: dict[str, Learned]) -> None:
    one = learned[name]
    assert (one.names, one.arms, one.measure) == (NAMES, ARMS, SURVIVAL)
    x = np.random.default_rng(6).normal(size=(7, 2))
    assert one.outcomes(x).shape == (7, 2)
    with pytest.raises(UnknownName, match="surgery"):
        one.benefit(x, control="control", treated="surgery")
    with pytest.raises(DataError, match="need the columns age, size"):
        one.benefit(x[:, :1], control="control", treated="treated")
    if isinstance(one, Curves):
        curve = one.curves(x, one.jumps)
        assert curve.shape == (7, 2, len(one.jumps)) and (np.diff(curve, axis=2) <= 0).all()
        assert (curve > 0).all() and (curve <= 1).all()
        assert one.outcomes(x) == pytest.approx(one.curves(x, np.array([SURVIVAL.horizon_days]))[:, :, 0])


@pytest.mark.parametrize("name", OURS)
def test_restricted_means_and_three_arms(name: str) -> None:
    two = draw(450, 22, effect=-1.0)
    code = np.where(np.arange(450) % 3 == 2, 2, two.arm)
    made = trial(two.x, [("a", "b", "c")[c] for c in code], two.observed, names=NAMES, randomised=True)
    one = learn(made, MEAN, name=name, rng=np.random.default_rng(0))
    x = two.x[:50]
    assert one.outcomes(x).shape == (50, 3)
    gaps = [one.benefit(x, control=a, treated=b) for a, b in (("a", "b"), ("b", "c"), ("a", "c"))]
    assert gaps[0] + gaps[1] == pytest.approx(gaps[2])
    if isinstance(one, Curves):
        days = one.jumps[one.jumps <= MEAN.horizon_days]
        assert one.outcomes(x) == pytest.approx(MEAN.of_curve(days, one.curves(x, days)))


def test_a_horizon_that_was_not_reached_is_refused(planted: Trial) -> None:
    for name in OURS:
        with pytest.raises(DataError, match="too few patients of arm"):
            learn(planted, Measure(4000.0), name=name, rng=np.random.default_rng(0))


def test_a_constant_column_and_one_that_says_the_same_do_no_harm() -> None:
    made = draw(300, 23, effect=-1.0)
    wide = trial(
        np.column_stack([made.x, np.full(300, 4.0), made.x[:, 0] * 2 + 1]),
        [ARMS[a] for a in made.arm],
        observed(made.observed.time_days, made.observed.happened),
        names=[*NAMES, "site", "age in months"],
        randomised=True,
    )
    for name in OURS:
        found = learn(wide, SURVIVAL, name=name, rng=np.random.default_rng(0))
        plain = learn(made, SURVIVAL, name=name, rng=np.random.default_rng(0))
        both = [
            found.benefit(wide.x, control="control", treated="treated"),
            plain.benefit(made.x, control="control", treated="treated"),
        ]
        assert np.isfinite(both[0]).all() and np.corrcoef(both[0], both[1])[0, 1] > 0.99


def test_many_columns_that_tell_nothing_are_shrunk() -> None:
    """With 60 columns of noise the ridge is chosen, and foretells new patients better than the least one does."""
    from vesalius.benefit import hazards, propensity

    made, new = (draw(n, s, effect=-1.0, confounded=True) for n, s in ((300, 25), (1000, 26)))
    rng = np.random.default_rng(0)
    wide, far = (np.column_stack([m.x, rng.normal(size=(len(m), 60))]) for m in (made, new))
    chosen = fit_hazards(wide, made.observed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hazards, "MANY", 0)
        least = fit_hazards(wide, made.observed)
    truth = 0.8 * new.x[:, 0]
    errors = [np.std(h.log_hazard(far) - truth) for h in (least, chosen)]
    assert errors[1] < 0.7 * errors[0]
    table = Trial(wide, (*NAMES, *(f"n{k}" for k in range(60))), made.arm, ARMS, made.observed)
    real = chances(new.x, True)
    loose, tight = (
        np.abs(propensity.fit_propensity(table, penalty=p).of(far)[:, 1] - real).mean() for p in (1.0, None)
    )
    assert tight < 0.9 * loose


def test_ridge_is_the_closed_form_at_one_of_its_penalties() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(80, 3))
    y = z @ [1.0, 0.0, -0.5] + 2 + rng.normal(size=80)
    found = ridge(z, y)
    best = None
    for penalty in PENALTIES:
        c = z - z.mean(0)
        hat = c @ np.linalg.solve(c.T @ c + penalty * 80 * np.eye(3), c.T) + 1 / 80
        gcv = 80 * ((y - hat @ y) ** 2).sum() / (80 - np.trace(hat)) ** 2
        if best is None or gcv < best[0]:
            best = (gcv, np.linalg.solve(c.T @ c + penalty * 80 * np.eye(3), c.T @ (y - y.mean())))
    assert best is not None and found[1:] == pytest.approx(best[1])
    assert found[0] == pytest.approx(y.mean() - z.mean(0) @ best[1])


def test_the_forest_names_its_extra(planted: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "econml", None)
    monkeypatch.setitem(sys.modules, "econml.dml", None)
    with pytest.raises(MissingExtra, match=r"is not installed; try: pip install 'vesalius\[benefit\]'$"):
        learn(planted, SURVIVAL, name="forest", rng=np.random.default_rng(0))
    with pytest.raises(UnknownName, match="frest"):
        learn(planted, SURVIVAL, name="frest", rng=np.random.default_rng(0))
