"""The loss of `detect`: places are given their true boxes, image by image, and held against them together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vesalius.prepare.batch import Batch
from vesalius.tasks import _overlap as overlap
from vesalius.tasks._assigning import assign
from vesalius.tasks._detector import Seen


def terms(model: Any, batch: Batch, *, left: float) -> dict[str, Tensor]:
    """Return how wrong it is how sure places are (`sure`), and how badly the boxes fit that found a truth (`box`).

    `left` is the share of a true box that must lie in the image; of less of it nothing is asked.
    """
    seen: Seen = model(batch.images["image"])
    with torch.no_grad():
        p = seen.logits.sigmoid()
    target, weight = torch.zeros_like(seen.logits), seen.logits.new_zeros(seen.logits.shape[:2])
    found, wanted, quality = [], [], []
    for k, boxes in enumerate(batch.ragged.get("boxes", ())):
        if boxes is None:
            continue
        weight[k] = 1.0
        labels, crowd = batch.ragged["labels"][k], batch.ragged["crowd"][k]
        sizes = batch.ragged["whole"][k]
        if labels is None or crowd is None or sizes is None or not len(boxes):
            continue
        boxes = boxes.to(seen.boxes)
        share = overlap.volume(boxes) / sizes.to(boxes).clamp_min(1e-3).prod(dim=-1)
        asked = ~crowd & (share >= left)
        _unasked(weight[k], seen, boxes[~asked & (share > 0)])
        truth, names = boxes[asked], labels[asked]
        given = assign(seen.places, p[k], seen.boxes[k].detach(), truth, names)
        place = (given.truth >= 0).nonzero()[:, 0]
        if not len(place):
            continue
        own = given.truth[place]
        target[k, place, names[own]] = given.quality[place]
        weight[k, place] = 1.0
        found.append(seen.boxes[k, place])
        wanted.append(truth[own])
        quality.append(given.quality[place])
    sure = model.criterion(seen.logits.transpose(1, 2), target.transpose(1, 2), weight)
    if not found:
        return {"sure": sure, "box": 0.0 * seen.boxes.sum()}
    every = torch.cat(quality)
    fit = 1 - overlap.similarity(model.form, torch.cat(found), torch.cat(wanted))
    return {"sure": sure, "box": model.weight * (fit * every).sum() / every.sum().clamp_min(1.0)}


def _unasked(weight: Tensor, seen: Seen, boxes: Tensor) -> None:
    """Let places that lie in one of the boxes count for nothing."""
    if not len(boxes):
        return
    points = seen.places.points[:, None]
    inside = ((points >= boxes[None, :, 0]) & (points <= boxes[None, :, 1])).all(dim=-1).any(dim=1)
    weight[inside] = 0.0
