"""Which voxels are the ball? A coarse look finds it, a fine one outlines it inside that box (throw-away)."""

from __future__ import annotations

import numpy as np
import torch
from thirdparty.balls import AFFINE, patient
from torch import nn
from torch.nn import functional as F

from vesalius.core.answers.mask import Mask
from vesalius.core.bundle import State
from vesalius.core.cohort import Label
from vesalius.core.image import Image
from vesalius.infer.cropping import box_around
from vesalius.prepare.batch import Example
from vesalius.prepare.case import load_mask, prepare_mask
from vesalius.tasks.contract import Task, planned_net

MARGIN_MM = 2.0


class Bright(nn.Module):
    """A dense net that begins from 'what is bright is in': three steps are enough to have a box."""

    def __init__(self, net):
        super().__init__()
        self.net, self.head = net, nn.Conv3d(net.out_channels, 2, 1)

    def forward(self, x):
        bright = 4 * (x[:, :1] - 1.5)
        return self.head(self.net(x).full) + torch.cat([-bright, bright], dim=1)


class Outline(Task):
    """The same task in both stages."""

    name, answer, targets, roles, run, primary = "twostage", Mask, ("mask",), ("dense",), "dense", "dice"

    def check(self, cohort, target):
        return () if target else ("a mask for each case",)

    def state(self, summary, target, plan):
        (label,) = target.labels
        return State({"target": target.name, "labels": [{"value": label.value, "name": label.name}]})

    def encode(self, case, prepared, reference, state):
        item = case.targets.get(state.values["target"])
        if item is None:
            return Example(case.id, {"image": prepared.array})
        mask = prepare_mask(load_mask(item), reference, prepared.undo)
        inside = np.where(mask < 0, -1, mask == state.values["labels"][0]["value"]).astype(np.int16)
        return Example(
            case.id, {"image": prepared.array}, {"mask": inside[None]}, on_grid=frozenset({"mask"})
        )

    def build(self, plan, state, nets):
        return Bright(planned_net(plan, nets))

    def loss(self, model, batch, generator):
        mask = batch.targets["mask"][:, 0].long()
        return {"mask": F.cross_entropy(model(batch.images["image"]), mask, ignore_index=-1)}

    def infer(self, model, batch, generator):
        return model(batch.images["image"])

    def decode(self, raw, state, calibration, reference, *, undo=None):
        label = Label(**state.values["labels"][0])
        array = (raw * label.value).astype(np.uint8)
        return Mask(image=Image(array[None], affine=reference.affine), labels=(label,))

    def scalar(self, raw, ask):
        return raw[:, ask.place + 1].flatten(1).mean(dim=1)


def given(made, folder):
    locate = {"locate.margin_mm": MARGIN_MM, "locate.spacing_factor": 2.0}
    return {"data": made, "target": "mask", "settings": {**locate, "data.spacing_mm": [1.0, 1.0, 1.0]}}


def judge(trial):
    answer, case = trial.answers[0], trial.cases[0]
    image, found = trial.reference(case), answer.parts["locate"].image.array[0]
    assert np.allclose(answer.image.affine, AFFINE, atol=1e-5)
    assert set(np.unique(answer.image.array)) == {0, 7}, "the data's own label value"
    low, high = box_around(found != 0, image, MARGIN_MM)
    assert 0 < np.prod(np.subtract(high, low)) < image.array.size / 2, "the first stage narrows it down"
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    outside = answer.image.array[0].copy()
    outside[box] = 0
    assert not outside.any(), "nothing outside of where the first stage looked"
    truth, called = patient(int(case.id[-3:])).ball, answer.image.array[0] == 7
    assert 2 * (truth & called).sum() / (truth.sum() + called.sum()) > 0.6, "and it lies where the ball does"


TASK = Outline()
