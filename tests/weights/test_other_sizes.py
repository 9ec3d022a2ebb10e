"""Weights of MONAI's transformers in nets of another size and other channels: what is adapted is what is said."""

from __future__ import annotations

import torch

from vesalius import nets
from vesalius.learn.weights import placed
from vesalius.nets._adapt import moved_positions


def test_positions_of_a_cube_are_interpolated_and_a_constant_stays() -> None:
    ramp = torch.arange(27.0).reshape(1, 27, 1)
    found = moved_positions(ramp, (6, 3, 3))
    assert found is not None and found[1] == "positions of 3×3×3 patches interpolated to 6×3×3"
    cube = found[0].reshape(6, 3, 3)
    assert torch.allclose(
        cube[:, 0, 0], torch.tensor([0.0, 2.25, 6.75, 11.25, 15.75, 18.0])
    )  # by hand: 9 a plane
    constant = moved_positions(torch.full((1, 16, 2), 3.0), (2, 5, 7))
    assert (
        constant is not None
        and torch.allclose(constant[0], torch.tensor(3.0))
        and constant[0].shape == (1, 70, 2)
    )


def test_positions_that_may_be_a_square_or_a_cube_are_left() -> None:
    assert moved_positions(torch.zeros(1, 64, 2), (2, 2, 2)) is None
    assert moved_positions(torch.zeros(1, 64, 2), (4, 4)) is not None
    assert moved_positions(torch.zeros(1, 7, 2), (4, 4)) is None


def test_a_unetr_of_another_size_and_more_channels_takes_all() -> None:
    with torch.no_grad():
        theirs = nets.build("unetr", dims=3, in_channels=1, scale=0.0625, size=(48, 48, 48)).eval()
        ours = nets.build("unetr", dims=3, in_channels=2, scale=0.0625, size=(32, 32, 32)).eval()
    found, fit = placed(ours, theirs.state_dict())
    assert fit.share == 1 and not fit.shapes and "3×3×3 patches interpolated to 2×2×2" in str(fit)
    ours.load_state_dict(found)
    x = torch.randn(1, 1, 32, 32, 32, generator=torch.Generator().manual_seed(0))
    same = nets.build("unetr", dims=3, in_channels=1, scale=0.0625, size=(32, 32, 32)).eval()
    same.load_state_dict(placed(same, theirs.state_dict())[0])
    with torch.no_grad():
        one, both = same(x).full, ours(x.expand(-1, 2, -1, -1, -1)).full
    torch.testing.assert_close(one, both, atol=1e-4, rtol=1e-4)


def test_a_swin_unetr_of_more_channels_takes_all() -> None:
    size = (32, 32)
    theirs = nets.build(
        "swinunetr", dims=2, in_channels=1, scale=0.25, size=size, options={"window": 4}
    ).eval()
    ours = nets.build("swinunetr", dims=2, in_channels=3, scale=0.25, size=size, options={"window": 4}).eval()
    found, fit = placed(ours, theirs.state_dict())
    assert fit.share == 1 and not fit.shapes
    ours.load_state_dict(found)
    x = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        one, both = theirs(x).full, ours(x.expand(-1, 3, -1, -1)).full
    torch.testing.assert_close(one, both, atol=1e-4, rtol=1e-4)
