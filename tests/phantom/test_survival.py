"""Survival follows the stated formulas: against values by hand, against integration, and against frequencies."""

import numpy as np
import pytest

from vesalius.phantom.abdomen.design import Design
from vesalius.phantom.abdomen.lesions import Lesion
from vesalius.phantom.abdomen.person import Person, draw_person
from vesalius.phantom.abdomen.survival import Formulas, draw_outcome, stage_of


def lesion(kind, radius):
    nothing = np.zeros(1)
    return Lesion(kind, (0.0, 0.0, 0.0), radius, 0.0, nothing, np.zeros((1, 3)), nothing, 0.0, 0.0, 0.0)


def cohort(assignment, n=4000):
    rng = np.random.default_rng(5)
    choices = [(), (lesion("malignant", 15.0),), (lesion("malignant", 25.0),)]
    choices += [(lesion("malignant", 25.0), lesion("malignant", 18.0)), (lesion("cyst", 20.0),)]
    drawn = []
    for _ in range(n):
        person, lesions = draw_person(rng), choices[int(rng.integers(len(choices)))]
        drawn.append((person, draw_outcome(rng, person, lesions=lesions, design=Design(assignment))))
    return drawn


@pytest.fixture(scope="module")
def randomised():
    return cohort("randomised")


@pytest.fixture(scope="module")
def confounded():
    return cohort("confounded")


def test_one_patient_by_hand():
    """Man of 70, one malignant lesion of radius 30 mm: 113.097 ml, ln(114.097) = 4.737053, stage 2."""
    person = Person(70.0, "M", 25.0, 1.0)
    outcome = draw_outcome(
        np.random.default_rng(0), person, lesions=(lesion("malignant", 30.0),), design=Design("confounded")
    )
    assert outcome.stage == 2
    assert outcome.burden == pytest.approx(4.737053, abs=1e-5)
    assert outcome.eta == pytest.approx(0.35 + 0.20 + 0.80 + 0.25 * 4.737053, abs=1e-5)
    assert outcome.theta == pytest.approx(-0.50 + 0.45 - 0.30 * 2.737053, abs=1e-5)
    assert outcome.propensity == pytest.approx(1 / (1 + np.exp(0.3 - 0.7 + 0.6)), abs=1e-9)
    year = int(np.flatnonzero(outcome.times_days == 365)[0])
    # (365/2400)^1.3 = exp(1.3 · ln 0.1520833) = exp(1.3 · −1.883327) = 0.086446; exp(η) = 12.6097
    assert outcome.curves["control"][year] == pytest.approx(np.exp(-0.086446 * 12.6097), abs=2e-4)


def test_stages():
    m = lambda *radii: tuple(lesion("malignant", r) for r in radii)  # noqa: E731
    assert [stage_of(s) for s in ((), (lesion("cyst", 30.0),), m(15), m(25), m(15, 15), m(25, 15))] == [
        0, 0, 1, 2, 2, 3,
    ]  # fmt: skip


def test_curves_are_the_integral_of_the_stated_hazard(randomised):
    f = Formulas()
    for _, outcome in randomised[:20]:
        for arm, log_hazard in (("control", outcome.eta), ("treated", outcome.eta + outcome.theta)):
            t = np.linspace(0, 3650, 36501)
            k, scale = f.shape_k, f.scale_days
            hazard = k / scale * (t / scale) ** (k - 1) * np.exp(log_hazard)
            total = np.concatenate([[0], np.cumsum((hazard[1:] + hazard[:-1]) / 2 * np.diff(t))])
            numeric = np.exp(-np.interp(outcome.times_days, t, total))
            assert outcome.curves[arm] == pytest.approx(numeric, abs=1e-4)
            assert outcome.curves[arm][0] == 1.0 and (np.diff(outcome.curves[arm]) < 0).all()


def test_potential_times_are_drawn_from_the_curves(randomised):
    for arm in ("control", "treated"):
        times = np.array([o.potential_days[arm] for _, o in randomised])
        curves = np.stack([o.curves[arm] for _, o in randomised])
        for at in (5, 15, 30):
            alive = (times > randomised[0][1].times_days[at]).mean()
            assert alive == pytest.approx(curves[:, at].mean(), abs=0.025), "three standard errors"


def test_treatment_helps_some_and_harms_others(randomised):
    theta = np.array([o.theta for _, o in randomised])
    assert 0.1 < (theta > 0).mean() < 0.5
    for _, o in randomised[:200]:
        assert (o.potential_days["treated"] > o.potential_days["control"]) == (o.theta < 0)


def test_what_is_observed_is_the_first_of_death_and_censoring(randomised):
    for _, o in randomised:
        death = o.potential_days["treated" if o.treated else "control"]
        assert o.event == (death <= o.censoring_days)
        assert o.time_days == pytest.approx(max(min(death, o.censoring_days), 1.0), abs=0.06)
    events = np.mean([o.event for _, o in randomised])
    assert 0.3 < events < 0.8


def test_censoring_has_the_stated_distribution(randomised):
    """P(C > t) = exp(−t/6000) · P(U > t), U uniform on 1095 … 3650."""
    censoring = np.array([o.censoring_days for _, o in randomised])
    for t in (500.0, 1500.0, 2500.0):
        stated = np.exp(-t / 6000) * min(1.0, (3650 - t) / (3650 - 1095))
        assert (censoring > t).mean() == pytest.approx(stated, abs=0.025)


def test_randomised_treatment_is_a_fair_coin_that_ignores_the_patient(randomised):
    treated = np.array([o.treated for _, o in randomised])
    ages = np.array([p.age_years for p, _ in randomised])
    assert treated.mean() == pytest.approx(0.5, abs=0.025)
    assert ages[treated].mean() == pytest.approx(ages[~treated].mean(), abs=1.2)


def test_confounded_treatment_follows_the_stated_propensity(confounded):
    treated = np.array([o.treated for _, o in confounded])
    stated = np.array([o.propensity for _, o in confounded])
    ages = np.array([p.age_years for p, _ in confounded])
    order = np.argsort(stated)
    for tenth in np.array_split(order, 10):
        assert treated[tenth].mean() == pytest.approx(stated[tenth].mean(), abs=0.075)
    assert stated.min() > 0.02 and stated.max() < 0.98, "both arms stay possible for everybody"
    assert ages[treated].mean() < ages[~treated].mean() - 2
    for person, o in confounded[:50]:
        logit = -0.3 + 0.7 * (o.stage - 1) - 0.6 * (person.age_years - 60) / 10
        assert o.propensity == pytest.approx(1 / (1 + np.exp(-logit)))
