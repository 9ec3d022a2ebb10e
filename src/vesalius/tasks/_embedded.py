"""The model of `embed`: a net whose answer is a unit vector, held against those of cases or of labels; needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.prepare.batch import Batch
from vesalius.tasks._sources import input_of
from vesalius.tasks._together import look

MOST = 0.5  # alike to more than that and not the same: such grades are not held against one another
AT_ONCE = 16  # cases whose vectors are computed together


@dataclass(frozen=True)
class Way:
    """How cases are held against one another: by which labels, and what the planned loss takes.

    `several` labels may hold of one case, or the labels are `ordered` grades, or they exclude one another. `proxies`
    says that it holds them against a vector of each label, `graded` that pairs may be alike in part, `logits` that
    likenesses are divided by the `temperature`.
    """

    several: bool = False
    ordered: bool = False
    proxies: bool = False
    graded: bool = False
    logits: bool = False
    temperature: float = 1.0


class Embedder(nn.Module):
    """`(B, C, Z, Y, X)`, or a batch of several sources, → `(B, N + D)`: the cosines with N references, then the vector.

    `references` `(N, D)` are the unit vectors of cases that it learned from, none before it has learned. `labels` is
    how many labels there are, each of which has a learned vector where the loss holds cases against these.
    """

    references: Tensor

    def __init__(
        self,
        net: Any,
        dims: int,
        criterion: nn.Module,
        way: Way,
        *,
        labels: int,
        references: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.net, self.head, self.criterion, self.way = net, net.head(dims), criterion, way
        if way.proxies:
            self.proxies = nn.Parameter(F.normalize(torch.randn(labels, dims), dim=-1))
        if way.logits:
            self.offset = nn.Parameter(torch.zeros(()))  # of one yes or no for each pair
        self.register_buffer(
            "references", torch.zeros(0, dims) if references is None else references, persistent=False
        )

    def vectors(self, x: Tensor | Batch) -> Tensor:
        """Return the unit vectors `(B, D)`, in full precision."""
        found: Tensor = self.head(look(self.net, x))
        return F.normalize(found.float(), dim=-1)

    def forward(self, x: Tensor | Batch) -> Tensor:
        """Return the cosines with the references, then the vector."""
        vectors = self.vectors(x)
        return torch.cat([vectors @ self.references.T, vectors], dim=1)


def alike(labels: Tensor, way: Way) -> Tensor:
    """Return how alike each two cases are by their labels `(B, K)`, `(B, B)`: 1 the same, 0 nothing in common.

    Of grades it falls evenly with the steps between them; of several labels at once it is the share of the labels of
    either that both have, and 1 where neither has any.
    """
    own = labels.float()
    both = own @ own.T
    if way.ordered:
        grade = own.argmax(dim=1).float()
        return 1 - (grade[:, None] - grade[None]).abs() / max(1, own.shape[1] - 1)
    if not way.several:
        return (both > 0.5).to(own)
    either = own.sum(dim=1)[:, None] + own.sum(dim=1)[None] - both
    return torch.where(either > 0, both / either.clamp_min(1e-6), torch.ones_like(both))


def yes_or_no(found: Tensor, *, several: bool) -> Tensor:
    """Return likenesses as 1 and 0, and -1 where they are neither or not known, for a loss that knows only these.

    Several labels: 1 from half in common on, 0 with nothing in common. Grades: 1 the same, 0 up to MOST.
    """
    same = found >= (MOST if several else 1.0)
    other = (found == 0.0) if several else (found >= 0) & (found <= MOST)
    return same.to(found) - (~same & ~other).to(found)


def pairs_of(batch: Batch, label: Tensor, way: Way) -> Tensor:
    """Return how alike the cases of a batch are, `(B, B)`; -1 of a case with itself or another of its patient, and
    where one has no label.
    """
    found = alike(label, way)
    known = batch.labelled("label")
    if known is not None:
        found = found.masked_fill(~(known[:, None] & known[None]), -1.0)
    whose = batch.patients or (None,) * len(found)
    own = torch.tensor([[a is not None and a == b for b in whose] for a in whose], device=found.device)
    return found.masked_fill(own | torch.eye(len(found), dtype=torch.bool, device=found.device), -1.0)


def term_of(model: Any, batch: Batch) -> Tensor:
    """Return the loss of a batch; 0 of one in which no case has a label."""
    way: Way = model.way
    vectors = model.vectors(input_of(batch, model))
    label = batch.targets.get("label")
    if label is None:
        nothing: Tensor = 0.0 * vectors.sum()
        return nothing
    if way.proxies:
        known = batch.labelled("label")
        true = label.float() if known is None else label.float().masked_fill(~known[:, None], -1.0)
        near = vectors @ F.normalize(model.proxies.float(), dim=-1).T
    else:
        true = pairs_of(batch, label, way)
        true = true if way.graded else yes_or_no(true, several=way.several)
        near = vectors @ vectors.T
    found: Tensor = model.criterion(near / way.temperature + model.offset if way.logits else near, true)
    return found


def vectors_of(task: Any, model: Any, examples: Sequence[Any]) -> Tensor:
    """Return the unit vectors `(N, D)` of prepared cases, computed a few at a time."""
    device, found = next(model.parameters()).device, []
    with torch.inference_mode():
        for k in range(0, len(examples), AT_ONCE):
            batch = task.collate(examples[k : k + AT_ONCE]).to(device)
            vectors: Tensor = task.image_vectors(model, batch)
            found.append(vectors.cpu())
    return torch.cat(found)
