"""A signature against the partial likelihood event by event, tables by hand, and what must not leak into a score."""

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.survival.observed import Observed
from vesalius.survival.scores import harrell_c
from vesalius.survival.signature import signature, tabled, within

N = 240


@pytest.fixture(scope="module")
def people():
    """Patients whose hazard follows age and a hidden thing; a risk tells of the hidden one."""
    rng = np.random.default_rng(3)
    age, hidden = rng.normal(60, 10, N), rng.normal(size=N)
    sex = np.where(rng.random(N) < 0.6, "F", "M")
    days = 1000 * (-np.log(rng.random(N)) / np.exp(0.04 * (age - 60) + 0.9 * hidden)) ** 0.8
    end = rng.uniform(300, 3000, N)
    seen = Observed(np.minimum(days, end), (days <= end).astype(np.int64), np.zeros(N))
    table = tabled({"age": age.tolist(), "sex": sex.tolist()})
    return table, seen, hidden + 0.5 * rng.normal(size=N), rng.normal(size=N)


def test_factors_become_columns_by_hand():
    told = tabled(
        {
            "age": [50.0, 60.0, None, 70.0],
            "sex": ["F", "M", "F", "F"],
            "site": ["a", "a", "a", "a"],
            "stage": [None, None, None, None],
            "grade": ["low", "high", "low", "mid"],
        }
    )
    assert told.rows.tolist() == [0, 1, 3] and told.names == ("age", "sex: M", "grade: low", "grade: mid")
    assert told.x.tolist() == [[50, 0, 1, 0], [60, 1, 0, 0], [70, 0, 0, 1]]
    assert [f.reference for f in told.factors] == [None, "sex: F", "grade: high"]
    assert told.left_out == {"site": "the same in all patients", "stage": "not known of any patient"}
    many = tabled({"age": [1.0, 2.0] * 6, "name": [f"n{k}" for k in range(12)]})
    assert many.names == ("age",) and "12 different words" in many.left_out["name"]


def test_a_factor_that_is_constant_where_the_others_are_known_is_left_out():
    told = tabled({"age": [50.0, 60.0, None], "smokes": ["yes", "yes", "no"]})
    assert told.names == ("age",) and "the same in all" in told.left_out["smokes"]


@pytest.mark.parametrize("known", [{}, {"site": ["a", "a"]}, {"age": [1.0, None], "sex": [None, "F"]}])
def test_without_any_factor_there_is_nothing_to_compare_with(known):
    with pytest.raises(DataError, match=r"factor"):
        tabled(known)


def log_likelihood(x, beta, seen):
    """The partial likelihood of times that are all different, event by event (Cox 1972)."""
    eta = x @ beta
    return sum(
        eta[k] - np.log(sum(np.exp(eta[j]) for j in range(N) if seen.time_days[j] >= seen.time_days[k]))
        for k in range(N)
        if seen.cause[k]
    )


def test_the_likelihood_ratio_is_that_of_two_maxima_of_the_partial_likelihood(people):
    table, seen, risk, _ = people
    found = signature(risk, table, seen, 1000.0, people=range(N))
    assert (
        found.x[:, -1] == pytest.approx((risk - risk.mean()) / risk.std()) and len(set(seen.time_days)) == N
    )
    best = [
        log_likelihood(found.x[:, :n], m.coefficients, seen) for n, m in ((2, found.clinic), (3, found.both))
    ]
    for step in np.vstack([np.eye(3), -np.eye(3)]) * 0.02:
        assert log_likelihood(found.x, found.both.coefficients + step, seen) < best[1], "it is a maximum"
    assert found.test.chi2 == pytest.approx(2 * (best[1] - best[0]), rel=1e-6)
    assert found.test.df == 1 and found.test.p < 1e-6


def test_a_risk_that_tells_adds_and_noise_does_not(people):
    table, seen, risk, noise = people
    told, nothing = (signature(r, table, seen, 1000.0, people=range(N)) for r in (risk, noise))
    gain = [harrell_c(s.after, seen) - harrell_c(s.before, seen) for s in (told, nothing)]
    assert gain[0] > 0.08 and gain[1] < 0.01
    assert nothing.test.p > 0.01


def test_nobody_is_scored_by_a_model_that_knows_what_became_of_them(people):
    """Two rows are of one patient: what happened in one of them must not tell about the other, either."""
    table, seen, risk, _ = people
    who = [0, 0, *range(2, N)]
    one = signature(risk, table, seen, 1000.0, people=who)
    time, cause = seen.time_days.copy(), seen.cause.copy()
    time[0], cause[0] = 5.0, 1 - cause[0]
    other = signature(risk, table, Observed(time, cause, seen.entry_days), 1000.0, people=who)
    assert one.after[:2] == pytest.approx(other.after[:2], abs=1e-12)
    assert one.before[:2] == pytest.approx(other.before[:2], abs=1e-12)
    assert not np.allclose(one.after, other.after, atol=1e-6), "it is learned from by the others"


def test_the_units_of_a_risk_do_not_matter(people):
    table, seen, risk, _ = people
    one, other = (signature(r, table, seen, 1000.0, people=range(N)) for r in (risk, 100 * risk + 7))
    assert one.after == pytest.approx(other.after) and one.test.chi2 == pytest.approx(other.test.chi2)


def test_too_few_events_and_a_constant_risk_are_refused(people):
    table, seen, risk, _ = people
    few = Observed(seen.time_days, np.where(np.arange(N) < 29, 1, 0), seen.entry_days)
    with pytest.raises(DataError, match=r"too few events for a model of 3 columns.*29.*30 or more"):
        signature(risk, table, few, 1000.0, people=range(N))
    with pytest.raises(DataError, match="the same in all patients"):
        signature(np.ones(N), table, seen, 1000.0, people=range(N))


def test_axes_do_not_show_single_patients_at_their_ends():
    x = np.stack([np.arange(101.0), np.arange(101) % 2], axis=1)
    x[-1, 0] = 5000
    cut = within(x)
    assert cut[:, 0].max() == 99 and cut[:, 0].min() == 1 and cut[:, 1].tolist() == x[:, 1].tolist()
