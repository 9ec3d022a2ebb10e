"""The learning-rate range test: grows by a factor, averages as published, ends where the loss breaks."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest
from _bench import PLAN, STATE, Bench

from vesalius.core.plan import override
from vesalius.core.progress import Silent
from vesalius.learn.rates import Sweep, suggested, sweep
from vesalius.learn.stepper import fabric_for
from vesalius.tasks import contract as tasks


def test_the_rate_grows_by_a_factor_and_the_loss_is_averaged(bench: Bench) -> None:
    plan = override(PLAN, {"train.ema": 0.0, "augment.mixup": 0, "net.dropout": 0})

    def swept() -> Sweep:
        how: dict[str, Any] = {"low": 1e-6, "high": 100.0, "steps": 60, "progress": Silent(), "device": "cpu"}
        return sweep(tasks.get("classify"), plan, STATE, bench.examples, **how)

    found = swept()
    factors = [b / a for a, b in zip(found.rates, found.rates[1:], strict=False)]
    assert found.rates[0] == pytest.approx(1e-6) and factors == pytest.approx(
        [1e8 ** (1 / 59)] * len(factors)
    )
    running = 0.0
    for k, loss in enumerate(found.losses):
        running = (1 - 1 / 6) * running + loss / 6  # over a tenth of 60 steps
        assert found.averages[k] == pytest.approx(running / (1 - (1 - 1 / 6) ** (k + 1)))
    assert swept() == found, "the same steps, the same losses"


def test_the_precision_is_not_announced(caplog: pytest.LogCaptureFixture) -> None:
    level = logging.getLogger("lightning_fabric.utilities.rank_zero").level
    with caplog.at_level(logging.INFO):
        assert fabric_for(override(PLAN, {"train.precision": "bf16"}), "cpu") is not None
    assert "Mixed Precision" not in caplog.text
    assert logging.getLogger("lightning_fabric.utilities.rank_zero").level == level


def curve(averages: list[float], *, broke: bool = True) -> Sweep:
    rates = tuple(10.0 ** (k / 5 - 6) for k in range(len(averages)))
    return Sweep(rates, tuple(averages), tuple(averages), broke)


def test_a_tenth_of_the_rate_at_the_minimum_is_suggested() -> None:
    falling = [1.0] * 10 + [1 - 0.04 * k for k in range(15)] + [2.0]
    rate, why = suggested(curve(falling))
    assert (
        rate == pytest.approx(0.1 * 10 ** (24 / 5 - 6), rel=0.05) and "Gugger 2018" in why and "0.44" in why
    )


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (curve([1.0] * 5), "broke after 5 steps"),
        (curve([1.0] * 30), "no rate lowered"),
        (curve([1.0, *(1.0 + 0.1 * k for k in range(20))]), "no rate lowered"),
    ],
)
def test_where_none_follows_none_is_suggested(found: Sweep, says: str) -> None:
    rate, why = suggested(found)
    assert rate is None and says in why


def test_where_the_loss_still_falls_at_the_end_no_rate_follows() -> None:
    rate, why = suggested(curve([1 - 0.02 * k for k in range(30)], broke=False))
    assert rate is None and "still falling" in why and "(high)" in why


def test_few_steps_are_said_to_be_few() -> None:
    falling = [1.0] * 10 + [1 - 0.04 * k for k in range(15)] + [2.0]
    for steps, few in ((26, True), (100, False)):
        rate, why = suggested(replace(curve(falling), steps=steps))
        assert rate is not None and ("steps are few" in why) == few
