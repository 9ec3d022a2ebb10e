"""How much contrast is in arteries, in the liver and in lesions over time.

A lesion's kind is told by its wash-out alone, the logarithm of what it loses from its height to the end of five
minutes. How fast it fills and how much it takes up are drawn alike for both kinds, and a lesion's mean over the frames
is that of the organ times its uptake, so that neither its mean nor any single frame tells the kind for certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.image import Array

KINDS = ("benign", "malignant")
WASH_OUT = {"benign": (-0.25, 0.15), "malignant": (0.55, 1.0)}  # the logarithm of the height over the end
LIMIT = 0.35  # from this wash-out on, a lesion is malignant
UPTAKE = (
    0.35,
    1.1,
)  # of a lesion's mean over the liver's: its logarithm, up or down, so that no lesion is hidden
FILLS_S = (5.0, 16.0)  # a lesion's time constant of filling
END_S = 300.0
ARRIVES_S = (6.0, 13.0)
FIRST = (10, 14), (2.5, 4.0)  # frames, and seconds between them
THEN = (4, 6), (10.0, 16.0)
LATE = (4, 6), (28.0, 42.0)


@dataclass(frozen=True)
class Injection:
    """A bolus: when it arrives in the arteries, how wide it is in s, and how much there is of it."""

    arrives_s: float
    wide_s: float
    dose: float
    portal_s: float

    def artery(self, times_s: Array) -> Array:
        """Return the arteries' contrast: a gamma variate of height 1 (Thompson 1964), and what goes round."""
        past = np.maximum(times_s - self.arrives_s, 0) / self.wide_s
        first = (past / 2) ** 2 * np.exp(2 - past)
        again = 0.3 * (1 - np.exp(-past / 3)) * np.exp(-np.maximum(times_s - self.arrives_s, 0) / 260)
        return self.dose * (first + again)

    def liver(self, times_s: Array) -> Array:
        """Return the liver's contrast: a little by its artery, most by the portal vein, which is later."""
        past = np.maximum(times_s - self.arrives_s, 0)
        early = 0.15 * (1 - np.exp(-past / 8))
        late = 0.45 * (1 - np.exp(-np.maximum(past - self.portal_s, 0) / 18))
        return self.dose * (early + late) * np.exp(-past / 700)

    def lesion(self, times_s: Array, fills_s: float, wash_out: float) -> Array:
        """Return a lesion's contrast, before its uptake: it fills with a time constant, and then loses `wash_out`."""
        past = np.maximum(times_s - self.arrives_s, 0)
        lost = wash_out * np.clip((past - 25) / (END_S - 25 - self.arrives_s), 0, None)
        return (1 - np.exp(-past / fills_s)) ** 2 * np.exp(-lost)


@dataclass(frozen=True)
class Lesion:
    """A lesion: kind, centre `(y, x)` and radius as shares of the side, and how contrast goes through it."""

    kind: str
    centre: tuple[float, float]
    radius: float
    fills_s: float
    wash_out: float
    uptake: float
    seed: int

    def curve(self, injection: Injection, times_s: Array) -> Array:
        """Return its contrast at the times of the frames, whose mean is the liver's times the uptake."""
        own, liver = injection.lesion(times_s, self.fills_s, self.wash_out), injection.liver(times_s)
        return np.asarray(own / own.mean() * liver.mean() * self.uptake)

    def truth(self) -> dict[str, Any]:
        """Return what is known, as plain JSON values."""
        return {
            "kind": self.kind, "centre": list(self.centre), "radius": self.radius, "fills_s": self.fills_s,
            "wash_out": self.wash_out, "uptake": self.uptake,
        }  # fmt: skip


def kind_of(wash_out: float) -> str:
    """Return the kind of a lesion by its wash-out, as it is defined."""
    return KINDS[wash_out >= LIMIT]


def draw_injection(random: np.random.Generator) -> Injection:
    """Return a bolus that arrives a few frames after the first."""
    return Injection(
        round(float(random.uniform(*ARRIVES_S)), 3),
        round(float(random.uniform(2.2, 3.6)), 3),
        round(float(np.exp(random.normal(0, 0.15))), 4),
        round(float(random.uniform(12, 22)), 3),
    )


def draw_times(random: np.random.Generator) -> Array:
    """Return the times of the frames in s from 0 on: many at first, few at the end, in uneven steps."""
    steps: list[Array] = []
    for (low, high), step in (FIRST, THEN, LATE):
        mean = float(random.uniform(*step))
        steps.append(mean * random.uniform(0.9, 1.1, int(random.integers(low, high + 1))))
    times = np.concatenate([[0.0], np.cumsum(np.concatenate(steps))])
    return np.round(times, 2)


def draw_lesion(random: np.random.Generator, kind: str, centre: tuple[float, float], radius: float) -> Lesion:
    """Return a lesion of a kind at a place."""
    return Lesion(
        kind,
        centre,
        radius,
        round(float(random.uniform(*FILLS_S)), 3),
        round(float(random.uniform(*WASH_OUT[kind])), 4),
        round(float(np.exp(random.uniform(*UPTAKE) * random.choice([-1, 1]))), 4),
        int(random.integers(2**31)),
    )
