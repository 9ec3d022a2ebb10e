"""Words for how images were normalised, against what each says by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import PlanError
from vesalius.core.plan import Normalisation
from vesalius.imports.normalising import entries
from vesalius.prepare.intensity import normalise


def applied(word: str, values: list[float], channels: int = 1) -> list[float]:
    array = np.array(values, np.float32).reshape(1, 1, 1, -1).repeat(channels, axis=0)
    made = normalise(array, [Normalisation(**e) for e in entries(word, channels)])
    return [float(v) for v in made[0].ravel()]


def test_words_mean_what_they_say() -> None:
    assert applied("0..255", [-10, 0, 51, 255, 300]) == pytest.approx([0, 0, 0.2, 1, 1])
    assert applied("-1000..400", [-1000, -300, 400]) == pytest.approx([0, 0.5, 1])
    assert applied("120/60", [0, 120, 240]) == pytest.approx([-2, 0, 2])
    assert applied("none", [3, 4]) == pytest.approx([3, 4])
    assert applied("zscore", [1, 3]) == pytest.approx([-1, 1])
    assert applied("imagenet", [123.675, 182.07], 3) == pytest.approx([0, 1])


@pytest.mark.parametrize("word", ["255..0", "5..5", "3/0", "3/-1", "percentile", "", "nan..1", "0..inf"])
def test_other_words_are_refused(word: str) -> None:
    with pytest.raises(PlanError):
        entries(word, 1)


def test_imagenet_is_of_three_channels() -> None:
    with pytest.raises(PlanError, match="red, green and blue"):
        entries("imagenet", 1)
