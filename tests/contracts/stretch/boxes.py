"""Where do balls lie? Centres and sizes over tiles, joined by non-maximum suppression (throw-away)."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import maximum_filter
from thirdparty.balls import patient
from torch import nn
from torch.nn import functional as F

from vesalius.core.answers.boxes import Boxes
from vesalius.core.bundle import State
from vesalius.core.case import Box
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.prepare import geometry
from vesalius.prepare.batch import Example
from vesalius.tasks.contract import Task, Tile, planned_net

LOWEST_P, OVERLAP, PEAKS, UNIT = 0.3, 0.3, 50, 10.0


def overlap(a, b):
    inside = np.clip(np.minimum(a[3:6], b[3:6]) - np.maximum(a[:3], b[:3]), 0, None).prod()
    return inside / (np.prod(a[3:6] - a[:3]) + np.prod(b[3:6] - b[:3]) - inside)


class Headed(nn.Module):  # a dense net with a 1×1 head
    def __init__(self, net):
        super().__init__()
        self.net, self.head = net, nn.Conv3d(net.out_channels, 4, 1)

    def forward(self, x):
        return self.head(self.net(x).full)


class Detect(Task):  # boxes are found on the prepared grid; `undo` brings them back
    name, answer, targets, roles, run, primary = "boxes", Boxes, ("boxes",), ("dense",), "tiles", "froc"

    def check(self, cohort, target):
        return () if target else ("boxes for each case",)

    def state(self, summary, target, plan):
        return State({"target": target.name, "label": target.labels[0].name})

    def encode(self, case, prepared, reference, state):
        if state.values["target"] not in case.targets:
            return Example(case.id, {"image": prepared.array})
        field = np.zeros((4, *prepared.undo.shape), dtype=np.float32)
        grid = np.stack(np.meshgrid(*map(np.arange, field.shape[1:]), indexing="ij"))
        for box in case.targets[state.values["target"]]:
            drawn = np.zeros(reference.shape, dtype=np.int16)
            drawn[tuple(slice(int(a), int(b)) for a, b in zip(box.low, box.high, strict=True))] = 1
            where = np.argwhere(geometry.forward_labels(drawn, prepared.undo))
            size = where.max(axis=0) + 1 - where.min(axis=0)
            centre = np.floor(where.min(axis=0) + size / 2).reshape(3, 1, 1, 1)
            heat = np.exp(-((grid - centre) ** 2).sum(axis=0) / 4)
            field[1:, heat > 0.7] = size[:, None] / UNIT
            field[0] = np.maximum(field[0], heat)
        return Example(case.id, {"image": prepared.array}, {"field": field}, on_grid=frozenset({"field"}))

    def build(self, plan, state, nets):
        return Headed(planned_net(plan, nets))

    def loss(self, model, batch, generator):
        raw, field = model(batch.images["image"]), batch.targets["field"]
        near = (field[:, 1:] > 0).float()
        size = (near * (raw[:, 1:] - field[:, 1:]).abs()).sum() / near.sum().clamp_min(1)
        return {"heat": F.binary_cross_entropy_with_logits(raw[:, 0], field[:, 0]), "size": size}

    def infer(self, model, batch, generator):
        raw = model(batch.images["image"])
        return torch.cat([raw[:, :1].sigmoid(), raw[:, 1:].clamp_min(0.05)], dim=1)

    def merge(self, tiles, shape):
        """`(N, 7)`: low and high corner on the prepared grid, p; of overlapping ones the best is kept."""
        field, rows, kept = np.zeros((4, *shape), dtype=np.float32), [], []
        for tile in tiles:
            place = tuple(slice(a, a + n) for a, n in zip(tile.start, tile.size, strict=True))
            surer = tile.raw[0] > field[(0, *place)]
            field[(slice(None), *place)][:, surer] = tile.raw[:, surer]
        for at in np.argwhere((field[0] == maximum_filter(field[0], 3)) & (field[0] > LOWEST_P)):
            half, middle = field[(slice(1, 4), *at)] * UNIT / 2, at + 0.5
            corners = np.clip([middle - half, middle + half], 0, shape)
            rows.append(np.append(corners, field[(0, *at)]))
        for row in sorted(rows, key=lambda r: -r[6])[:PEAKS]:
            if all(overlap(row, other) < OVERLAP for other in kept):
                kept.append(row)
        return np.array(kept).reshape(-1, 7)

    def decode(self, raw, state, calibration, reference, *, undo=None):
        name, corners = state.values["label"], raw[:, :6].reshape(-1, 2, 3)
        found = np.sort(geometry.backward_points(corners, undo), axis=1).tolist()
        boxes = tuple(Box(tuple(low), tuple(high), name) for low, high in found)
        return Boxes(boxes=boxes, p=raw[:, 6].copy(), labels=(Label(1, name),))

    def scalar(self, raw, ask):
        return raw[:, 0].flatten(1).amax(dim=1)


def given(made, folder):
    cases = tuple(patient(k).as_case() for k in range(8))
    cohort = Cohort(folder, "balls", cases, {"boxes": TargetInfo("boxes", "boxes", (Label(1, "ball"),))})
    return {"data": cohort, "settings": {"data.size": [8, 16, 16], "data.spacing_mm": [1.5, 1.5, 1.5]}}


def judge(trial):
    answer, case = trial.answers[0], trial.space.training[0]
    assert len(answer.boxes) == len(answer.p) > 0 and (np.diff(answer.p) <= 0).all()
    low, high = np.array([(b.low, b.high) for b in answer.boxes]).swapaxes(0, 1)
    assert (low >= 0).all() and (low < high).all() and (high <= case.images["image"].shape).all()
    image, (truth,) = case.images["image"], case.targets["boxes"]  # cut into tiles, it comes back as it was
    undo = TASK.prepare(case, trial.plan, trial.state, reference=image).undo
    field = trial.examples[0].targets["field"]
    tiles = [Tile(field[:, a : a + 8], (a, 0, 0), field[:, :8].shape[1:]) for a in (0, len(field[0]) - 8)]
    (found,) = TASK.decode(TASK.merge(tiles, field.shape[1:]), trial.state, {}, image, undo=undo).boxes
    assert np.allclose([found.low, found.high], [truth.low, truth.high], atol=1.0)


TASK = Detect()
