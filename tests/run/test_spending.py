"""The energy of a run: its sittings added, what was killed said, and priced as the limits around it declare."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from vesalius.learn.parallel import crew as crews
from vesalius.learn.parallel.crew import Crew
from vesalius.plan.energy import Energy, Meter
from vesalius.plan.tariff import tariff
from vesalius.run.limits.allowance import Allowance
from vesalius.run.limits.watch import within
from vesalius.run.spending import SPENT, Metered, spending, spent


@pytest.fixture
def ten_joules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Meter, "stop", lambda meter: Energy(10.0, "estimated", "ten"))


def test_sittings_are_added_and_one_that_was_killed_is_said(tmp_path: Path, ten_joules: None) -> None:
    assert spent(tmp_path) == {}
    for _ in range(2):
        with spending(tmp_path, "training", "cpu"):
            pass
    with pytest.raises(KeyboardInterrupt), spending(tmp_path, "training", "cpu"):
        raise KeyboardInterrupt
    found = spent(tmp_path)["training"]
    assert found["joules"] == 30.0 and found["how"] == "estimated" and "at_least" not in found
    kept = json.loads((tmp_path / SPENT).read_text())
    kept["training"].append({"began": 0.0})  # of a process that could not write down what it took
    (tmp_path / SPENT).write_text(json.dumps(kept))
    with spending(tmp_path, "scoring", "cpu"):
        pass
    assert spent(tmp_path)["training"]["at_least"] is True and set(spent(tmp_path)) == {"training", "scoring"}


def test_it_is_priced_when_it_is_told(tmp_path: Path, ten_joules: None) -> None:
    with spending(tmp_path, "training", "cpu"):
        pass
    with within(Allowance(), rates=tariff(360, 0.36)):
        found = spent(tmp_path)["training"]
        with Metered("cpu") as metered:
            pass
    assert found["co2_g"] == metered.taken["co2_g"] == pytest.approx(0.001)
    assert found["price"] == pytest.approx(1e-6) and "price" not in spent(tmp_path)["training"]


@pytest.fixture
def crew() -> Iterator[Crew]:
    before = crews.current()
    yield crews.adopt(Crew(size=3, local_size=2))
    crews.adopt(before)


def test_what_other_processes_used_is_counted_in_or_said(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Meter, "stop", lambda meter: Energy(10.0, "estimated", "ten"))
    crew.others_s = 5.0  # before this piece of work
    with Metered("cpu") as metered:
        crew.others_s = 7.5
    assert metered.taken["joules"] == 10 + 2.5 * 10 and metered.taken["how"] == "estimated"
    assert "2.5 s of processor time of 2 other processes" in metered.taken["from"]
    monkeypatch.setattr(Meter, "stop", lambda meter: Energy(10.0, "measured", "RAPL"))
    with Metered("cpu") as metered:
        crew.others_s = 9.0
    assert metered.taken["joules"] == 10 and "without the other machines" in metered.taken["from"]
    crew.local_size = 3
    with Metered("cpu") as metered:
        crew.others_s = 11.0
    assert metered.taken["joules"] == 10 and "without" not in metered.taken["from"], "RAPL had them already"
