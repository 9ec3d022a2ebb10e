"""What energy means: CO₂ and money by hand, nothing where nothing was declared, and no guess about a country."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest

from vesalius.core.errors import DataError, MissingExtra
from vesalius.plan.energy import ESTIMATED, MEASURED, Energy, added
from vesalius.plan.tariff import NONE, record, tariff, words

HALF_A_KWH = Energy(1.8e6, MEASURED, "RAPL")


def test_half_a_kilowatt_hour_by_hand() -> None:
    found = record(HALF_A_KWH, tariff("380", 0.30), seconds=60.0)
    assert (
        found["kwh"] == 0.5
        and found["co2_g"] == pytest.approx(190.0)
        and found["price"] == pytest.approx(0.15)
    )
    assert found["intensity_of"] == "declared" and found["how"] == "measured" and found["seconds"] == 60.0
    assert words(found) == (
        "1.8e+06 J (500 Wh, measured), 190 g of CO₂ at 380 g/kWh (declared), a price of 0.15 at 0.3 a kWh"
    )
    assert words({**found, "at_least": True}).startswith("at least 1.8e+06 J")


def test_nothing_is_said_of_what_nobody_declared() -> None:
    assert set(record(HALF_A_KWH, seconds=1.0)) == {"joules", "kwh", "how", "from", "seconds"}
    assert tariff() == NONE and not tariff()
    only = record(HALF_A_KWH, tariff(price_kwh=0.0), seconds=1.0)
    assert only["price"] == 0.0 and "co2_g" not in only, "a price of nothing is one"


@pytest.mark.parametrize("wrong", ["-1", "nan", "inf"])
def test_numbers_that_are_none_are_refused(wrong: str) -> None:
    with pytest.raises(DataError, match="carbon intensity"):
        tariff(wrong)
    with pytest.raises(DataError, match="a price of energy"):
        tariff(price_kwh=float(wrong))


def test_a_country_without_its_table_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(resources, "files", absent)
    with pytest.raises(MissingExtra, match=r"pip install 'vesalius\[energy\]'"):
        tariff("DEU")


def test_a_sum_is_measured_only_where_every_part_is() -> None:
    guess = Energy(200.0, ESTIMATED, "a guess")
    both = added([HALF_A_KWH, guess, guess])
    assert both is not None and both.joules == 1.8e6 + 400 and both.how == ESTIMATED
    assert both.text == "RAPL + a guess" and added([]) is None
    assert added([HALF_A_KWH, HALF_A_KWH]) == Energy(3.6e6, MEASURED, "RAPL")
