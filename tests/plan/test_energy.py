"""Energy: counters read with their wrap, whole processors only, and an estimate that is called one."""

from __future__ import annotations

from pathlib import Path

import pytest

from vesalius.plan.energy import ESTIMATED, MEASURED, Meter


def zone(root: Path, name: str, used: int, wraps: int = 1_000_000_000) -> Path:
    place = root / name
    place.mkdir()
    (place / "energy_uj").write_text(f"{used}\n")
    (place / "max_energy_range_uj").write_text(f"{wraps}\n")
    return place


def test_the_counters_of_whole_processors_are_added_and_wrap(tmp_path: Path) -> None:
    first, second = zone(tmp_path, "intel-rapl:0", 5_000_000), zone(tmp_path, "intel-rapl:1", 999_000_000)
    core = zone(tmp_path, "intel-rapl:0:0", 0)
    meter = Meter(root=tmp_path)
    for place, now in ((first, 7_500_000), (second, 1_000_000), (core, 900_000_000)):
        (place / "energy_uj").write_text(str(now))
    found = meter.stop()
    assert found.how == MEASURED and found.joules == pytest.approx(2.5 + 2.0), (
        "1 J to the wrap and 1 J after it"
    )
    assert found.each(3).joules == pytest.approx(1.5)


def test_without_counters_it_is_an_estimate_from_processor_time_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "intel-rapl:0").mkdir()  # without its counter, as where it may not be read
    meter = Meter(watts=20, root=tmp_path)
    sum(k * k for k in range(300_000))
    found = meter.stop()
    assert found.how == ESTIMATED and "× 20 W, assumed" in found.text
    assert found.joules == pytest.approx(20 * float(found.text.split()[0]), rel=0.01) and found.joules > 0
    assert Meter(root=tmp_path / "nowhere").stop().how == ESTIMATED
