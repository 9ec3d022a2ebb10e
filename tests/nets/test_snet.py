"""S-net: its strides, what its first level sees, and a head that a small bright place is not lost in."""

from __future__ import annotations

import torch

from vesalius import nets


def test_a_volumes_first_level_looks_within_slices_and_the_next_across_them() -> None:
    net = nets.build("snet", dims=3, in_channels=1, scale=0.25).eval()
    assert net.strides == ((1, 2, 2), (2, 4, 4), (4, 8, 8), (8, 16, 16)) and net.channels == (4, 8, 16, 32)
    x = torch.zeros(1, 1, 8, 32, 32, requires_grad=True)
    maps = net(x)
    assert [tuple(m.shape[2:]) for m in maps] == [(8, 16, 16), (4, 8, 8), (2, 4, 4), (1, 2, 2)]
    kernels = [level[0].weight.shape[2] for level in net.levels]
    assert kernels == [1, 3, 3, 3]
    thick = nets.build("snet", dims=3, in_channels=1, scale=0.25, options={"flat": 4})
    assert thick(x)[-1].shape[2] == 8, "slices that are never joined before the pooling"


def test_the_head_heeds_the_mean_and_the_greatest_value_of_the_last_map() -> None:
    net = nets.build("snet", dims=2, in_channels=1, scale=0.25)
    head = net.head(1).eval()
    flat = [torch.zeros(1, 32, 4, 4)]
    one, spread = [torch.zeros(1, 32, 4, 4)], [torch.full((1, 32, 4, 4), 1.0)]
    one[0][..., 0, 0] = 16.0  # the same mean as `spread`, another maximum
    said = [head(maps).item() for maps in (flat, one, spread)]
    assert len({round(s, 6) for s in said}) == 3
