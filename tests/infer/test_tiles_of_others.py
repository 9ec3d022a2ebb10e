"""Tiles as nnU-Net and MONAI lay and weigh them, against MONAI's own functions and nnU-Net's rule by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data.utils import compute_importance_map
from monai.inferers import SlidingWindowInferer
from scipy.ndimage import gaussian_filter

from vesalius.infer import tiles
from vesalius.infer.lines import Line


def theirs(n: int, tile: int, overlap: float) -> list[int]:
    """Where nnU-Net 2.8 begins tiles along one axis (`compute_steps_for_sliding_window`)."""
    steps = int(np.ceil((n - tile) / (tile * (1 - overlap)))) + 1
    return [int(np.round((n - tile) / max(steps - 1, 1) * k)) for k in range(steps)]


@pytest.mark.parametrize(("n", "tile"), [(16, 16), (17, 16), (40, 16), (33, 13), (100, 7), (9, 16)])
def test_nnunets_tiles_begin_where_its_own_do(n: int, tile: int) -> None:
    wanted = theirs(max(n, tile), tile, 0.5)
    assert tiles.starts(n, tile, 0.5, tiling="nnunet") == wanted


@pytest.mark.parametrize("n", [6, 16, 24])
def test_nnunets_weights_are_a_filtered_point(n: int) -> None:
    point = np.zeros(n)
    point[n // 2] = 1
    wanted = gaussian_filter(point, n / 8, mode="constant")
    assert tiles.gaussian(n, tiling="nnunet").numpy() == pytest.approx(wanted / wanted.max(), abs=1e-6)


@pytest.mark.parametrize("mode", ["gaussian", "constant"])
def test_monais_weights_are_its_own(mode: str) -> None:
    size = (5, 8, 6)
    wanted = compute_importance_map(size, mode=mode, sigma_scale=0.125)
    name = "monai" if mode == "gaussian" else "monai-constant"
    assert torch.allclose(tiles.window_of(size, tiling=name), wanted, atol=1e-6)


@pytest.mark.parametrize("mode", ["gaussian", "constant"])
@pytest.mark.parametrize("overlap", [0.25, 0.5])
def test_a_field_is_blended_as_monai_does(mode: str, overlap: float) -> None:
    torch.manual_seed(0)
    conv = torch.nn.Conv3d(1, 2, 3, padding=1)  # whose edges differ from tile to tile
    array = np.random.default_rng(0).normal(size=(1, 19, 8, 13)).astype(np.float32)
    size = (8, 8, 6)
    with torch.inference_mode():
        wanted = SlidingWindowInferer(size, 2, overlap, mode=mode)(torch.from_numpy(array)[None], conv)[0]
        found = torch.zeros_like(wanted)
        for axis, start, stop, raw in tiles.stream(
            array,
            size=size,
            overlap=overlap,
            tiling="monai" if mode == "gaussian" else "monai-constant",
            batch=2,
            forward=conv,
            device=torch.device("cpu"),
        ):
            found.narrow(axis + 1, start, stop - start).copy_(raw)
    assert torch.allclose(found, wanted, atol=1e-5)


def test_a_line_from_its_first_sample_on_and_the_nearest() -> None:
    field = torch.tensor([0.0, 10, 20, 30]).reshape(1, 4, 1, 1)
    every = Line(4, 7, step=2.0)  # one of these is two of the others
    assert every.rows(field, 0, 0, 7, 0).flatten().tolist() == [0, 5, 10, 15, 20, 25, 30]
    assert [every.ready(k) for k in (1, 2, 4)] == [0, 2, 6]
    nearest = Line(4, 2, order=0)  # at 0.5 and 2.5, which are rounded up
    assert nearest.rows(field, 0, 0, 2, 0).flatten().tolist() == [10, 30]
