"""Energy: counters read with their wrap, whole processors only, and an estimate that is called one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vesalius.plan.energy import ESTIMATED, MEASURED, Meter


def zone(root: Path, name: str, used: int, wraps: int = 1_000_000_000, *, called: str = "") -> Path:
    place = root / name
    place.mkdir()
    (place / "name").write_text(f"{called or 'package-' + name[-1]}\n")
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


def test_a_processor_that_stands_there_twice_counts_once(tmp_path: Path) -> None:
    first = zone(tmp_path, "intel-rapl:0", 0, called="package-0")
    again = zone(tmp_path, "intel-rapl-mmio:0", 0, called="package-0")
    platform = zone(tmp_path, "intel-rapl:1", 0, called="psys")
    meter = Meter(root=tmp_path)
    for place in (first, again, platform):
        (place / "energy_uj").write_text("3000000")
    assert meter.stop().joules == pytest.approx(3.0)


def test_without_counters_it_is_an_estimate_from_processor_time_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "intel-rapl:0").mkdir()  # without its counter, as where it may not be read
    meter = Meter(watts=20, root=tmp_path)
    sum(k * k for k in range(300_000))
    found = meter.stop()
    assert found.how == ESTIMATED and "× 20 W, assumed" in found.text
    assert found.joules == pytest.approx(20 * float(found.text.split()[0]), rel=0.01) and found.joules > 0
    assert Meter(root=tmp_path / "nowhere").stop().how == ESTIMATED


def test_a_meter_that_is_read_on_the_way_counts_each_time_that_a_counter_begins_anew(tmp_path: Path) -> None:
    place = zone(tmp_path, "intel-rapl:0", 900_000_000)
    meter = Meter(root=tmp_path)
    for now, joules in ((100_000_000, 200.0), (600_000_000, 700.0), (50_000_000, 1150.0)):
        (place / "energy_uj").write_text(str(now))
        assert meter.read().joules == pytest.approx(joules) and meter.read().how == MEASURED
    assert meter.stop().joules == pytest.approx(1150.0) and meter.stop().kwh == pytest.approx(1150 / 3.6e6)


def test_the_processors_time_of_children_that_go_on_counts() -> None:
    meter = Meter(watts=1.0, root=Path("/nowhere"))
    code = "sum(k * k for k in range(3_000_000)); print('done', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == b"done\n"
        while_it_waits = meter.read().joules
        child.communicate(b"\n")
    assert while_it_waits > 0.05
    assert meter.read().joules == pytest.approx(while_it_waits, abs=0.3)


def test_the_processors_time_of_children_that_have_ended_counts() -> None:
    meter = Meter(watts=1.0, root=Path("/nowhere"))
    code = "sum(k * k for k in range(3_000_000))"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert meter.read().joules > 0.05
