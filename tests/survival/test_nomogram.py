"""A nomogram says by points what its Cox model says."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.survival.cox import fit_cox
from vesalius.survival.nomogram import Factor, nomogram
from vesalius.survival.observed import observed

RNG = np.random.default_rng(3)
STAGE = RNG.integers(0, 3, 150)
X = np.column_stack([RNG.uniform(41, 88, 150), RNG.random(150) < 0.5, STAGE == 1, STAGE == 2]).astype(float)
SEEN = observed(
    np.ceil(RNG.exponential(900 * np.exp(0.04 * (X[:, 0] - 60) - 0.5 * X[:, 2] - 1.1 * X[:, 3]))),
    RNG.random(150) < 0.8,
)
COX = fit_cox(X, SEEN, names=("age", "male", "II", "III"))
FACTORS = (
    Factor("age", ("age",)),
    Factor("sex", ("male",), reference="female"),
    Factor("stage", ("II", "III"), "I"),
)


def test_points_say_what_the_model_says() -> None:
    drawn = nomogram(COX, X, [365.0, 730.0], factors=FACTORS)
    points = drawn.points(X)
    assert drawn.origin + points * drawn.per_point == pytest.approx(COX.log_hazard(X))
    assert points.min() > -1e-9 and points.max() <= drawn.totals[-1] + 1e-9
    for k, day in enumerate((365.0, 730.0)):  # the scale below is the model's survival
        read = np.interp(points, drawn.totals, drawn.survival[day])
        assert read == pytest.approx(COX.survival(X, np.array([day]))[:, 0], abs=0.01), k
    assert max(max(a.points) for a in drawn.axes) == pytest.approx(100)
    assert all(min(a.points) == pytest.approx(0) for a in drawn.axes)


def test_axes_hold_categories_and_round_numbers() -> None:
    drawn = nomogram(COX, X, [365.0], factors=FACTORS)
    age, sex, stage = drawn.axes
    assert stage.values == ("I", "II", "III") and sex.values == ("female", "male")
    assert stage.points[2] - stage.points[0] == pytest.approx(COX.coefficients[3] / drawn.per_point)
    assert age.values[0] == X[:, 0].min() and age.values[-1] == X[:, 0].max() and 60 in age.values
    assert age.points[0] > age.points[-1] == 0  # older patients live longer here
    plain = nomogram(COX, X, [365.0])
    assert [a.name for a in plain.axes] == list(COX.names) and plain.axes[1].values == (0.0, 1.0)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(DataError, match="strata"):
        nomogram(fit_cox(X[:, :1], SEEN, names=("age",), strata=STAGE), X[:, :1], [365.0])
    with pytest.raises(DataError, match="once"):
        nomogram(COX, X, [365.0], factors=FACTORS[:2])
    with pytest.raises(DataError, match="several columns"):
        nomogram(COX, X, [365.0], factors=(*FACTORS[:2], Factor("stage", ("II", "III"))))
    both = X.copy()
    both[0, 2:] = 1
    with pytest.raises(DataError, match="which category"):
        nomogram(COX, both, [365.0], factors=FACTORS)
    with pytest.raises(DataError, match="does not tell"):
        nomogram(COX, X, [1e6])
