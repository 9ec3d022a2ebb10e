"""Energy with codecarbon: its offline tracker counts, is called an estimate, and its table knows countries."""

from __future__ import annotations

import json
import time
from importlib import resources
from pathlib import Path

import pytest

from vesalius.core.errors import UnknownName
from vesalius.plan import energy_tracker
from vesalius.plan.energy import ESTIMATED, Meter
from vesalius.plan.tariff import tariff


def test_long_work_is_estimated_by_its_model_and_short_work_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    short = Meter(root=Path("/nowhere"), long=True)
    assert "processor time" in short.stop().text, "it has not begun to count"
    monkeypatch.setattr(energy_tracker, "AFTER_S", 0.0)
    monkeypatch.setattr(energy_tracker, "COVERED", 0.1)
    meter = Meter(root=Path("/nowhere"), long=True)
    end = time.monotonic() + 120
    while "codecarbon" not in meter.read().text and time.monotonic() < end:
        sum(k * k for k in range(200_000))
    first = meter.read().joules
    began = time.monotonic()
    while time.monotonic() - began < 2.0:
        sum(k * k for k in range(200_000))
    found = meter.stop()
    assert found.how == ESTIMATED and found.text.startswith("codecarbon 3.")
    assert found.joules > first >= 0


def test_a_country_has_the_intensity_of_its_table(tmp_path: Path) -> None:
    place = resources.files("codecarbon").joinpath("data", "private_infra", "global_energy_mix.json")
    table = json.loads(place.read_text(encoding="utf-8"))
    found = tariff("deu", 0.3)
    assert (
        found.intensity_g_kwh == table["DEU"]["carbon_intensity"]
        and 100 < table["DEU"]["carbon_intensity"] < 900
    )
    assert found.intensity_of == f"Germany in {table['DEU']['year']}, as codecarbon has it"
    with pytest.raises(UnknownName, match="XYZ"):
        tariff("XYZ")
