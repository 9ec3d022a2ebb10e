"""Tree LSTM: long short-term memory up a tree, such as from lesions to organs to the study; children are summed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.core.options import options_of
from vesalius.nets._blocks import width
from vesalius.nets._net import Net
from vesalius.nets._recurrent import WIDTH, plainly

NAMES = {"treelstm": "long short-term memory up a tree of findings: lesions, organs, the study"}
ROLE = "sequence"
OVER = {"treelstm": "tree"}
DIMS = (2, 3)
SOURCE = (
    "Tai et al.: Improved semantic representations from tree-structured LSTMs, ACL 2015, arXiv:1503.00075"
)
SMALLEST = 0.0625
OPTIONS: dict[str, Any] = {}
NO_EXPORT = "which nodes are computed together follows from the tree"


class Level(NamedTuple):
    """The nodes of one depth: their places among all of a batch, and those of their parents in the level above."""

    nodes: Tensor
    above: Tensor


class TreeLSTM(Net):
    """The child-sum tree LSTM: a node's answer stands on itself and on all that lies below it.

    Nodes of one depth are computed at once, the deepest first, so a step a depth and none a node. It computes in
    float32 whatever is around it.
    """

    role: ClassVar[str] = "sequence"
    over: ClassVar[str] = "tree"
    causal = False

    def __init__(self, dims: int, in_channels: int, *, hidden: int, dropout: float) -> None:
        super().__init__(dims, [hidden], strides=[1], dropout=dropout)
        self.in_channels, self.hidden = in_channels, hidden
        self.see = nn.Linear(in_channels, 4 * hidden)  # input, output, new, forget
        self.summed = nn.Linear(hidden, 3 * hidden, bias=False)  # of their sum: input, output, new
        self.forget = nn.Linear(hidden, hidden, bias=False)  # of each child
        self.drop = nn.Dropout(dropout)
        nn.init.xavier_uniform_(self.see.weight)
        with torch.no_grad():
            self.see.bias.zero_()
            self.see.bias[3 * hidden :] = 1.0  # as in `Recurrence`

    def forward(self, x: Tensor, parents: Tensor, there: Tensor | None = None) -> Tensor:
        """Return an answer a node, `(B, N, F')`, 0 where there is none.

        `x` is `(B, N, F)`; `parents` `(B, N)` int64 holds the place of the node above each in its row, -1 of a root;
        there may be several. `there` `(B, N)` bool says which nodes there are: those below one that is not belong to
        the next above it that is. Raises PlanError where shapes do not fit, or parents make no tree.
        """
        self.check_input(x)
        if parents.shape != x.shape[:2] or (there is not None and there.shape != x.shape[:2]):
            raise PlanError(
                f"a tree has a parent for each of its nodes, {tuple(x.shape[:2])}",
                found=f"parents {tuple(parents.shape)}"
                + ("" if there is None else f", there {tuple(there.shape)}"),
            )
        rows, nodes = x.shape[:2]
        if there is None:
            there = torch.ones(rows, nodes, dtype=torch.bool, device=x.device)
        with plainly(x.device):
            seen = self.see(torch.where(there[..., None], x.float(), 0.0)).flatten(0, 1)
            places, answers = self._up(seen, list(levels(parents, there)))
            out = seen.new_zeros(rows * nodes, self.hidden)
            out = out if places is None else out.index_copy(0, places, self.drop(answers))
        whole: Tensor = out.reshape(rows, nodes, self.hidden)
        return whole

    def _up(self, seen: Tensor, found: list[Level]) -> tuple[Tensor | None, Tensor]:
        """Return the places of the nodes, deepest first, and what each gives, `(·, H)`."""
        h = c = seen.new_zeros(0, self.hidden)
        above = torch.zeros(0, dtype=torch.long, device=seen.device)
        gave = []
        for level in found:
            at = seen[level.nodes]
            below = at.new_zeros(len(at), self.hidden)
            kept = torch.sigmoid(at[above, 3 * self.hidden :] + self.forget(h)) * c
            gates = at[:, : 3 * self.hidden] + self.summed(below.index_add(0, above, h))
            enter, leave, new = gates.chunk(3, dim=1)
            c = torch.sigmoid(enter) * torch.tanh(new) + below.index_add(0, above, kept)
            h = torch.sigmoid(leave) * torch.tanh(c)
            above = level.above
            gave.append(h)
        return (torch.cat([level.nodes for level in found]), torch.cat(gave)) if found else (None, h)

    def check_input(self, x: Tensor) -> None:
        """Refuse what is not a batch of nodes of `in_channels` features, with one line."""
        if x.ndim != 3 or x.shape[2] != self.in_channels or not x.shape[1]:
            raise PlanError(
                f"a net over trees takes (B, N, F) of {self.in_channels} features and at least one node",
                found=f"shape {tuple(x.shape)}",
            )


def levels(parents: Tensor, there: Tensor) -> Iterator[Level]:
    """Yield the nodes that are there by their depth, the deepest first. Raises PlanError where parents make no tree."""
    rows, nodes = parents.shape
    if int(parents.min()) < -1 or int(parents.max()) >= nodes:
        raise PlanError(
            f"parents are places of nodes, 0 to {nodes - 1}, or -1",
            found=f"{int(parents.min())} to {int(parents.max())}",
        )
    count, device = rows * nodes, parents.device
    row = torch.arange(rows, device=device)[:, None] * nodes
    up = torch.where(parents >= 0, parents + row, count).flatten()
    none = torch.full((1,), count, device=device)  # the place above all roots, which is above itself, too
    up = torch.cat([up, none])
    real = torch.cat([there.flatten(), there.new_ones(1)])
    nearest = torch.where(real, torch.arange(count + 1, device=device), up)
    doublings = nodes.bit_length() + 1
    for _ in range(doublings):
        nearest = nearest[nearest]
    up = torch.where(real, nearest[up], count)
    up = torch.where(real[up], up, count)
    depth, ancestor = (up != count).long(), up
    for _ in range(doublings):
        depth, ancestor = depth + depth[ancestor], ancestor[ancestor]
    if bool((ancestor != count).any()):
        row_of = int((ancestor != count).nonzero()[0]) // nodes
        raise PlanError("the nodes of a tree go round in a circle", found=f"in row {row_of} of the batch")
    held = there.flatten().nonzero()[:, 0]
    held = held[torch.argsort(depth[held], stable=True)]
    sizes: list[int] = torch.bincount(depth[held]).tolist() if len(held) else []
    place = torch.zeros(count + 1, dtype=torch.long, device=device)  # of each node in its level
    split = torch.split(held, sizes) if sizes else ()
    for one in split:
        place[one] = torch.arange(len(one), device=device)
    for one in reversed(split):
        yield Level(one, place[up[one]])


def build(
    name: str,
    *,
    dims: int,
    in_channels: int,
    scale: float = 1.0,
    dropout: float = 0.0,
    size: Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Net:
    """Build a tree LSTM, 128 times `scale` wide; dropout acts on what nodes give, and not on what is above them.

    It has no options. `dims` is that of the plan, and `size` means nothing to it.
    """
    options_of("nets", name, options or {}, where=f"{name}: options")
    return TreeLSTM(dims, in_channels, hidden=width(WIDTH, scale), dropout=dropout)
