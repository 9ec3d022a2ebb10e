"""Whether a heart answers to resynchronisation: a formula of nine factors, and what each source tells of it at best.

The chance is 1 / (1 + exp(−Σ weight · factor)). Factors are in standard deviations, normal and cut off at LIMIT, but
for sex and block, which are −1 or 1. Women and people with a left bundle branch block respond more often (Goldenberg
et al. 2011, Circulation), those with much scar less; the sizes of all weights are made up, so that no source is enough.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache

import numpy as np

from vesalius.core.image import Array

LIMIT = 2.2
WEIGHTS = {
    "scar": -1.8,  # of the left ventricle's muscle
    "wall": -0.8,  # its thickness
    "calcium": -1.25,  # in the coronary arteries
    "width": -0.75,  # of the whole heart
    "congestion": -1.35,  # of the lungs
    "age": -0.6,
    "sex": 0.6,  # 1 for a woman
    "lab": -0.85,  # the logarithm of NT-proBNP
    "block": 0.85,  # 1 for a left bundle branch block, −1 for another delay
}
WOMEN, LEFT_BLOCK = 0.4, 0.5  # how often
SEEN_IN: dict[str, tuple[str, ...]] = {  # which factors each source shows; two of them are seen in two
    "ct": ("calcium", "wall", "width"),
    "xray": ("congestion", "width"),
    "mr": ("scar", "wall"),
    "age": ("age",),
    "sex": ("sex",),
    "lab": ("lab",),
    "text": ("block",),
}
IMAGES = ("ct", "xray", "mr")
COVARIATES = ("age", "sex", "lab")
_SAMPLES = 4096


def draw_factors(random: np.random.Generator) -> dict[str, float]:
    """Return the factors of one person; none depends on another."""
    normal, share = random.standard_normal(len(WEIGHTS)), random.random(2)
    found = {
        name: round(float(np.clip(z, -LIMIT, LIMIT)), 4) for name, z in zip(WEIGHTS, normal, strict=True)
    }
    found["sex"] = 1.0 if share[0] < WOMEN else -1.0
    found["block"] = 1.0 if share[1] < LEFT_BLOCK else -1.0
    return found


def chance(factors: Mapping[str, float]) -> float:
    """Return the chance of a response."""
    return float(1 / (1 + np.exp(-sum(w * factors[name] for name, w in WEIGHTS.items()))))


def told_by(factors: Mapping[str, float], sources: Collection[str]) -> float:
    """Return the chance of a response given what some sources show: no model that sees these alone can do better.

    `sources` are names of SEEN_IN. What they do not show is averaged over many people, always the same.
    """
    shown = {name for source in sources for name in SEEN_IN[source]}
    own = sum(w * factors[name] for name, w in WEIGHTS.items() if name in shown)
    hidden = tuple(name for name in WEIGHTS if name not in shown)
    return float((1 / (1 + np.exp(-(own + _others(hidden))))).mean())


@lru_cache(maxsize=512)
def _others(names: tuple[str, ...]) -> Array:
    """Return what the factors of those names come to together, in each of many people, `(N,)`."""
    total = np.zeros(_SAMPLES)
    random = np.random.default_rng(20211)
    for name, weight in WEIGHTS.items():
        u, z = random.random(_SAMPLES), np.clip(random.standard_normal(_SAMPLES), -LIMIT, LIMIT)
        often = {"sex": WOMEN, "block": LEFT_BLOCK}.get(name)
        if name in names:
            total += weight * (z if often is None else np.where(u < often, 1.0, -1.0))
    return total
