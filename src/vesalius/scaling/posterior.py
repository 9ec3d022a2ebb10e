"""How sure a law is: draws of its parameters and of the noise, so that an interval covers what a new run comes to.

Model, of the logarithms: a cell's mean = law + misfit + noise / √runs. The noise between seeds may change along the
last thing (small shares are noisier); misfit is what no seed explains, such as a share that was luckily drawn. Both are
drawn with the law's parameters, so that few points give wide intervals. Priors are weak: an irreducible share between
nothing and all of the least mean, exponents around 0.4 within a factor of four.

Draws are made by the affine-invariant ensemble sampler of Goodman and Weare 2010 (Communications in Applied
Mathematics and Computational Science 5:65), which needs no tuning for laws whose parameters go together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.scaling.law import ALPHAS, CEILING, LARGEST, SMALLEST, Frame, Law, frame
from vesalius.scaling.points import Cell, Floats, Table, tabled

WALKERS, STEPS, BURNED, THINNED = 48, 900, 450, 8
TAIL = 5.0  # degrees of freedom of Student's t that a cell's mean is spread by: a stray cell moves little
EXPONENT, EXPONENTS_SPREAD = np.log(0.4), 0.7  # prior of the logarithm of an exponent
NOISE, MISFIT = 0.3, 0.1  # scales of the half-normal priors of both
SLOPE = 1.0  # prior deviation of the change of the logarithm of the noise over the measured range
FLOOR = 1e-4  # of noise and misfit


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws `(draws, parameters)` of a law, `[as Frame lays them out …, log noise, log misfit, slope of the noise]`."""

    at: Frame
    draws: Floats
    ends: tuple[float, float]  # of the last thing's logarithm, between which the noise changes

    def laws(self, x: Sequence[float]) -> Floats:
        """Return what each drawn law says at a place, `(draws,)`."""
        place = np.log(np.asarray(x, dtype=np.float64))[None]
        found: Floats = np.exp(self.at.logs(self.draws[:, :-3], place)[:, 0])
        return found

    def runs(self, x: Sequence[float], runs: int, rng: np.random.Generator) -> Floats:
        """Return what the mean of `runs` new runs at a place may come to, a number a draw."""
        noise = np.exp(self.draws[:, -3] + self.draws[:, -1] * _position(np.log(x[-1]), self.ends))
        scale = np.sqrt(np.exp(2 * self.draws[:, -2]) + noise**2 / runs)
        found: Floats = self.laws(x) * np.exp(scale * rng.standard_t(TAIL, size=len(scale)))
        return found

    @property
    def irreducible(self) -> Floats:
        """The irreducible term of each draw."""
        found: Floats = self.draws[:, 0] * self.at.least
        return found

    def exponents(self, thing: int) -> Floats:
        """The exponent of one thing's term, of each draw."""
        found: Floats = np.exp(self.draws[:, 2 + 2 * thing])
        return found


def drawn(cells: Sequence[Cell], law: Law, theta: Floats, *, seed: int = 0, steps: int = STEPS) -> Posterior:
    """Return draws around the law that was fitted to measured cells, all above 0; the same seed gives the same.

    `law` and `theta` are what `fitted` returned: the walkers begin there.
    """
    table = tabled(cells)
    at, rng = frame(table), np.random.default_rng(seed)
    last = table.places[:, -1]
    ends = (float(last.min()), float(last.max()))
    first = np.concatenate(
        [theta, [np.log(max(table.noise or law.residual, 0.01)), np.log(max(law.residual, 0.01)), 0.0]]
    )
    low, high = _bounds(table)
    inside = np.clip(first, low + 0.02 * (high - low), high - 0.02 * (high - low))
    walkers = np.clip(inside + rng.normal(size=(WALKERS, len(first))) * 0.1, low + 1e-6, high - 1e-6)
    density = _density(table, at, ends)
    burned = min(BURNED, steps // 2)
    kept = _sampled(density, walkers, steps, rng)[burned::THINNED]
    return Posterior(at, kept.reshape(-1, kept.shape[-1]), ends)


def _bounds(table: Table) -> tuple[Floats, Floats]:
    inner = [(SMALLEST, LARGEST), tuple(np.log(ALPHAS))] * table.places.shape[1]
    edges = [(0.0, CEILING), *inner, (np.log(FLOOR), 1.0), (np.log(FLOOR), 0.0), (-3.0, 3.0)]
    low, high = np.array(edges).T
    return low, high


def _position(log_x: Floats | float, ends: tuple[float, float]) -> Floats | float:
    """Return where a place lies between the ends, −½ to ½; beyond them the noise does not change any further."""
    width = ends[1] - ends[0]
    if width <= 0:
        return 0.0 * log_x
    return np.clip((log_x - ends[0]) / width - 0.5, -0.5, 0.5)


def _density(table: Table, at: Frame, ends: tuple[float, float]) -> Callable[[Floats], Floats]:
    """Return the logarithm of the posterior density, but for a constant, of parameters `(walkers, parameters)`."""
    low, high = _bounds(table)
    position = _position(table.places[:, -1], ends)

    def density(theta: Floats) -> Floats:
        outside = np.any((theta < low) | (theta > high), axis=1)
        theta = np.clip(theta, low, high)
        noise = np.exp(theta[:, -3:-2] + theta[:, -1:] * position)  # (walkers, cells)
        misfit = np.exp(theta[:, -2])
        scale2 = misfit[:, None] ** 2 + noise**2 / table.counts
        left2 = (table.means - at.logs(theta[:, :-3], table.places)) ** 2 / scale2
        of_means = -0.5 * np.log(scale2) - 0.5 * (TAIL + 1) * np.log1p(left2 / TAIL)
        of_seeds = -(table.counts - 1) * np.log(noise) - 0.5 * table.squares / noise**2
        prior = -0.5 * np.sum(((theta[:, 2:-3:2] - EXPONENT) / EXPONENTS_SPREAD) ** 2, axis=1)
        prior += -0.5 * (np.exp(theta[:, -3]) / NOISE) ** 2 - 0.5 * (misfit / MISFIT) ** 2
        prior += theta[:, -3] + theta[:, -2]  # both are drawn as logarithms
        prior += -0.5 * (theta[:, -1] / SLOPE) ** 2
        found: Floats = np.where(outside, -np.inf, (of_means + of_seeds).sum(axis=1) + prior)
        return found

    return density


def _sampled(
    density: Callable[[Floats], Floats], walkers: Floats, steps: int, rng: np.random.Generator
) -> Floats:
    """Return the walkers after every step, `(steps, walkers, parameters)`, moved half by half (stretch move, a = 2)."""
    many, size = walkers.shape
    half = many // 2
    parts = [walkers[:half].copy(), walkers[half:].copy()]
    values = [density(part) for part in parts]
    kept = np.empty((steps, many, size))
    for step in range(steps):
        for own in (0, 1):
            other = parts[1 - own][rng.integers(half, size=half)]
            z = (1 + rng.random(half)) ** 2 / 2
            moved = other + z[:, None] * (parts[own] - other)
            value = density(moved)
            taken = np.log(rng.random(half)) < (size - 1) * np.log(z) + value - values[own]
            parts[own][taken], values[own][taken] = moved[taken], value[taken]
        kept[step, :half], kept[step, half:] = parts
    return kept
