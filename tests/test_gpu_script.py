"""The script for a GPU: what it counts and searches by hand, and slices that cost little on a processor."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
from benchmarks import gpu
from benchmarks._figures import Figure
from benchmarks._fits import Absent
from benchmarks._gpu_agree import dice
from benchmarks._gpu_card import by_data_sheet, here, seconds_of
from benchmarks._gpu_largest import Found, Widths, search


@pytest.mark.parametrize("limit", [0.3, 1.0, 2.75, 9.1, 40.0])
def test_the_search_ends_beside_the_limit(limit: float) -> None:
    asked: list[float] = []

    def fits(width: float) -> bool:
        asked.append(width)
        return width <= limit

    found = search(fits, lambda: False, Widths())
    want = min(16.0, limit // 0.25 * 0.25)
    assert found.fits == want and found.ended
    assert found.fails is None if limit > 16 else found.fails is not None and found.fails - want <= 0.25
    assert len(asked) == len(set(asked)) <= 12, "no width is tried twice"


def test_a_search_without_an_end_says_so() -> None:
    assert search(lambda width: False, lambda: False, Widths()) == Found(None, 0.25, True)
    tries = iter([False, False, True])
    assert search(lambda width: True, lambda: next(tries), Widths()) == Found(2.0, None, False)


def test_a_card_of_a_like_name_has_no_data_sheet_of_another() -> None:
    assert by_data_sheet("NVIDIA H200") is not None and by_data_sheet("NVIDIA A10") is not None
    for name in ("NVIDIA A10G", "NVIDIA GeForce RTX 4090 Laptop GPU", "NVIDIA L40", "processor"):
        assert by_data_sheet(name) is None


def test_the_first_steps_do_not_count() -> None:
    def step(k: int) -> None:
        time.sleep(0.05 if k == 0 else 0.001)

    found = seconds_of(step, here(), warm=1, steps=3, most_s=5.0)
    assert len(found) == 3 and sorted(found)[1] < 0.04


def test_two_masks_agree_where_both_give_the_same_label() -> None:
    import torch

    assert dice(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 1, 2])) == pytest.approx(2 * 2 / 6)
    assert dice(torch.zeros(3), torch.zeros(3)) == 1.0


def test_slices_write_what_they_find_as_they_find_it(tmp_path: Path) -> None:
    rows = gpu.small(tmp_path, ("peak", "agreement", "scaling"))
    assert gpu.kept(tmp_path) == rows
    said = {row.what: row for row in rows}
    own = said["processor, fp32: largest difference from the processor's fp32, of the largest logit"]
    assert own.holds and float(own.value) == 0.0, "a processor agrees with itself"
    assert float(said["processor, bf16: Dice with the processor's mask"].value) < 1.0


def test_a_slice_that_hangs_is_ended_and_leaves_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {"slice": "vit", "what": "a step", "value": "1 ms"}
    script = tmp_path / "python"
    script.write_text(
        f"#!/bin/sh\necho '{json.dumps(first)}' >> \"$5/{gpu.ROWS}\"\n"
        f'printf \'{{"torn\' >> "$5/{gpu.ROWS}"\nsleep 300 & sleep 300\n'
    )
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(gpu, "START_S", 0.0)
    began = time.monotonic()
    gpu._slice(tmp_path, "vit", 2.0, None)
    assert time.monotonic() - began < 100
    rows = gpu.kept(tmp_path)
    assert rows[0] == Figure("a step", "1 ms")


def test_a_slice_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho CUDA error: an illegal memory access\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    gpu._slice(tmp_path, "unet", 60.0, None)
    (row,) = gpu.kept(tmp_path)
    assert row.holds is False and "illegal memory access" in row.value


@pytest.mark.skipif(here().cuda, reason="there is a GPU")
def test_without_a_gpu_nothing_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Absent, match="no GPU"):
        gpu.run(tmp_path, seeds=(0,))
    assert gpu.main(["peak", "--out", str(tmp_path / "out")]) == 2 and "--quick" in capsys.readouterr().err
    assert gpu.main(["nothing"]) == 2
