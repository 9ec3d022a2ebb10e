"""The forest learner by a stand-in of econml's interface; econml itself is called in tests_extras."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from tests.benefit._made import ARMS, NAMES, SURVIVAL, draw

from vesalius.benefit.learners import learn
from vesalius.benefit.pseudo import by_arm


class StandIn:
    """A line of each arm, with the signatures of econml 0.17."""

    def __init__(self, *, model_y: Any, model_t: Any, discrete_treatment: bool, categories: list[int],
                 n_estimators: int, n_jobs: int, random_state: int) -> None:  # fmt: skip
        assert discrete_treatment and n_estimators % 4 == 0, "econml grows forests of four trees"
        self.categories, self.knows = categories, type(model_t).__name__

    def fit(self, Y: np.ndarray, T: np.ndarray, *, X: np.ndarray) -> StandIn:
        self.seen = Y, T
        design = np.column_stack([np.ones(len(X)), X])
        self.lines = [np.linalg.lstsq(design[c == T], Y[c == T], rcond=None)[0] for c in self.categories]
        return self

    def effect(self, X: np.ndarray, *, T0: int, T1: int) -> np.ndarray:
        return np.column_stack([np.ones(len(X)), X]) @ (self.lines[T1] - self.lines[T0])


def test_it_is_given_pseudo_observations_and_asked_for_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    package, inner = ModuleType("econml"), ModuleType("econml.dml")
    setattr(inner, "CausalForestDML", StandIn)
    monkeypatch.setitem(sys.modules, "econml", package)
    monkeypatch.setitem(sys.modules, "econml.dml", inner)
    made = draw(600, 41, effect=-1.0)
    learned: Any = learn(made, SURVIVAL, name="forest", rng=np.random.default_rng(0))
    assert learned.forest.knows == "DummyClassifier"  # chance decided: nothing tells of the arm
    assert learned.names == NAMES and learned.forest.categories == [0, 1]
    assert learned.forest.seen[0] == pytest.approx(by_arm(made, SURVIVAL))
    assert (learned.forest.seen[1] == made.arm).all()
    x = np.array([[0.0, 1.5], [0.0, -1.5]])
    assert learned.outcomes(x)[:, 0].tolist() == [0, 0]
    gain = learned.benefit(x, control=ARMS[0], treated=ARMS[1])
    assert gain[0] > 0.2 and gain[1] < -0.2  # the hazard falls where the second column is large
