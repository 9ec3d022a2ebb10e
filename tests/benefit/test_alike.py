"""Propensity, weights, balance and the E-value, against a numerical search, closed forms and published figures."""

from __future__ import annotations

import numpy as np
import pytest
from tests.benefit._made import ARMS, NAMES, chances, draw

from vesalius.benefit import evalue
from vesalius.benefit.balance import balance
from vesalius.benefit.folds import assign
from vesalius.benefit.propensity import cross_fitted, fit_propensity
from vesalius.benefit.trial import Trial, trial
from vesalius.benefit.weighting import effective_size, kept, tilt, weights
from vesalius.core.errors import DataError
from vesalius.survival.observed import observed


@pytest.fixture(scope="module")
def confounded() -> Trial:
    return draw(400, 5, confounded=True)


def searched(made: Trial, penalty: float) -> np.ndarray:
    """Chances by a quasi-Newton search for the penalised likelihood's maximum, with numerical gradients."""
    from scipy.optimize import minimize

    z = np.column_stack([np.ones(len(made)), (made.x - made.x.mean(0)) / made.x.std(0)])
    rows, others = np.arange(len(made)), len(made.arms) - 1

    def logs(beta: np.ndarray) -> np.ndarray:
        score = np.column_stack([np.zeros(len(z)), z @ beta.reshape(z.shape[1], others)])
        return score - np.log(np.exp(score).sum(axis=1, keepdims=True))

    def loss(beta: np.ndarray) -> float:
        ridge = (beta.reshape(z.shape[1], others)[1:] ** 2).sum() * penalty / 2
        return float(ridge - logs(beta)[rows, made.arm].sum()) / len(z)

    return np.exp(logs(minimize(loss, np.zeros(z.shape[1] * others), method="BFGS", tol=1e-9).x))


def test_propensity_is_what_a_search_finds(confounded: Trial) -> None:
    found = fit_propensity(confounded).of(confounded.x)
    assert found == pytest.approx(searched(confounded, 1.0), abs=1e-5)
    assert np.corrcoef(found[:, 1], chances(confounded.x, True))[0, 1] > 0.98


def test_three_arms_have_chances_that_add_up_and_are_what_a_search_finds() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 2)) * [3.0, 0.1] + [60.0, 0.0]
    code = rng.integers(0, 3, 600)
    code[x[:, 0] > 62] = rng.choice([0, 2], int((x[:, 0] > 62).sum()))
    made = trial(x, [f"arm {c}" for c in code], observed(np.ones(600), np.ones(600)), names=NAMES)
    found = fit_propensity(made, penalty=1e-6).of(x)
    assert found == pytest.approx(searched(made, 1e-6), abs=1e-4)
    assert found.sum(axis=1) == pytest.approx(np.ones(600))


def test_where_chance_decided_the_propensity_is_the_share() -> None:
    made = draw(300, 2)
    assert fit_propensity(made).of(made.x[:4]) == pytest.approx(np.tile(np.bincount(made.arm) / 300, (4, 1)))


def test_cross_fitting_leaves_the_patient_out(confounded: Trial) -> None:
    fold = assign(confounded, 4, np.random.default_rng(0))
    rest = confounded.where(fold != 2)
    expected = fit_propensity(rest).of(confounded.x[fold == 2])
    assert cross_fitted(confounded, fold)[fold == 2] == pytest.approx(expected)


def test_overlap_weights_balance_what_the_model_holds_exactly(confounded: Trial) -> None:
    """Li, Morgan and Zaslavsky 2018, theorem 3: with maximum likelihood, where a weight is 1 minus the own chance."""
    p = fit_propensity(confounded, penalty=0.0).of(confounded.x)
    own = p[np.arange(400), confounded.arm]
    assert weights(p, confounded.arm, "overlap") == pytest.approx(1 - own)
    assert weights(p, confounded.arm, "inverse") == pytest.approx(1 / own)
    assert tilt(p) == pytest.approx(p[:, 0] * p[:, 1])
    found = balance(confounded, p, control="control", treated="treated")
    assert found.difference["overlap"] == pytest.approx([0, 0], abs=1e-6)
    assert found.unbalanced("none")[0] == "age" and found.unbalanced("overlap") == ()
    assert found.effective["overlap"][0] < found.effective["none"][0] == (confounded.arm == 0).sum()


def test_balance_by_hand() -> None:
    x = np.array([[1.0], [3.0], [2.0], [6.0]] * 5)
    code = [0, 0, 1, 1] * 5
    made = trial(x, [ARMS[c] for c in code], observed(np.ones(20), np.ones(20)), names=["age"])
    p = np.tile([[0.75, 0.25]], (20, 1))
    p[1::4] = [0.5, 0.5]
    found = balance(made, p, control="control", treated="treated")
    narrow, wide = 10 / 9, 40 / 9  # variances with n − 1 of five times 1, 3 and five times 2, 6
    spread = np.sqrt((narrow + wide) / 2)
    assert found.difference["none"] == pytest.approx([(4 - 2) / spread])
    assert found.ratio["none"] == pytest.approx([4.0])
    weighted = (1 / 0.75 * 1 + 1 / 0.5 * 3) / (1 / 0.75 + 1 / 0.5)
    assert found.difference["inverse"] == pytest.approx([(4 - weighted) / spread])


def test_how_many_patients_weights_are_worth() -> None:
    assert effective_size(np.ones(7)) == 7
    assert effective_size(np.array([3.0, 1.0])) == pytest.approx(16 / 10)
    assert kept(np.array([[0.5, 0.5], [0.96, 0.04], [0.05, 0.95]])).tolist() == [True, False, True]


def test_e_values_are_those_that_were_published() -> None:
    """VanderWeele and Ding 2017: RR 3.9 (1.8 to 8.7) has 7.26 and 3.0; a protective one is the same turned around."""
    found = evalue.of_risk_ratio(3.9, 1.8, 8.7)
    assert found.point == pytest.approx(7.26, abs=0.005) and found.bound == pytest.approx(3.0, abs=0.005)
    turned = evalue.of_risk_ratio(1 / 3.9, 1 / 8.7, 1 / 1.8)
    assert turned.point == pytest.approx(found.point) and turned.bound == pytest.approx(found.bound)
    assert evalue.of_risk_ratio(1.2, 0.9, 1.6).bound == 1.0
    assert evalue.of_risk_ratio(1.0).point == 1.0
    assert evalue.of_survival(0.5, 0.75).point == pytest.approx(2 + np.sqrt(2))
    common = (1 - 0.5 ** np.sqrt(0.56)) / (1 - 0.5 ** np.sqrt(1 / 0.56))
    assert evalue.of_hazard_ratio(0.56, common=True).point == pytest.approx(
        evalue.of_risk_ratio(common).point
    )
    assert evalue.of_hazard_ratio(0.56, common=False).point == pytest.approx(
        1 / 0.56 + np.sqrt(1 / 0.56 * (1 / 0.56 - 1))
    )
    with pytest.raises(DataError, match="within its interval"):
        evalue.of_risk_ratio(2.0, 2.5, 3.0)
    with pytest.raises(DataError, match="must be positive"):
        evalue.of_risk_ratio(-1.0)
