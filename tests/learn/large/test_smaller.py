"""Less memory for a step: blocks computed again and a batch in parts give what plain training gives, or are refused."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from vesalius.core.errors import CodeError, PlanError
from vesalius.core.plan import TrainPlan
from vesalius.learn.large.parts import assert_in_parts, in_parts
from vesalius.learn.large.recompute import blocks_of, recompute
from vesalius.learn.large.smaller import smaller
from vesalius.nets import build

Found = tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]


def learned(net: nn.Module, rows: int = 3, side: int = 16) -> Found:
    """The loss that looks at all rows at once, gradients and buffers after one step of a net from the same draws."""
    net.train()
    x = torch.randn(rows, 1, side, side, generator=torch.Generator().manual_seed(5))
    x = x.to(next(net.parameters()).dtype)
    torch.manual_seed(7)
    out = net(x)
    maps = out.features if hasattr(out, "features") else out
    pooled = torch.cat([m.flatten(2).mean(-1) for m in maps], 1)
    loss = torch.logsumexp(pooled @ pooled.T, dim=(0, 1)) + pooled.std(0).sum()  # no mean over cases
    loss.backward()
    grads = {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}
    return loss.detach(), grads, {n: b.clone() for n, b in net.named_buffers()}


def made(name: str, scale: float, dropout: float = 0.2) -> nn.Module:
    torch.manual_seed(3)
    return build(name, dims=2, in_channels=1, scale=scale, dropout=dropout, size=(16, 16))


@pytest.mark.parametrize(("name", "scale"), [("resnet-10", 0.0625), ("unet", 0.125), ("vit-tiny", 0.125)])
def test_blocks_computed_again_give_the_same_to_the_bit(name: str, scale: float) -> None:
    plain, again = made(name, scale), made(name, scale)
    blocks = recompute(again)
    assert len(blocks) >= 4 and not any(a != b and b.startswith(f"{a}.") for a in blocks for b in blocks)
    for ours, theirs in zip(learned(again), learned(plain), strict=True):
        if isinstance(ours, dict):
            assert isinstance(theirs, dict) and ours.keys() == theirs.keys()
            assert all(torch.equal(ours[k], theirs[k]) for k in ours), "dropout and statistics, too"
        else:
            assert torch.equal(ours, theirs)
    if name == "resnet-10":
        counts = [b for n, b in again.named_buffers() if n.endswith("num_batches_tracked")]
        assert counts and all(int(c) == 1 for c in counts), "no batch is counted twice"


@pytest.mark.parametrize(("name", "scale"), [("unet", 0.125), ("vit-tiny", 0.125)])
@pytest.mark.parametrize("both", [False, True])
def test_a_batch_in_parts_has_the_loss_and_the_gradients_of_the_whole(
    name: str, scale: float, both: bool
) -> None:
    plain, parts = made(name, scale, 0.0), made(name, scale, 0.0)
    smaller(parts, TrainPlan(steps=1, batch=5, accumulate=3, recompute=both))
    single, whole = learned(copy.deepcopy(parts), rows=5), learned(copy.deepcopy(plain), rows=5)
    assert float(single[0]) == pytest.approx(float(whole[0]), rel=1e-6)
    (loss, grads, _), (exact, theirs, _) = learned(parts.double(), rows=5), learned(plain.double(), rows=5)
    assert float((loss - exact).abs()) < 1e-12
    assert all(float((grad - theirs[k]).abs().max()) < 1e-12 for k, grad in grads.items())


def kept_bytes(net: nn.Module, side: int = 32) -> int:
    """How much is kept for the way back, counted as torch keeps it, each storage once."""
    seen: dict[int, int] = {}

    def keep(t: Tensor) -> Tensor:
        seen[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    own = {p.untyped_storage().data_ptr() for p in net.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        out = net.train()(torch.ones(6, 1, side, side))
    assert out is not None
    return sum(n for k, n in seen.items() if k not in own)


@pytest.mark.parametrize("change", [recompute, lambda net: in_parts(net, 3)])
def test_less_is_kept_for_the_way_back(change: Callable[[nn.Module], object]) -> None:
    plain, less = made("unet", 0.25, 0.0), made("unet", 0.25, 0.0)
    change(less)
    assert kept_bytes(less) < 0.6 * kept_bytes(plain)


def test_a_copy_learns_with_its_own_weights_and_names_stay() -> None:
    net = made("vit-tiny", 0.125, 0.0)
    names = list(net.state_dict())
    smaller(net, TrainPlan(steps=1, batch=2, accumulate=2, recompute=True))
    assert list(net.state_dict()) == names
    other = copy.deepcopy(net)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    x = torch.ones(2, 1, 16, 16)
    assert not other.train()(x)[-1].any() and net.train()(x)[-1].any()


class InPlace(nn.Sequential):
    """A block that changes what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        return self[0](x.relu_())


def test_what_would_change_what_is_learned_is_refused() -> None:
    with pytest.raises(PlanError, match="BatchNorm looks at all of a batch at once.*train.recompute=true"):
        in_parts(made("resnet-10", 0.0625), 2)
    with pytest.raises(PlanError, match="no blocks that could be computed again; found AlexNet"):
        recompute(build("alexnet", dims=2, in_channels=1, scale=0.0625, size=(64, 64)))
    with pytest.raises(PlanError, match="found train.accumulate=3, train.batch=2.*train.accumulate=2"):
        smaller(made("unet", 0.125), TrainPlan(steps=1, batch=2, accumulate=3))
    block = nn.Sequential(nn.Linear(3, 3), InPlace(nn.Linear(3, 3), nn.Linear(3, 3)))
    assert recompute(block) == ("1",)
    with pytest.raises(CodeError, match="InPlace changes what it was given.*cannot be computed again"):
        block.train()(torch.ones(2, 3)).sum().backward()


def test_parts_that_nobody_asks_are_told() -> None:
    net = made("vit-tiny", 0.125, 0.0).train()
    in_parts(net, 2)
    net.visible(torch.ones(2, 1, 16, 16), torch.zeros(2, 1, dtype=torch.int64)).sum().backward()  # type: ignore[operator]
    with pytest.raises(PlanError, match="recipe 'mae' asks parts of a net by themselves"):
        assert_in_parts(net, "mae")
    net(torch.ones(2, 1, 16, 16))
    assert_in_parts(net, "mae")


def test_blocks_do_not_lie_within_one_another() -> None:
    names = [n for n, _ in blocks_of(made("resunet", 0.125))]
    assert names and not any(a != b and b.startswith(f"{a}.") for a in names for b in names)
