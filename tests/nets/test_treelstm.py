"""The tree LSTM against a recursion over nodes as Tai et al. write it; missing nodes, chains, and what is no tree."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from vesalius import nets
from vesalius.core.errors import PlanError

# study; two organs; lesions; a lesion of a lesion; and a second root
PARENTS = [-1, 0, 0, 1, 1, 2, 3, -1]


def built() -> Any:
    torch.manual_seed(0)
    return nets.build("treelstm", dims=2, in_channels=4, scale=0.0625).eval()


def recursion(net: Any, x: Tensor, parents: list[int]) -> Tensor:
    """Equations 2 to 8 of Tai et al. 2015, a node at a time; gates of the node: input, output, new, forget."""
    h_of, c_of = {}, {}
    wide = net.hidden

    def visit(node: int) -> None:
        children = [k for k, p in enumerate(parents) if p == node]
        for child in children:
            visit(child)
        own = net.see.weight @ x[node] + net.see.bias
        total = sum((h_of[k] for k in children), torch.zeros(wide))
        i, o, u = (own[: 3 * wide] + net.summed.weight @ total).split(wide)
        c = i.sigmoid() * u.tanh()
        for k in children:
            c = c + (own[3 * wide :] + net.forget.weight @ h_of[k]).sigmoid() * c_of[k]
        h_of[node], c_of[node] = o.sigmoid() * c.tanh(), c

    for node, parent in enumerate(parents):
        if parent < 0:
            visit(node)
    return torch.stack([h_of[k] for k in range(len(parents))])


def test_it_agrees_with_the_recursion_over_nodes() -> None:
    net = built()
    x = torch.randn(2, 8, 4)
    other = [3, 3, 3, -1, 2, 2, 5, 6]  # children before their parents, and another shape
    with torch.no_grad():
        out = net(x, torch.tensor([PARENTS, other]))
        for row, parents in enumerate((PARENTS, other)):
            torch.testing.assert_close(out[row], recursion(net, x[row], parents), atol=1e-6, rtol=0)


def test_the_order_of_nodes_means_nothing() -> None:
    net, x = built(), torch.randn(1, 8, 4)
    order = torch.tensor([5, 2, 7, 0, 6, 1, 4, 3])
    place = torch.argsort(order)
    moved = [-1 if PARENTS[k] < 0 else int(place[PARENTS[k]]) for k in order.tolist()]
    with torch.no_grad():
        out = net(x, torch.tensor([PARENTS]))
        again = net(x[:, order], torch.tensor([moved]))
    torch.testing.assert_close(again, out[:, order], atol=1e-6, rtol=0)


def test_a_node_that_is_not_there_gives_its_children_to_the_one_above() -> None:
    net, x = built(), torch.randn(1, 8, 4)
    there = torch.ones(1, 8, dtype=torch.bool)
    there[0, [1, 3]] = False  # an organ, and below it a lesion that has one of its own
    x[~there] = torch.nan
    held = [0, 2, 4, 5, 6, 7]
    with torch.no_grad():
        out = net(x, torch.tensor([PARENTS]), there)
        wanted = recursion(net, x[0, held], [-1, 0, 0, 1, 0, -1])
    torch.testing.assert_close(out[0, held], wanted, atol=1e-6, rtol=0)
    assert not out[0, [1, 3]].any()


def test_padding_and_trees_without_nodes_change_nothing() -> None:
    net, x = built(), torch.randn(2, 8, 4)
    there = torch.tensor([[True] * 8, [False] * 8])
    parents = torch.tensor([PARENTS, [-1] * 8])
    with torch.no_grad():
        out = net(x, parents, there)
        torch.testing.assert_close(out[:1], net(x[:1], parents[:1]), atol=1e-6, rtol=0)
        assert not out[1].any() and not net(x, parents, torch.zeros_like(there)).any()


def test_a_chain_of_five_thousand_and_a_star() -> None:
    net, x = built(), torch.randn(1, 5000, 4)
    with torch.no_grad():
        chain = net(x, torch.arange(-1, 4999)[None])
        star = net(x, torch.cat([torch.tensor([-1]), torch.zeros(4999, dtype=torch.long)])[None])
        torch.testing.assert_close(chain[0, -20:], recursion(net, x[0, -20:], list(range(-1, 19))))
        c = net(x[:, 1:], torch.full((1, 4999), -1))
    assert torch.isfinite(chain).all() and torch.isfinite(star).all()
    torch.testing.assert_close(star[:, 1:], c, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("parents", "words"),
    [
        ([1, 2, 0, -1], "round in a circle"),
        ([0, -1, -1, -1], "round in a circle"),
        ([-1, 4, 0, 0], "0 to 3, or -1"),
        ([-2, 0, 0, 0], "0 to 3, or -1"),
    ],
)
def test_what_is_no_tree_is_one_line(parents: list[int], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        built()(torch.randn(1, 4, 4), torch.tensor([parents]))


def test_shapes_that_do_not_fit_are_one_line() -> None:
    with pytest.raises(PlanError, match=r"\(B, N, F\) of 4 features"):
        built()(torch.randn(1, 4, 3), torch.zeros(1, 4, dtype=torch.long))
    with pytest.raises(PlanError, match="a parent for each"):
        built()(torch.randn(1, 4, 4), torch.zeros(1, 3, dtype=torch.long))
