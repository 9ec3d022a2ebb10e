"""Every registered loss keeps the room's contract."""

import pytest
import torch

from vesalius import losses
from vesalius.core import registry

NAMES = sorted(registry.names("losses"))
KINDS = set(registry.names("cohorts.targets"))


def test_there_are_losses():
    assert {"cross_entropy", "dice", "dice-ce", "focal", "mse"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_declares_what_it_takes(name):
    text = registry.literals("losses", name.partition("-")[0])
    assert text["TARGETS"] and set(text["TARGETS"]) <= KINDS
    assert len(registry.names("losses")[name]) > 10
    assert all(isinstance(v, (bool, int, float, str)) for v in text.get("OPTIONS", {}).values())


def example(name, generator):
    takes = registry.literals("losses", name.partition("-")[0])["TARGETS"]
    if "mask" in takes:
        return torch.randn(2, 3, 4, 4, generator=generator), torch.randint(
            0, 3, (2, 4, 4), generator=generator
        )
    if "class" in takes:
        return torch.randn(4, 3, generator=generator), torch.randint(0, 3, (4,), generator=generator)
    if "number" in takes:
        return torch.randn(4, 1, generator=generator), torch.randn(4, 1, generator=generator)
    if "boxes" in takes:  # how well the box of each place fits its label's truth
        fit = torch.rand(2, 3, 6, generator=generator)
        return torch.randn(2, 3, 6, generator=generator), (fit > 0.5).float()
    if takes == ("multilabel",):  # which of four texts belong to which of four images
        return torch.randn(4, 4, generator=generator), torch.eye(4)
    pytest.skip(f"no example target for {takes}")


@pytest.mark.parametrize("name", NAMES)
def test_one_number_with_a_gradient_everywhere(name):
    logits, target = example(name, torch.Generator().manual_seed(0))
    logits.requires_grad_()
    value = losses.build(name)(logits, target)
    value.backward()
    assert value.shape == () and value > 0
    assert torch.isfinite(logits.grad).all() and logits.grad.abs().sum() > 0


@pytest.mark.parametrize("name", NAMES)
def test_descending_it_reaches_almost_nothing(name):
    logits, target = example(name, torch.Generator().manual_seed(1))
    guess = torch.zeros_like(logits).requires_grad_()
    loss = losses.build(name)
    optimiser = torch.optim.Adam([guess], lr=0.3)
    first = loss(guess, target).item()
    for _ in range(100):
        optimiser.zero_grad()
        loss(guess, target).backward()
        optimiser.step()
    assert loss(guess, target).item() < 0.1 * first
