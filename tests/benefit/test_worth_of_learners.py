"""All that held-out patients say of a learner, together; and the drawings of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.benefit._made import SURVIVAL, draw

from vesalius.answers.drawing import gains
from vesalius.benefit.balance import balance
from vesalius.benefit.learners import learn
from vesalius.benefit.measure import Measure
from vesalius.benefit.propensity import fit_propensity
from vesalius.benefit.robust import Scored, doubly_robust
from vesalius.benefit.trial import Trial
from vesalius.benefit.worth import Worth, worth
from vesalius.core.errors import DataError

BOTH = {"control": "control", "treated": "treated"}


def judged(effect: float, confounded: bool) -> tuple[Worth, Trial, Scored, Any]:
    made = draw(800, 31, effect=effect, confounded=confounded)
    scored = doubly_robust(made, SURVIVAL, rng=np.random.default_rng(0))
    learned = learn(made.where(np.arange(400)), SURVIVAL, rng=np.random.default_rng(0))
    held = np.arange(400, 800)
    found = worth(learned, made.where(held), scored.where(held), rng=np.random.default_rng(0), **BOTH)
    return found, made.where(held), scored.where(held), learned


@pytest.fixture(scope="module")
def planted() -> tuple[Worth, Trial, Scored, Any]:
    return judged(-1.2, confounded=False)


def test_a_planted_effect_is_told_and_none_is_not(planted: Any) -> None:
    found = planted[0]
    assert found.tells and found.policy.gain["treated"].low > 0 and found.policy.gain["control"].low > 0
    assert found.concordance is not None and found.concordance.low > 0.5
    assert found.calibration.slope is not None and found.calibration.slope.holds(1.0)
    nothing = judged(0.0, confounded=True)[0]
    assert not nothing.tells and nothing.concordance is None
    assert nothing.effect.left_out == nothing.ranked.autoc.left_out > 0
    assert nothing.effect.n + nothing.effect.left_out == 400


def test_scores_of_others_are_refused(planted: Any) -> None:
    _, held, scored, learned = planted
    with pytest.raises(DataError, match="the same patients, arms and measure"):
        worth(learned, held, scored.where(np.arange(300)), rng=np.random.default_rng(0), **BOTH)
    other = learn(held, Measure(300.0), rng=np.random.default_rng(0))
    with pytest.raises(DataError, match="the same patients, arms and measure"):
        worth(other, held, scored, rng=np.random.default_rng(0), **BOTH)


def test_drawings_name_what_they_show(planted: Any) -> None:
    found, held, _, _ = planted
    table = balance(held, fit_propensity(held).of(held.x), **BOTH)
    for svg, words in (
        (gains.love(table), ("age", "overlap", "difference of treated and control")),
        (gains.ranking(found.ranked, ""), ("share treated", "beyond that among all")),
        (
            gains.predicted_and_found(found.calibration, "days"),
            ("benefit predicted (days)", "effect found (days)"),
        ),
    ):
        assert svg.startswith("<svg") and all(w in svg for w in words), words
