"""How many cases raise the alarm: the exact interval against tables, the sentence, the banner."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.operating import clopper_pearson
from vesalius.evaluate.strange import STRANGE, in_words, of_strange, strange
from vesalius.infer.alarm import Alarm


def alarm(rate: float = 0.01) -> Alarm:
    return Alarm("mahalanobis", "w", {}, np.zeros(0), np.zeros(0), {}, 1.0, rate, 99, 400)


def test_the_interval_is_clopper_and_pearsons() -> None:
    """Against scipy's own, and the rule of three: nothing in 100 leaves 3.6 % possible."""
    from scipy.stats import binomtest

    for k, n in ((0, 100), (3, 125), (125, 125), (7, 20)):
        low, high = clopper_pearson(k, n)
        known = binomtest(k, n).proportion_ci(0.95, "exact")
        assert (low, high) == pytest.approx((known.low, known.high))
    assert clopper_pearson(0, 100)[1] == pytest.approx(0.0362, abs=1e-4)


def test_it_is_said_and_a_banner_only_where_chance_does_not_explain_it() -> None:
    found = strange(1, 125, alarm())
    assert in_words(found) == (
        "1 of 125 cases (0.8 %, interval 0.02 % to 4.4 %) is unlike the training cases by mahalanobis, "
        "where 1 % of ordinary ones are to be expected."
    )
    assert of_strange(found) == () and in_words({}) == "" and of_strange({}) == ()
    (banner,) = of_strange(strange(40, 125, alarm()))
    assert banner.kind == STRANGE and banner.text.startswith(
        "40 of 125 cases (32 %, interval 24 % to 41 %) are unlike"
    )
