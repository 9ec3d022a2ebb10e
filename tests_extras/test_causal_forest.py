"""The forest learner with econml itself: it finds the planted effect, and the same one each time."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from tests.benefit._made import ARMS, SURVIVAL, benefits, draw

from vesalius.benefit.learners import forest, learn
from vesalius.benefit.trial import Trial, trial

BOTH = {"control": ARMS[0], "treated": ARMS[1]}
HELD = np.random.default_rng(7).normal(size=(400, 2))


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forest, "TREES", 100)
    monkeypatch.setattr(forest, "FIRST_TREES", 25)


def gain(made: Trial, seed: int = 0) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what a library calls outdated is not called
        learned = learn(made, SURVIVAL, name="forest", rng=np.random.default_rng(seed))
    return learned.benefit(HELD, **BOTH)


@pytest.mark.parametrize("confounded", [False, True])
def test_it_finds_who_gains_beside_the_formula_that_drew_the_trial(confounded: bool) -> None:
    found, real = gain(draw(1000, 3, effect=-1.0, confounded=confounded)), benefits(HELD, -1.0)
    assert np.corrcoef(found, real)[0, 1] > 0.8
    assert found.mean() == pytest.approx(real.mean(), abs=0.08)
    assert found[HELD[:, 1] > 1].mean() > 0.15 and found[HELD[:, 1] < -1].mean() < -0.15


def test_where_nobody_gains_it_tells_of_little() -> None:
    found, planted = gain(draw(1000, 5, effect=0.0)), gain(draw(1000, 5, effect=-1.0))
    assert abs(found.mean()) < 0.05 and found.std() < planted.std() / 2


def test_the_generator_decides_and_units_do_not() -> None:
    made = draw(400, 11, effect=-1.0)
    assert (gain(made) == gain(made)).all() and (gain(made) != gain(made, 1)).any()
    scale = np.array([365.25, 0.001])
    other = trial(
        made.x * scale + 40,
        [ARMS[k] for k in made.arm],
        made.observed,
        names=made.names,
        arms=ARMS,
        randomised=True,
    )
    learned = learn(other, SURVIVAL, name="forest", rng=np.random.default_rng(0))
    assert np.corrcoef(learned.benefit(HELD * scale + 40, **BOTH), gain(made))[0, 1] > 0.999


def test_three_arms_are_each_held_against_the_first() -> None:
    made = draw(900, 13, effect=-1.0)
    names = ("control", "other", "treated")
    rng = np.random.default_rng(0)
    given = [ARMS[k] if k or rng.random() < 0.5 else "other" for k in made.arm]  # as the control
    three = trial(made.x, given, made.observed, names=made.names, arms=names, randomised=True)
    learned = learn(three, SURVIVAL, name="forest", rng=rng)
    assert abs(learned.benefit(HELD, control="control", treated="other").mean()) < 0.1
    found = learned.benefit(HELD, control="control", treated="treated")
    assert np.corrcoef(found, benefits(HELD, -1.0))[0, 1] > 0.7
