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


def container(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def test_a_containers_memory_counts_without_the_pages_that_can_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 2: 300 MB of 1 GB are used, 200 MB of them pages of files, so that 900 MB are free."""
    monkeypatch.setattr(machine, "CONTAINER", tmp_path)
    assert machine.granted_memory() is None
    container(tmp_path, {"memory.max": "max\n", "memory.current": "300000000\n", "memory.stat": ""})
    assert machine.granted_memory() is None
    container(tmp_path, {"memory.max": "1000000000\n", "memory.stat": "anon 9\ninactive_file 200000000\n"})
    assert machine.granted_memory() == 1_000_000_000
    assert machine.free_memory() == machine.measure().memory == 900_000_000


def test_the_first_version_of_containers_writes_a_number_for_no_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "CONTAINER", tmp_path)
    names = ("limit_in_bytes", "usage_in_bytes", "stat")
    for texts, limit in (
        (("9223372036854771712", "5", ""), None),
        (("500000000", "400000000", ""), 500_000_000),
    ):
        container(tmp_path, {f"memory/memory.{n}": t for n, t in zip(names, texts, strict=True)})
        assert machine.granted_memory() == limit
    assert machine.free_memory() == 100_000_000
