"""Training the learned normaliser: values stay near what they were, while a head that tells the scanner is deceived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.errors import DataError
from vesalius.core.groups import linked
from vesalius.core.image import Array
from vesalius.core.words import listed
from vesalius.prepare.harmonise import learned
from vesalius.prepare.harmonise.contract import Fitted, Sample

VOXELS = 1500  # of each image, drawn inside, on which the losses are measured
LEVELS = 13  # quantiles of them that the head sees
HIDDEN = 24
RATE, HEAD_RATE = 3e-3, 3e-3
DECEIVE, ALIKE = (
    0.05,
    20.0,
)  # weights of the reversed gradient, and of the differences between scanners' means
MOST = 160  # images at most, taken evenly


@dataclass(frozen=True, eq=False)
class _Seen:
    """All images as the net and the losses see them; the last four are `(B, VOXELS)`."""

    coarse: Tensor
    quantiles: Tensor
    values: Tensor
    z: Tensor
    y: Tensor
    x: Tensor


def train(samples: Sequence[Sample], options: Mapping[str, Any], *, seed: int = 0) -> Fitted:
    """Return the weights of a normaliser trained on images of known scanners, as text; the same seed, the same weights.

    Raises DataError where fewer than two scanners have two images each.
    """
    known = sorted({str(s.group) for s in samples if s.group is not None})
    samples = [s for s in samples if s.group is not None]
    samples = [
        samples[k] for k in np.unique(np.linspace(0, len(samples) - 1, min(MOST, len(samples))).astype(int))
    ]
    scanner = torch.tensor([known.index(str(s.group)) for s in samples])
    many = torch.bincount(scanner, minlength=len(known))
    if len(known) < 2 or int(many.min()) < 2:
        found = [f"{n}: {int(m)}" for n, m in zip(known, many, strict=True)]
        raise DataError(
            "a normaliser is learned from two scanners on, two images of each", found=listed(found, 5)
        )
    generator = torch.Generator().manual_seed(seed)
    data = _seen([s.channel for s in samples], np.random.default_rng(seed))
    weights = _begun(generator)
    head = _head(len(known), generator)
    bodies = torch.optim.Adam(list(weights.values()), lr=RATE)
    heads = torch.optim.Adam(list(head.values()), lr=HEAD_RATE)
    persons = _persons(samples)
    for _ in range(int(options["steps"])):
        changed = _changed(weights, data)
        features = _features(changed, data)
        told = F.cross_entropy(_asked(head, _reversed(features)), scanner)
        loss = options["keep"] * F.mse_loss(changed, data.values)
        loss = loss + DECEIVE * told + ALIKE * _apart(features, scanner, persons)
        bodies.zero_grad()
        heads.zero_grad()
        loss.backward()
        bodies.step()
        heads.step()
    return {"weights": learned.packed({k: w.detach().numpy() for k, w in weights.items()})}


def _seen(channels: Sequence[Array], rng: np.random.Generator) -> _Seen:
    rows: list[list[Array]] = []
    for channel in channels:
        image, _, _ = learned.scaled(channel)
        coarse, quantiles = learned.seen(image)
        inside = np.flatnonzero(image.ravel() > image.mean(dtype=np.float64))
        chosen = rng.choice(inside, VOXELS, replace=len(inside) < VOXELS)
        index = np.unravel_index(chosen, image.shape)
        places = [
            2 * i / max(n - 1, 1) - (1 if n > 1 else 0) for i, n in zip(index, image.shape, strict=True)
        ]
        rows.append([coarse, quantiles, image.ravel()[chosen], *places])
    return _Seen(
        *(torch.from_numpy(np.stack(column).astype(np.float32)) for column in zip(*rows, strict=True))
    )


def _begun(generator: torch.Generator) -> dict[str, Tensor]:
    """Return first weights: a net that says a straight curve and no field."""
    found = {}
    for name, shape in learned.SHAPES.items():
        fan = int(np.prod(shape[1:])) or 1
        size = 0.05 if name == "dense2" else np.sqrt(2 / fan)
        found[name] = torch.randn(shape, generator=generator) * size if len(shape) > 1 else torch.zeros(shape)
    straight = float(np.log(np.expm1(1 - 0.02)))
    found["bias4"][: learned.PIECES] = straight
    return {name: w.requires_grad_() for name, w in found.items()}


def _changed(weights: Mapping[str, Tensor], data: _Seen) -> Tensor:
    """Return the drawn voxels after field and curve, `(B, VOXELS)`."""
    rises, terms = learned.said(weights, data.coarse, data.quantiles)
    field = torch.stack(learned.monomials(data.z, data.y, data.x), dim=-1) @ terms[..., None]
    even = data.values * torch.exp(-field[..., 0])
    knots = torch.cat([torch.zeros(len(rises), 1), rises.cumsum(dim=1)], dim=1)
    place = even * learned.PIECES
    piece = place.detach().floor().long().clamp(0, learned.PIECES - 1)
    return knots.gather(1, piece) + (place - piece) * rises.gather(1, piece)


def _features(changed: Tensor, data: _Seen) -> Tensor:
    """Return what the head sees of each image: quantiles, and how bright it is on either side of each axis."""
    ordered = changed.sort(dim=1).values
    at = torch.linspace(0.03, 0.97, LEVELS).mul(VOXELS).long()
    halves = []
    for place in (data.z, data.y, data.x):
        side = (place > 0).float()
        first, second = (changed * side).sum(1) / side.sum(1).clamp(min=1), (changed * (1 - side)).sum(1)
        halves.append(first - second / (1 - side).sum(1).clamp(min=1))
    return torch.cat([ordered[:, at], torch.stack(halves, dim=1)], dim=1)


def _persons(samples: Sequence[Sample]) -> Tensor | None:
    """Return who each image is of where those seen on several scanners link all of these; None where they do not."""
    names = [s.subject for s in samples]
    if None in names:
        return None
    where: dict[str, set[str]] = {}
    for s in samples:
        where.setdefault(str(s.subject), set()).add(str(s.group))
    if not linked(where.values(), {str(s.group) for s in samples}):
        return None
    known = sorted(where)
    return torch.tensor([known.index(str(n)) for n in names])


def _apart(features: Tensor, scanner: Tensor, persons: Tensor | None) -> Tensor:
    """Return how far scanners are apart: the variance between their means, or, of the same persons, within these."""
    code = scanner if persons is None else persons
    hot = F.one_hot(code).float()
    means = hot.T @ features / hot.sum(0)[:, None].clamp(min=1)
    if persons is None:
        return means.var(dim=0).mean()
    return (features - means[code]).square().mean()


class _Reverse(torch.autograd.Function):
    """What passes forwards as it is, and backwards with the other sign."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return the input."""
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        """Return the gradient with the other sign."""
        return -grads[0]


def _reversed(x: Tensor) -> Tensor:
    found: Tensor = _Reverse.apply(x)  # type: ignore[no-untyped-call]
    return found


def _head(scanners: int, generator: torch.Generator) -> dict[str, Tensor]:
    width = LEVELS + 3
    first = torch.randn(HIDDEN, width, generator=generator) * np.sqrt(2 / width)
    second = torch.randn(scanners, HIDDEN, generator=generator) * np.sqrt(1 / HIDDEN)
    made = {"a": first, "b": torch.zeros(HIDDEN), "c": second, "d": torch.zeros(scanners)}
    return {k: nn.Parameter(v) for k, v in made.items()}


def _asked(head: Mapping[str, Tensor], features: Tensor) -> Tensor:
    hidden = F.leaky_relu(F.linear(features * 4, head["a"], head["b"]), 0.1)
    return F.linear(hidden, head["c"], head["d"])
