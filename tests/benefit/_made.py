"""Trials drawn from stated formulas: exponential times whose log hazard and whose effect are linear in two columns."""

from __future__ import annotations

import numpy as np

from vesalius.benefit.measure import Measure
from vesalius.benefit.trial import Trial, trial
from vesalius.survival.observed import observed

ARMS = ("control", "treated")
NAMES = ("age", "size")
HORIZON = 500.0
SURVIVAL = Measure(HORIZON)
MEAN = Measure(HORIZON, "restricted_mean")


def chances(x: np.ndarray, confounded: bool) -> np.ndarray:
    """How likely treatment is: one half, or the more likely the worse the outlook."""
    return 1 / (1 + np.exp(-(1.2 * x[:, 0]))) if confounded else np.full(len(x), 0.5)


def rates(x: np.ndarray, effect: float) -> np.ndarray:
    """Hazards a day under control and treated, `(N, 2)`."""
    base = -6.2 + 0.8 * x[:, 0]
    return np.exp(np.stack([base, base + effect * x[:, 1]], axis=1))


def benefits(x: np.ndarray, effect: float) -> np.ndarray:
    """The true differences of survival at the horizon, `(N,)`."""
    curve = np.exp(-rates(x, effect) * HORIZON)
    return curve[:, 1] - curve[:, 0]


def draw(n: int, seed: int, *, effect: float = 0.0, confounded: bool = False, censored: bool = True) -> Trial:
    """Draw a trial; the event of one who is censored early is not seen."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    arm = (rng.random(n) < chances(x, confounded)).astype(int)
    event = rng.exponential(1 / rates(x, effect)[np.arange(n), arm])
    leave = rng.exponential(1200.0, n) if censored else np.full(n, 5000.0)
    time = np.ceil(np.minimum(event, np.minimum(leave, 1500.0 if censored else 5000.0)))
    seen = observed(time, event <= leave if censored else np.ones(n, bool))
    return trial(
        x, [ARMS[a] for a in arm], seen, names=NAMES, arms=ARMS, randomised=None if confounded else True
    )
