"""Limits as a person writes them: every unit, and what is refused rather than guessed."""

from __future__ import annotations

import pytest

from vesalius.core.errors import BudgetError
from vesalius.run.limits.allowance import (
    allowance,
    energy_of,
    energy_written,
    memory_of,
    memory_written,
)


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("4GB", 4_000_000_000),
        ("2GiB", 2_147_483_648),
        ("800 mb", 800_000_000),
        ("1.5g", 1_500_000_000),
        ("512", 512),
        (7, 7),
    ],
)
def test_memory(text: str | int, n: int) -> None:
    assert memory_of(text) == n


@pytest.mark.parametrize(
    ("text", "joules"),
    [("50Wh", 180_000), ("0.2kWh", 720_000), ("900J", 900), ("2 kJ", 2000), ("1MJ", 1e6), (5.5, 5.5)],
)
def test_energy(text: str | float, joules: float) -> None:
    assert energy_of(text) == pytest.approx(joules)


@pytest.mark.parametrize("text", ["50", "1mJ", "3 MWh", "Wh", "", "-1J", "0J", "1e400J", "5 W"])
def test_energy_that_could_mean_something_else_is_refused(text: str) -> None:
    with pytest.raises(BudgetError, match="is not an amount of energy.*50Wh"):
        energy_of(text)


@pytest.mark.parametrize("text", ["GB", "4 XB", "0", "-4GB", "4GB5", "lots"])
def test_memory_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BudgetError, match="is not an amount of memory.*4GB"):
        memory_of(text)


def test_what_is_written_is_read_again() -> None:
    for n in (1_000_000, 800_000_000, 4_200_000_000):
        assert memory_of(memory_written(n)) == n
    assert energy_written(3000.0) == "3000J" and memory_written(1e12) == "1000GB"
    for joules in (35.0, 4.2 * 3600, 1.3 * 3.6e6):
        assert energy_of(energy_written(joules)) == pytest.approx(joules)
    assert not allowance() and allowance("10m").time_s == 600
