"""Batch normalisation by the rows of all processes is torch's own, to the precision that the numbers have."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vesalius.learn.parallel import norms


class One:
    """A crew whose sums are those of one process."""

    splits = True

    def sum(self, value: Tensor) -> Tensor:
        return value


@pytest.mark.parametrize("shape", [(5, 16), (5, 8, 7), (5, 4, 4, 4), (3, 4, 2, 4, 4)])
def test_it_is_torchs_own_to_the_last_digits_of_double_precision(shape: tuple[int, ...]) -> None:
    kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}[len(shape)]
    torch.manual_seed(0)
    own, shared = kind(shape[1]).double(), nn.Sequential(kind(shape[1]).double())
    nn.init.normal_(own.weight)
    nn.init.normal_(own.bias)
    shared[0].load_state_dict(own.state_dict())
    norms.convert(shared, One())  # type: ignore[arg-type]
    told = torch.linspace(-1, 1, torch.Size(shape).numel(), dtype=torch.float64).view(shape)
    given = [(torch.randn(shape, dtype=torch.float64) * 0.01 + 1).requires_grad_()]
    given.append(given[0].detach().clone().requires_grad_())
    found = [layer(x) for layer, x in zip((own, shared), given, strict=True)]
    for out in found:
        (out.sin() * told).sum().backward()
    torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(given[1].grad, given[0].grad, rtol=1e-9, atol=1e-9)
    for name, parameter in own.named_parameters():
        torch.testing.assert_close(shared[0].get_parameter(name).grad, parameter.grad, rtol=1e-9, atol=1e-9)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        torch.testing.assert_close(shared[0].get_buffer(name), own.get_buffer(name))
