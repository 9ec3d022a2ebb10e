"""What a net sees in images, as features; and the small parts that recipes without targets build on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.core.image import Array
from vesalius.core.plan import Plan
from vesalius.learn.examples import cut_out
from vesalius.nets import Net
from vesalius.prepare.batch import Batch, Example, main_image


def net_of(model: nn.Module, plan: Plan) -> Net:
    """Return the net that a model is built on. Raises PlanError where it has none of its own."""
    net = getattr(model, "net", None)
    if not isinstance(net, Net):
        raise PlanError(
            f"recipe '{plan.train.recipe}' trains the net of a model, and that of {plan.task.name} has none called so",
            hint="--set train.recipe=supervised",
        )
    return net


def flat(net: Net, x: Tensor) -> Tensor:
    """Return images `(B, C, Z, Y, X)` as a net takes them: `(B, C, Y, X)` where it is one of pictures."""
    return x[:, :, 0] if net.dims == 2 else x


def pooled(net: Net, x: Tensor) -> Array:
    """Return the features of images `(B, C, Z, Y, X)`, as an index holds them: `(B, F)` float32."""
    found: Array = features(net, x).float().cpu().numpy()
    return found


def features(net: Net, x: Tensor) -> Tensor:
    """Return the features of images `(B, C, Z, Y, X)`: the mean over space of the net's deepest map, `(B, F)`."""
    return net.summed_up(net(flat(net, x)))


def width_of(net: Net, plan: Plan) -> int:
    """Return how many features a net has; a small image is asked about."""
    before = net.training
    net.eval()
    with torch.no_grad():
        x = torch.zeros((1, plan.data.inputs, *plan.data.size), device=next(net.parameters()).device)
        found = features(net, x).shape[1]
    net.train(before)
    return int(found)


def image_of(batch: Batch) -> Tensor:
    """Return the images of a batch, `(B, C, Z, Y, X)`."""
    return batch.images["image"] if "image" in batch.images else next(iter(batch.images.values()))


def patient_of(example: Example) -> str:
    """Return whose an example is; where nobody knows, a case is a patient."""
    return example.patient or example.case_id


def perceptron(
    sizes: Sequence[int], *, norm: bool = True, last: Callable[[int], nn.Module] | None = None
) -> nn.Module:
    """Return linear layers of these widths with ReLU between them, normalised over the batch where asked."""
    layers: list[nn.Module] = []
    for k, (a, b) in enumerate(pairwise(sizes)):
        inner = k < len(sizes) - 2
        layers.append(nn.Linear(a, b, bias=not (inner and norm)))
        if inner:
            layers += [nn.BatchNorm1d(b), nn.ReLU()] if norm else [nn.GELU()]
    return nn.Sequential(*layers, *(() if last is None else (last(sizes[-1]),)))


def spread_out(examples: Sequence[Example], voxels: int, most: int, plan: Plan) -> list[Example]:
    """Return evenly spread examples that hold so many voxels at most, each cut to the planned size in its middle."""
    size = plan.data.size
    count = min(most, len(examples), max(2, voxels // max(1, math.prod(size))))
    if not count:
        return []
    chosen = [examples[round(k * (len(examples) - 1) / max(1, count - 1))] for k in range(count)]
    if plan.data.sampling != "patches":
        return chosen
    starts = [
        [max(0, (n - s) // 2) for n, s in zip(main_image(e).shape[-3:], size, strict=True)] for e in chosen
    ]
    return [cut_out(e, start, size) for e, start in zip(chosen, starts, strict=True)]
