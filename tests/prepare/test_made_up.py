"""Made-up images: the same bits on every machine, out of whole numbers alone."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.prepare import covariates
from vesalius.prepare.made_up import Draw, field

MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
MASK = (1 << 128) - 1


def pcg64(seed: int, n: int) -> list[int]:
    """PCG64 (XSL-RR 128/64, O'Neill 2014) in whole numbers of Python, from the state that numpy seeds it with."""
    state = np.random.PCG64(np.random.SeedSequence(seed)).state["state"]
    x, increment, found = int(state["state"]), int(state["inc"]), []
    for _ in range(n):
        x = (x * MULTIPLIER + increment) & MASK
        folded, turn = (x >> 64) ^ (x & (2**64 - 1)), x >> 122
        found.append(((folded >> turn) | (folded << (-turn & 63))) & (2**64 - 1))
    return found


def test_the_numbers_are_those_of_the_published_generator() -> None:
    raw = pcg64(7, 6)
    draw = Draw(7)
    assert [draw.below(2**64) for _ in range(3)] == raw[:3]
    assert draw.numbers((3,), bits=16).tolist() == [x >> 48 for x in raw[3:]]


def test_the_pixels_never_change() -> None:
    made = field(Draw(3), (5, 33, 40), 1023)
    assert made.dtype == np.int64 and made.shape == (5, 33, 40) and 0 <= made.min() < made.max() <= 1023
    assert hashlib.sha256(made.astype("<i8").tobytes()).hexdigest()[:16] == "95533d3725ac3740"


def test_seeds_give_images_that_differ_in_shade_and_reach() -> None:
    made = [field(Draw(seed), (1, 32, 32), 255) for seed in range(6)]
    assert len({(int(m.min()), int(m.max())) for m in made}) == 6
    assert np.ptp([m.mean() for m in made]) > 20
    flat = field(Draw(0), (1, 1, 1), 255)
    assert flat.shape == (1, 1, 1)


def test_covariates_are_such_as_may_be() -> None:
    learned = {
        "age": {"mean": 60.0, "sd": 10.0, "low": 40.0, "high": 80.0, "missing": 0},
        "sex": {"values": ["F", "M"], "missing": 1},
        "dose": {"mean": 5.0, "sd": 1.0},
    }
    made = [{n: covariates.made_up(learned, n, Draw(seed)) for n in learned} for seed in range(20)]
    assert all(40 <= m["age"] <= 80 and 4 <= m["dose"] <= 6 for m in made)  # type: ignore[operator]
    assert {m["sex"] for m in made} == {"F", "M"}
    with pytest.raises(DataError, match="which values the covariate 'stage' may have"):
        covariates.made_up(learned, "stage", Draw(0))
