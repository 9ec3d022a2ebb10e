"""Tiles: the streamed field is the blended one, brought home it is the resampled one, and never whole in memory."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from vesalius.core.image import Image
from vesalius.infer import native, tiles
from vesalius.prepare import geometry

CPU = torch.device("cpu")


def smooth(x: Tensor) -> Tensor:
    """A stand-in for a network `(B, 1, …)` → `(B, 3, …)` whose answer depends on where in the tile a voxel is."""
    mean = F.avg_pool3d(F.pad(x, (1,) * 6), 3, stride=1)
    ramp = torch.linspace(-1, 1, x.shape[-1]).expand_as(x)
    return torch.cat([x * 2, mean + 0.1 * ramp, x.flip(2) * mean], dim=1)


def gathered(array: np.ndarray, **how: Any) -> tuple[Tensor, int]:
    """The whole field put together from the stream, and the axis it came along."""
    pieces = list(tiles.stream(array, device=CPU, **how))
    axis = pieces[0][0]
    assert [p[1] for p in pieces[1:]] == [p[2] for p in pieces[:-1]], "stretches meet"
    return torch.cat([p[3] for p in pieces], dim=axis + 1), axis


def brute(array: np.ndarray, size: tuple[int, int, int], overlap: float) -> Tensor:
    """Gaussian blend over the whole volume in float64, with a volume of weights."""
    one = [
        np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (n / 8)) ** 2) if n > 1 else np.ones(1) for n in size
    ]
    one = [np.maximum(o, 1e-3) for o in one]
    window = one[0][:, None, None] * one[1][None, :, None] * one[2][None, None, :]
    total, weight = np.zeros((3, *array.shape[1:])), np.zeros(array.shape[1:])
    places = [tiles.starts(n, t, overlap) for n, t in zip(array.shape[1:], size, strict=True)]
    for at in itertools.product(*places):
        where = tuple(slice(a, a + s) for a, s in zip(at, size, strict=True))
        out = smooth(torch.from_numpy(array[(slice(None), *where)])[None])[0].double().numpy()
        total[(slice(None), *where)] += out * window
        weight[where] += window
    return torch.from_numpy(total / weight)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.7])
@pytest.mark.parametrize("tile", [1, 4, 7, 16])
def test_tiles_cover_every_place_and_overlap_as_asked(tile: int, overlap: float) -> None:
    for n in range(1, 60):
        at = tiles.starts(n, tile, overlap)
        assert at == sorted(set(at)) and at[0] == 0
        if n <= tile:
            assert at == [0]
            continue
        assert at[-1] == n - tile
        steps = np.diff(at)
        assert steps.max() <= max(1, int(tile * (1 - overlap))), "no gap, and the overlap that was asked"
        assert len(at) == int(np.ceil((n - tile) / max(1, int(tile * (1 - overlap))))) + 1, (
            "no more than needed"
        )


def test_a_constant_network_gives_a_constant() -> None:
    array = np.random.default_rng(0).normal(size=(1, 21, 18, 25)).astype(np.float32)
    field, _ = gathered(
        array,
        size=(8, 8, 8),
        overlap=0.5,
        batch=3,
        forward=lambda x: torch.full_like(x, 2.5).expand(-1, 2, -1, -1, -1),
    )
    assert field.shape == (2, 21, 18, 25) and (field - 2.5).abs().max() < 1e-5


@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.6])
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("shape", [(23, 12, 17), (9, 30, 13), (8, 11, 26), (8, 8, 8), (1, 22, 31)])
def test_the_stream_is_the_blend_of_the_whole(
    shape: tuple[int, int, int], batch: int, overlap: float
) -> None:
    array = np.random.default_rng(1).normal(size=(1, *shape)).astype(np.float32)
    size = (8 if shape[0] > 1 else 1, 8, 8)
    field, axis = gathered(array, size=size, overlap=overlap, batch=batch, forward=smooth)
    assert axis == int(np.argmax(shape))
    assert (field - brute(array, size, overlap)).abs().max() < 1e-5


AFFINES = {
    "as it is": np.diag([1.0, 1.0, 1.0, 1.0]),
    "turned": np.array([[0, 0, -1.0, 0], [1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]]),
    "other": np.array([[0, -1.0, 0, 0], [0, 0, 1, 0], [-1, 0, 0, 0], [0, 0, 0, 1]]),
}


@pytest.mark.parametrize("chunk", [1, 1 << 26])
@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.6, 0.7, 0.8), (1.7, 1.3, 2.1), (0.6, 1.9, 1)])
@pytest.mark.parametrize("affine", AFFINES)
@pytest.mark.parametrize("shape", [(27, 12, 14), (11, 25, 10), (10, 13, 29)])
def test_home_is_the_resampled_field_and_its_largest_label(
    shape: tuple[int, int, int],
    affine: str,
    spacing: tuple[float, float, float],
    chunk: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Against torch's own linear interpolation of the whole field, then the arg-max, then the axes put back."""
    monkeypatch.setattr(tiles, "CHUNK_BYTES", chunk)
    image = Image(
        np.random.default_rng(2).normal(size=(1, *shape)).astype(np.float32), affine=AFFINES[affine]
    )
    undo = geometry.layout(image, canonical=True, spacing_mm=spacing, size=(16, 8, 8), whole=False)
    array = geometry.forward(image.array, undo)
    how: dict[str, Any] = {"size": (8, 8, 8), "overlap": 0.5, "batch": 8, "forward": smooth}
    found = native.to_native(tiles.stream(array, device=CPU, **how), undo, lambda raw: raw.argmax(dim=0))
    field, _ = gathered(array, **how)
    inner = field[(slice(None), *geometry.inner_slices(undo))]
    whole = F.interpolate(inner[None], size=undo.turned, mode="trilinear", align_corners=False)[0]
    want = geometry.turn_back(whole.argmax(dim=0).numpy(), undo.order, undo.flips)
    assert found.shape == image.shape and found.dtype == np.uint8
    top = whole.sort(dim=0).values
    clear = geometry.turn_back((top[-1] - top[-2] > 1e-5).numpy(), undo.order, undo.flips)
    assert np.array_equal(found[clear], want[clear]) and clear.mean() > 0.99


def test_a_float_field_stays_one() -> None:
    image = Image(np.random.default_rng(3).normal(size=(1, 9, 8, 10)).astype(np.float32), affine=np.eye(4))
    undo = geometry.layout(image, canonical=True, spacing_mm=(0.5, 1.0, 1.0), size=(8, 8, 8), whole=False)
    array = geometry.forward(image.array, undo)
    found = native.to_native(
        tiles.stream(array, size=(8, 8, 8), overlap=0.5, batch=1, forward=lambda x: x, device=CPU),
        undo,
        lambda raw: raw[0],
    )
    assert found.dtype == np.float32 and np.abs(found - geometry.backward(array, undo)[0]).max() < 0.8


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            self.numel = max(self.numel, out.numel())
        return out


@pytest.mark.parametrize("longest", [40, 160])
def test_no_tensor_is_larger_than_a_slab_however_long_the_image(
    longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "CHUNK_BYTES", 1 << 14)
    image = Image(np.zeros((1, longest, 20, 24), dtype=np.float32), affine=np.eye(4))
    undo = geometry.layout(image, canonical=True, spacing_mm=(1.0, 1.0, 0.7), size=(8, 8, 8), whole=False)
    array = geometry.forward(image.array, undo)
    with Largest() as seen:
        pieces = tiles.stream(array, size=(8, 8, 8), overlap=0.5, batch=1, forward=smooth, device=CPU)
        native.to_native(pieces, undo, lambda raw: raw.argmax(dim=0))
    slab = 3 * 8 * 20 * 24
    assert slab <= seen.numel <= 2 * slab, "a slab, and at most as much again waiting to be interpolated"
