"""What the contract does not hold: size, padding, options, topology, and the errors of a wrong request."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from vesalius import nets
from vesalius.core.errors import PlanError, UnknownName
from vesalius.nets._blocks import conv, depth, norm, width
from vesalius.nets._topology import topology


def test_listing_and_describing_nets_loads_no_torch() -> None:
    code = "import sys; from vesalius import nets; nets.names_for('dense'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_width_and_depth_at_scale_one_are_the_published_ones() -> None:
    assert [width(62, 1.0), depth(3, 1.0)] == [62, 3]
    assert [width(64, 0.25), width(64, 0.01), depth(23, 0.25), depth(2, 0.01)] == [16, 4, 12, 1]


def test_instance_norm_agrees_with_torch() -> None:
    x = torch.randn(2, 6, 4, 5, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(norm("instance", 3, 6)(x), torch.nn.InstanceNorm3d(6)(x), atol=1e-5, rtol=0)


def test_topology_never_halves_below_four_voxels() -> None:
    # 40 → 20 → 10 → 5, 56 → … → 7, and 7 / 2 < 4
    assert topology(3, (40, 56, 40)).cumulative[-1] == (8, 8, 8)
    assert topology(3, (16, 128, 128)).cumulative[-1] == (4, 32, 32)
    assert len(topology(2, (512, 512)).strides) == 8


def test_topology_waits_for_coarse_axes() -> None:
    # 5 mm slices, 1 mm pixels: two in-plane halvings (1 → 2 → 4 mm) before an axis of 5 mm is within a factor 2
    plan = topology(3, (32, 128, 128), spacing_mm=(5.0, 1.0, 1.0))
    assert plan.strides[1] == (1, 2, 2) and plan.kernels[0] == (1, 3, 3)
    assert plan.cumulative[3] == (2, 8, 8)


@pytest.mark.parametrize("size", [(35, 51, 36), (5, 20, 9), (33, 33, 33)])
def test_unet_pads_and_crops_any_size(size: tuple[int, ...]) -> None:
    net = nets.build("unet", dims=3, in_channels=2, scale=0.125, size=(32, 32, 32)).train()
    out = net(torch.randn(1, 2, *size))
    assert out.full.shape == (1, net.out_channels, *size)
    for m, stride in zip(out.features, net.strides, strict=True):
        assert tuple(m.shape[2:]) == tuple(-(-n // s) for n, s in zip(size, stride, strict=True))


def test_a_feature_cell_stays_over_its_voxels_when_padded() -> None:
    """With end padding, the voxels that exist are seen the same whether the net or the caller pads."""
    torch.manual_seed(0)
    net = nets.build("unet", dims=2, in_channels=1, scale=0.125, size=(32, 32)).eval()
    x = torch.randn(1, 1, 30, 32)
    padded = torch.nn.functional.pad(x, (0, 0, 0, 2))
    with torch.no_grad():
        torch.testing.assert_close(net(x).full, net(padded).full[:, :, :30])


@pytest.mark.parametrize("name", ["cnn", "alexnet", "vgg-11", "googlenet", "densenet-121", "swin-tiny"])
@pytest.mark.parametrize("size", [(28, 28), (17, 40), (5, 9)])
def test_encoders_take_small_and_odd_sizes(name: str, size: tuple[int, int]) -> None:
    net = nets.build(name, dims=2, in_channels=3, scale=0.125).eval()
    with torch.no_grad():
        assert net.head(4)(net(torch.zeros(2, 3, *size))).shape == (2, 4)


@pytest.mark.parametrize("half", [False, True])
def test_a_narrow_shortcut_learns_from_batches_that_threads_do_not_divide(half: bool) -> None:
    """With oneDNN's own convolution this ends the process: odd batches come of cines whose frames are not all there."""
    threads = torch.get_num_threads()
    layer = conv(2, 8, 16, kernel=1, stride=2, bias=False)
    layer.weight.data = layer.weight.data.to(memory_format=torch.channels_last)  # type: ignore[union-attr, operator]
    try:
        torch.set_num_threads(2)
        for _ in range(40):
            x = torch.randn(15, 8, 12, 12).to(memory_format=torch.channels_last).requires_grad_()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                out = layer(x)
            out.float().square().sum().backward()
    finally:
        torch.set_num_threads(threads)
    wanted = torch.einsum("bcyx,oc->boyx", x[:, :, ::2, ::2], layer.weight[:, :, 0, 0])  # type: ignore[index]
    torch.testing.assert_close(out.float(), wanted, atol=0.1 if half else 1e-5, rtol=0)
    assert x.grad is not None and torch.isfinite(x.grad).all() and not x.grad[:, :, 1::2].any()


def test_small_stem_keeps_the_resolution() -> None:
    net = nets.build("resnet-18", dims=2, in_channels=1, scale=0.125, options={"stem": "small"})
    assert net.strides == ((1, 1), (2, 2), (4, 4), (8, 8))
    assert [m.shape[-1] for m in net(torch.zeros(2, 1, 28, 28))] == [28, 14, 7, 4]


def test_unet_channels_and_stages_can_be_given() -> None:
    options = {"channels": [6, 10, 14], "norm": "batch"}
    net = nets.build("unet", dims=2, in_channels=1, size=(64, 64), options=options)
    assert net.channels == (6, 10, 14) and net.strides[-1] == (4, 4)


def test_unet_takes_convolutions_and_kernels_stage_by_stage() -> None:
    options = {
        "channels": [4, 8, 8],
        "convs": [1, 2, 3],
        "convs_up": [2, 1],
        "kernels": [[1, 3], [3, 3], [3, 3]],
    }
    net = nets.build("unet", dims=2, in_channels=1, options={**options, "kernels_up": [[3, 3], [3, 1]]})
    assert [len(block) for block in net.encoder] == [1, 2, 3]  # type: ignore[arg-type, union-attr]
    assert [len(block) for block in net.decoder] == [2, 1]  # type: ignore[arg-type, union-attr]
    shapes = {k: tuple(t.shape[2:]) for k, t in net.state_dict().items() if t.ndim == 4}
    assert shapes["encoder.0.0.0.weight"] == (1, 3) and shapes["decoder.1.0.0.weight"] == (3, 1)
    assert net(torch.zeros(1, 1, 8, 12)).full.shape == (1, 4, 8, 12)


def test_vit_takes_another_size_than_it_was_built_for() -> None:
    net = nets.build("vit-tiny", dims=2, in_channels=1, scale=0.125, size=(32, 32)).eval()
    maps = net(torch.zeros(1, 1, 40, 33))
    assert maps[0].shape[2:] == (5, 5) and maps[1].shape[2:] == (1, 1)


def test_dropout_acts_only_in_training() -> None:
    net = nets.build("unet", dims=2, in_channels=1, scale=0.125, size=(16, 16), dropout=0.5)
    x = torch.randn(1, 1, 16, 16)
    assert not torch.equal(net.train()(x).full, net(x).full)
    assert torch.equal(net.eval()(x).full, net(x).full)


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("resnet-19", {}, "resnet-18"),
        ("resnet-18", {"options": {"stam": "small"}}, "stem"),
        ("resnet-18", {"options": {"stem": "tiny"}}, "try: paper"),
        ("resnet-18", {"dims": 4}, "4-D"),
        ("resnet-18", {"scale": 0.001}, "scale"),
        ("resnet-18", {"dropout": 1.0}, "dropout"),
        ("resnet-18", {"in_channels": 0}, "channel"),
        ("unet", {"size": (8, 8, 8)}, "size"),
        ("unet", {"size": (16, 16), "options": {"stages": 5}}, "3 in size (16, 16)"),
        ("unet", {"options": {"stages": 2, "kernels": [[3, 3], [2, 3]]}}, "2 odd numbers for each of 2"),
        ("unet", {"options": {"stages": 2, "kernels_up": [[3, 3], [3, 3]]}}, "for each of 1 stages"),
        ("unet", {"options": {"stages": 2, "convs": [2]}}, "one number, or one a stage"),
        ("resunet", {"options": {"stages": 2, "blocks": [1, 0]}}, "one number, or one a stage"),
        ("googlenet", {"options": {"form": "caffe"}}, "try: paper, torchvision"),
        ("efficientnet-b0", {"options": {"padding": "same"}}, "symmetric, tensorflow"),
        ("resnet-18", {"options": {"shortcut": "B"}}, "projected, padded"),
        ("vit-tiny", {}, "one input size"),
        ("vit-tiny", {"size": (16, 16), "options": {"patch": 32}}, "patch"),
    ],
)
def test_a_wrong_request_is_one_line(name: str, wrong: dict[str, object], words: str) -> None:
    with pytest.raises((PlanError, UnknownName)) as raised:
        nets.build(name, **{"dims": 2, "in_channels": 1, **wrong})  # type: ignore[arg-type]
    assert words in str(raised.value) and "\n" not in str(raised.value)


def test_a_wrong_rank_is_one_line() -> None:
    net = nets.build("resnet-10", dims=3, in_channels=1, scale=0.0625)
    with pytest.raises(PlanError, match=r"3-D net takes \(B, C, Z, Y, X\)"):
        net(torch.zeros(1, 1, 8, 8))
