"""Weights without their zeros: read back bit for bit, smaller, and refused where the parts do not fit together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from vesalius.core.errors import BundleError
from vesalius.infer.stored import MASK, SHAPE, VALUES, packed, unpacked, weights_of, written_as


def sparse(share: float, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    tensor = torch.randn(*shape, generator=generator)
    return tensor * (torch.rand(*shape, generator=generator) >= share)


def test_what_is_mostly_zero_is_smaller_and_comes_back_to_the_bit(tmp_path: Path) -> None:
    weights = {
        "net.conv.weight": sparse(0.8, 16, 8, 3, 3).to(memory_format=torch.channels_last),
        "net.half.weight": sparse(0.9, 300).half(),
        "net.full.weight": torch.randn(20, 30),
        "net.small": torch.zeros(4),
        "net.steps": torch.tensor(3),
        "net.zero": torch.zeros(17, 31),
    }
    held = packed(weights)
    assert "net.conv.weight" + VALUES in held and "net.full.weight" in held and "net.small" in held
    path = tmp_path / "weights.safetensors"
    path.write_bytes(written_as(weights))
    found = weights_of(path)
    assert set(found) == set(weights)
    for name, tensor in weights.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name
    big = {"w": sparse(0.8, 200, 100)}
    by_hand = 0.2 * 4 + 1 / 8  # of four bytes a value: a fifth of the values, and a bit a place
    assert len(written_as(big)) / (4 * 20_000) == pytest.approx(by_hand / 4, abs=0.02)


def test_a_file_of_before_is_read_as_it_was(tmp_path: Path) -> None:
    weights = {"a.weight": torch.randn(3, 4), "a.bias": torch.zeros(3)}
    save_file(weights, tmp_path / "w.safetensors")
    found = weights_of(tmp_path / "w.safetensors")
    assert all(torch.equal(found[n], t) for n, t in weights.items()) and set(found) == set(weights)


@pytest.mark.parametrize("part", [VALUES, MASK, SHAPE])
def test_parts_that_do_not_fit_are_refused(part: str) -> None:
    held = packed({"w": sparse(0.8, 40, 40)})
    lacking = {n: t for n, t in held.items() if n != "w" + part}
    with pytest.raises(BundleError, match="together"):
        unpacked(lacking)
    with pytest.raises(BundleError, match="'w' cannot be put together"):
        unpacked({**held, "w" + VALUES: held["w" + VALUES][1:]})


def test_a_shape_that_would_fill_the_memory_is_refused() -> None:
    held = {**packed({"w": sparse(0.8, 40, 40)}), "w" + SHAPE: torch.tensor([1 << 30, 1 << 30])}
    with pytest.raises(BundleError, match="'w' cannot be put together"):
        unpacked(held)
    with pytest.raises(BundleError, match="'w' cannot be put together"):
        unpacked({**held, "w" + SHAPE: torch.tensor([-40, -40])})
