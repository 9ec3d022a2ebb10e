"""Laws of powers: fits against scipy's curve_fit and by hand, intervals that cover, and where none is claimed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import curve_fit

from vesalius.core.errors import DataError
from vesalius.scaling.forecast import BY_LAW, CARRIED, Curve, curve
from vesalius.scaling.law import Law, Term, fitted
from vesalius.scaling.optimum import flattens, optimum, worth
from vesalius.scaling.points import Cell, spread
from vesalius.scaling.trend import FEW, FLAT, NEGATIVE, RISES, UNLIKE

PLACES = (12.0, 25.0, 50.0, 100.0, 200.0)
STEPS = 300


def cells_of(
    law: Callable[..., float], places: list[tuple[float, ...]], noise: float, seed: int
) -> list[Cell]:
    rng = np.random.default_rng(seed)
    return [Cell(x, tuple(law(*x) * np.exp(noise * rng.normal(size=2)))) for x in places]


def data_law(d: float) -> float:
    return 0.1 + 4 * d**-0.6


def joint_law(n: float, d: float) -> float:
    return 0.1 + 3 * n**-0.4 + 4 * d**-0.6


GRID = [(n, d) for n in (1e3, 4e3, 16e3) for d in (25.0, 50.0, 100.0)]


@pytest.fixture(scope="module")
def joint() -> Curve:
    return curve(cells_of(joint_law, GRID, 0.01, 3), steps=STEPS)


def test_a_law_worked_by_hand() -> None:
    law = Law(0.5, (Term(8.0, 0.5), Term(27.0, 1.0)), 0.0, 1.0, True)
    assert law(16.0, 9.0) == pytest.approx(0.5 + 8 / 4 + 27 / 9)
    assert law.formula(("parameters", "labels")) == "0.5 + 8 · parameters^−0.50 + 27 · labels^−1.00"


def test_the_fit_is_that_of_scipy_where_there_is_no_noise() -> None:
    places = [(d,) for d in (*PLACES, 400.0, 800.0)]
    cells = [Cell(x, (data_law(*x),)) for x in places]
    law, _ = fitted(cells)
    x, y = np.array(places)[:, 0], np.array([c.mean for c in cells])
    (e, a, b), _ = curve_fit(lambda x, e, a, b: np.log(e + a * x**-b), x, np.log(y), p0=(0.05, 3, 0.5))
    assert law.bounded and law.irreducible == pytest.approx(e, rel=0.02) == pytest.approx(0.1, rel=0.02)
    assert law.terms[0].amplitude == pytest.approx(a, rel=0.03)
    assert law.terms[0].exponent == pytest.approx(b, rel=0.02)


def test_an_irreducible_term_is_left_out_where_the_points_cannot_hold_it() -> None:
    cells = [Cell((d,), (3 * d**-0.3,)) for d in PLACES]
    law, _ = fitted(cells)
    assert not law.bounded and law.irreducible == 0.0
    assert law.terms[0].exponent == pytest.approx(0.3, abs=0.01)


def test_intervals_cover_what_comes_and_are_narrow_where_a_law_holds() -> None:
    covered, widths, errors, carried = [], [], [], []
    for seed in range(6):
        cells = cells_of(data_law, [(d,) for d in PLACES], 0.04, seed)
        ahead = curve(cells, seed=seed, steps=STEPS).forecast((400.0,))
        truth = data_law(400.0) * np.exp(0.04 * np.random.default_rng(900 + seed).normal())
        covered.append(ahead.holds(truth))
        widths.append((ahead.width or np.inf) / spread(cells))
        errors.append(abs(ahead.value - truth))
        carried.append(abs(cells[-1].mean - truth))
    assert sum(covered) >= 5 and max(widths) < 0.5 and np.mean(errors) < np.mean(carried)


@pytest.mark.parametrize(
    ("law", "why"),
    [
        (lambda d: 0.5 + 0 * d, FLAT),
        (lambda d: 0.2 * d**0.3, RISES),
        (lambda d: 1.2 if d in (12.0, 100.0) else 0.5, UNLIKE),
        (lambda d: 0.3 - 0.002 * d, NEGATIVE),
    ],
)
def test_no_law_is_claimed_where_none_fits(law: Callable[[float], float], why: str) -> None:
    seeds = cells_of(law, [(d,) for d in PLACES], 0.02, 5)
    found = curve(seeds, steps=STEPS)
    assert found.law is None
    assert found.why == why or (why == UNLIKE and found.why == FLAT)
    ahead = found.forecast((400.0,))
    assert ahead.by == CARRIED and ahead.value == seeds[-1].mean
    assert ahead.low is not None and ahead.high is not None and ahead.low < ahead.value < ahead.high


def test_fewer_than_four_places_hold_no_law_and_equal_values_promise_nothing() -> None:
    three = curve([Cell((d,), (1 / d,)) for d in (1.0, 2.0, 4.0)])
    assert three.why == FEW and three.forecast((8.0,)).by == CARRIED
    same = curve([Cell((d,), (0.0,)) for d in PLACES], ceiling=1.0).forecast((400.0,))
    assert same.value == 0.0 and same.low is None and same.high is None


def test_a_joint_law_forecasts_the_corner_and_marks_what_is_far(joint: Curve) -> None:
    near = joint.forecast((64e3, 200.0))
    assert near.by == BY_LAW and near.holds(joint_law(64e3, 200.0)) and not near.far and near.factor == 4
    assert joint.forecast((16e3, 401.0)).far
    assert (near.width or 9) > (joint.forecast((16e3, 100.0)).width or 0)


def test_gain_is_the_fall_of_the_law(joint: Curve) -> None:
    value, low, high = joint.gain((16e3, 100.0), (16e3, 200.0))
    truth = joint_law(16e3, 100.0) - joint_law(16e3, 200.0)
    assert (
        low is not None
        and high is not None
        and 0 < low < truth < high
        and value == pytest.approx(truth, rel=0.3)
    )


def test_worth_and_flattening_agree_with_the_law_that_was_drawn_from(joint: Curve) -> None:
    assert worth(joint, (16e3, 100.0), 1, 0) is not None or joint_law(16e3 * 16, 100.0) > joint_law(
        16e3, 200.0
    )
    found = flattens(joint, (16e3, 100.0), 0)
    assert found is None or found[0] >= 16e3


def test_the_best_size_for_a_budget_is_where_the_law_is_least(joint: Curve) -> None:
    best = optimum(joint, lambda n: 6.0 * n, 6e6)  # steps take the place of labels in this law
    sizes = np.geomspace(250, 64e3, 400)
    truth = sizes[np.argmin([joint_law(n, 6e6 / (6 * n)) for n in sizes])]
    assert best.low <= truth <= best.high and best.steps == pytest.approx(6e6 / 6 / best.parameters)
    with pytest.raises(DataError, match="budget"):
        optimum(joint, lambda n: 6.0 * n, 0.0)


def test_an_error_never_leaves_its_range() -> None:
    cells = [Cell((d,), (v, v * 1.1)) for d, v in zip(PLACES, (0.9, 0.5, 0.85, 0.6, 0.88), strict=True)]
    ahead = curve(cells, ceiling=1.0).forecast((4000.0,))
    assert ahead.high is not None and ahead.high <= 1.0 and ahead.far


def test_places_that_are_none_are_refused() -> None:
    with pytest.raises(DataError, match="above 0"):
        curve([Cell((0.0,), (1.0,))])
    with pytest.raises(DataError, match="not a number"):
        curve([Cell((1.0,), (float("nan"),))])


def test_the_same_seed_gives_the_same_forecast() -> None:
    cells = cells_of(data_law, [(d,) for d in PLACES], 0.05, 1)
    assert curve(cells, steps=20).forecast((400.0,)) == curve(cells, steps=20).forecast((400.0,))
