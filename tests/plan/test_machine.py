"""What this machine offers: the cores that a container's share of the processor comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from vesalius.plan import machine


@pytest.mark.parametrize(
    ("text", "most"),
    [("100000 100000\n", 1), ("50000 100000", 1), ("250000 100000", 2), ("max 100000", None), ("", None)],
)
def test_a_containers_share_counts_in_whole_cores(
    text: str, most: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "QUOTA", tmp_path / "absent")
    without = machine.measure().cores
    (tmp_path / "cpu.max").write_text(text)
    monkeypatch.setattr(machine, "QUOTA", tmp_path / "cpu.max")
    assert machine.measure().cores == (without if most is None else min(without, most))
