"""Contrast: two views of an image are to be nearer to one another than to those of others (SimCLR; MoCo's queue)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.plan import Plan, Section
from vesalius.learn.pretext import Pretext, Views
from vesalius.learn.recipes.contract import Member
from vesalius.learn.seeing import features, perceptron, width_of
from vesalius.nets import Net

NAMES = {"simclr": "Two views of an image nearer to one another than to those of others; no target"}
SOURCE = (
    "Chen et al.: A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020, arXiv:2002.05709; "
    "the queue: He et al.: MoCo, CVPR 2020, arXiv:1911.05722, of the net's own projections as in Wang et al.: "
    "Cross-Batch Memory, CVPR 2020, arXiv:1912.06798"
)


class SimCLROptions(Section):
    """The options of `simclr`.

    `queue` are how many projections of earlier batches are held against a view, too: few pictures and small batches
    have few others. `negatives` false leaves all others out, which is known to collapse.
    """

    temperature: float = Field(0.2, gt=0)
    width: int = Field(128, ge=1)
    hidden: int = Field(256, ge=1)
    queue: int = Field(256, ge=0)
    negatives: bool = True


class Projection(nn.Module):
    """A perceptron, and a queue of what it said of earlier batches, with whose images they were (-1: of nobody yet)."""

    queue: Tensor
    owners: Tensor

    def __init__(self, features: int, options: SimCLROptions) -> None:
        super().__init__()
        self.layers = perceptron((features, options.hidden, options.width))
        self.register_buffer("queue", torch.zeros(options.queue, options.width))
        self.register_buffer("owners", torch.full((options.queue,), -1, dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        """Return projections of length 1, `(B, D)`."""
        return F.normalize(self.layers(x), dim=1)

    def push(self, projections: Tensor, owners: Tensor) -> None:
        """Put projections at the front of the queue; the oldest leave it."""
        n = len(self.queue)
        self.queue.copy_(torch.cat((projections, self.queue))[:n])
        self.owners.copy_(torch.cat((owners, self.owners))[:n])


class SimCLR(Pretext):
    """NT-Xent over both views of a batch and a queue; views of one patient are never held against one another."""

    Options = SimCLROptions
    heads: Projection

    def __init__(self, given: Member, options: SimCLROptions) -> None:
        self.options = options
        super().__init__(given, options)

    def head_of(self, net: Net, plan: Plan) -> nn.Module:
        """Return the projection and its queue."""
        return Projection(width_of(net, plan), self.options)

    def embedded(self, net: Net, x: Tensor) -> Tensor:
        """Return the projections."""
        found: Tensor = self.heads(features(net, x))
        return found

    def terms(self, net: Net, seen: Views) -> dict[str, Tensor]:
        """Return the contrast of both views, which go through the net as one batch."""
        projections = self.embedded(net, torch.cat(seen.views))
        self._latest = projections.detach()
        one, other = projections.chunk(2)
        if not self.options.negatives:
            return {"pulled": 2 - 2 * (one * other).sum(dim=1).mean()}
        known = self.heads.owners >= 0
        return {
            "contrast": nt_xent(
                one,
                other,
                temperature=self.options.temperature,
                owners=seen.patients,
                queue=self.heads.queue[known],
                queue_owners=self.heads.owners[known],
            )
        }

    def after(self, net: Net, seen: Views, step: int) -> None:
        """Put the projections of the first views into the queue."""
        if len(self.heads.queue):
            self.heads.push(self._latest[: len(seen.patients)], seen.patients)


def nt_xent(
    one: Tensor,
    other: Tensor,
    *,
    temperature: float,
    owners: Tensor,
    queue: Tensor | None = None,
    queue_owners: Tensor | None = None,
) -> Tensor:
    """Return the normalised, temperature-scaled cross-entropy of two views `(N, D)` of length 1.

    Each view is to be told from all others by its likeness to its partner. What has the same of `owners` `(N,)`, such
    as another image of the patient, is left out, in the batch and in the `queue` `(Q, D)`.
    """
    views, whose = torch.cat((one, other)), owners.repeat(2)
    n = len(views)
    partner = torch.arange(n, device=views.device).roll(len(one))
    against, of = views, whose
    if queue is not None and queue_owners is not None:
        against, of = torch.cat((views, queue.to(views))), torch.cat((whose, queue_owners))
    likeness = views @ against.T / temperature  # (2N, 2N + Q)
    same = whose[:, None] == of[None]
    same[torch.arange(n, device=views.device), partner] = False
    return F.cross_entropy(likeness.float().masked_fill(same, float("-inf")), partner)


RECIPE = SimCLR
