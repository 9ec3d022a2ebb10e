"""Every slice of the GPU's script on a processor, with tiny nets; and the operations that it counts, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks import gpu
from benchmarks._gpu_step import LABELS, QUICK_VIT, flops_of


def test_every_slice_runs(tmp_path: Path) -> None:
    rows = gpu.run(tmp_path, seeds=(0,), quick=True)
    assert gpu.kept(tmp_path) == rows and all(row.holds is not False for row in rows)
    assert not [row for row in rows if row.value.startswith("failed")]
    what = " ".join(row.what for row in rows)
    for part in (
        "ViT",
        "U-Net",
        "torch.compile",
        "most memory",
        "largest",
        "the card waits",
        "out of fold",
        "several",
    ):
        assert part in what


def test_flops_are_those_worked_out_by_hand() -> None:
    batch, width, layers, side, patch = 2, 48, 6, 32, 8  # what `vit-tiny` is at scale 0.25, on 32²
    tokens = (side // patch) ** 2 + 1
    embed = 2 * batch * (tokens - 1) * width * 3 * patch**2
    linear = 2 * batch * tokens * width * (3 * width + width + 4 * width + 4 * width) * layers
    attention = 2 * 2 * batch * tokens**2 * width * layers
    head = 2 * batch * width * LABELS
    by_hand = 2 * embed + 3 * (linear + attention + head)  # the image itself has no gradient
    assert flops_of(QUICK_VIT) == pytest.approx(by_hand, rel=1e-9)
