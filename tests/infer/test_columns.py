"""Columns: a field blended column by column is the field blended whole, and its slab is as small as was asked."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vesalius.core.image import Image
from vesalius.infer import columns, native, tiles
from vesalius.infer.borders import Borders
from vesalius.prepare import geometry

CPU = torch.device("cpu")
TURNED = np.array([[0, 0, -1.0, 0], [1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def placed(x: Tensor) -> Tensor:
    """A stand-in for a network `(B, 1, …)` → `(B, 3, …)` whose answer depends on where in the tile a voxel is."""
    ramps = [torch.linspace(-1, 1, n) for n in x.shape[2:]]
    ramp = ramps[0][:, None, None] + 2 * ramps[1][:, None] + 3 * ramps[2]
    mean = F.avg_pool3d(F.pad(x, (1,) * 6), 3, stride=1)
    return torch.cat([x * 2 + ramp, mean - 0.5 * ramp, x.flip(2) * mean], dim=1)


def fields(raw: Tensor) -> dict[str, Tensor]:
    return {"one": raw[0], "two": raw[1] + raw[2], "label": raw.argmax(dim=0)}


def laid(shape: tuple[int, int, int], spacing: Any, size: Any, affine: Any = None) -> tuple[Any, Any]:
    image = Image(
        np.random.default_rng(2).normal(size=(1, *shape)).astype(np.float32),
        affine=np.eye(4) if affine is None else affine,
    )
    undo = geometry.layout(image, canonical=True, spacing_mm=spacing, size=size, whole=False)
    return geometry.forward(image.array, undo), undo


def blended(
    array: Any, undo: Any, cut: columns.Cut, *, batch: int = 1, chunk: int | None = None
) -> tuple[dict[str, Any], int]:
    """What a field cut so comes to on the native grid, and how many tiles were asked about."""
    asked = 0

    def forward(x: Tensor) -> Tensor:
        nonlocal asked
        asked += len(x)
        return placed(x)

    asking = tiles.Asking(array, cut.grid, batch, forward, CPU)
    home = native.Home(undo, fields, chunk=chunk)
    borders = Borders(cut, 3) if cut.kept else None
    for column in cut.columns():
        home.take(tiles.blend(asking, column, borders=borders, chunk=chunk), column)
    found = home.values()
    assert isinstance(found, dict) and (borders is None or not borders._kept), "all files are given back"
    return found, asked


def alike(found: dict[str, Any], want: dict[str, Any]) -> None:
    for name in ("one", "two"):
        assert np.abs(found[name] - want[name]).max() < 2e-5, name
    assert (found["label"] != want["label"]).mean() < 1e-3


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize(
    ("spacing", "overlap"),
    [((1, 1, 1), 0.0), ((1, 1, 1), 0.5), ((0.8, 0.9, 1), 0.5), ((1.3, 1.2, 1.1), 0.6), ((1, 0.8, 1), 0.25)],
)
def test_a_field_in_columns_is_the_field_in_one_slab(overlap: float, spacing: Any, kept: bool) -> None:
    array, undo = laid((17, 13, 14), spacing, (6, 5, 6), TURNED)
    grid = tiles.grid_of(array, (6, 5, 6), overlap, undo)
    want, n = blended(array, undo, columns.whole(grid))
    assert n == grid.tiles
    a, b = (len(grid.places[k]) for k in range(3) if k != grid.axis)
    for parts in ((1, 2), (2, 2), (a, b)):
        cut = columns.Cut(grid, (min(parts[0], a), min(parts[1], b)), kept)
        found, asked = blended(array, undo, cut, chunk=30_000)
        alike(found, want)
        assert asked == (n if kept else cut.asked())
        if not kept:
            assert all(np.array_equal(found[k], want[k]) for k in want), "the same sums in the same order"


@pytest.mark.parametrize("shape", [(9, 24, 17), (13, 14, 24), (1, 40, 33)])
@pytest.mark.parametrize("kept", [True, False])
def test_whichever_axis_is_longest_and_several_tiles_at_once(shape: Any, kept: bool) -> None:
    size = (1 if shape[0] == 1 else 8, 8, 8)
    array, undo = laid(shape, (0.9, 1.1, 1.0), size)
    grid = tiles.grid_of(array, size, 0.5, undo)
    want, _ = blended(array, undo, columns.whole(grid), batch=4)
    a, b = (len(grid.places[k]) for k in range(3) if k != grid.axis)
    alike(blended(array, undo, columns.Cut(grid, (min(a, 2), min(3, b)), kept), batch=4)[0], want)


def test_the_slab_is_as_small_as_asked_and_the_cheapest_cut_is_taken() -> None:
    array, undo = laid((40, 32, 32), (1, 1, 1), (8, 8, 8))
    grid = tiles.grid_of(array, (8, 8, 8), 0.5, undo)
    whole = columns.whole(grid).slab(3)
    assert whole == 4 * 3 * 8 * 32 * 32, "by hand: floats × channels × a tile's rows × the plane"
    beside = 4 * 3 * 32 * 32 * columns.ROWS
    assert columns.cut(grid, 3, most=whole + beside, room=10**9) == columns.whole(grid)
    for most in (whole, whole // 2, columns.least(grid, 3)):
        kept, again = (columns.cut(grid, 3, most=most, room=room) for room in (10**9, 0))
        assert kept is not None and kept.kept and kept.takes(3) <= most
        assert again is not None and not again.kept and again.takes(3) <= most and again.asked() > grid.tiles
        others = [columns.Cut(grid, p) for p in itertools.product(range(1, 8), repeat=2)]
        assert again.asked() == min(c.asked() for c in others if c.takes(3) <= most)
        assert "again" in again.words(3) and "scratch" in kept.words(3)
    assert columns.cut(grid, 3, most=columns.least(grid, 3) - 1, room=10**9) is None


def test_the_first_tiles_are_asked_about_once() -> None:
    array, undo = laid((24, 16, 16), (1, 1, 1), (8, 8, 8))
    seen = []
    asking = tiles.Asking(
        array, tiles.grid_of(array, (8, 8, 8), 0.5, undo), 2, lambda x: seen.append(len(x)) or placed(x), CPU
    )
    assert asking.ask_first() == 3 and seen == [2]
    (column,) = columns.whole(asking.grid).columns()
    list(tiles.blend(asking, column))
    assert sum(seen) == asking.grid.tiles
