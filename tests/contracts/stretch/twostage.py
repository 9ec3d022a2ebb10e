"""Which voxels are the ball? A coarse look finds it, a fine one outlines it inside that box (throw-away)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from thirdparty._harness import AFFINE, balls, plan
from torch import nn
from torch.nn import functional as F

from vesalius.core.answers.mask import Mask
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.image import Image
from vesalius.infer.cropping import box_around, crop_case, crop_image
from vesalius.prepare.batch import Example
from vesalius.prepare.case import load_mask, load_reference, prepare_mask
from vesalius.tasks.contract import Task

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

    def state(self, cases, target, plan):
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
        net = nets.build(plan.net.name, dims=3, in_channels=1, scale=plan.net.scale, size=plan.data.size)
        return Bright(net)

    def loss(self, model, batch, generator):
        mask = batch.targets["mask"][:, 0].long()
        return {"mask": F.cross_entropy(model(batch.images["image"]), mask, ignore_index=-1)}

    def infer(self, model, batch, generator):
        return model(batch.images["image"])

    def decode(self, raw, state, calibration, reference, *, undo=None):
        label = Label(**state.values["labels"][0])
        array = (raw * label.value).astype(np.uint8)
        return Mask(image=Image(array[None], affine=reference.affine), labels=(label,))

    def scalar(self, raw, what):
        return raw[:, what].flatten(1).mean(dim=1)


def example():
    cases = [Case(str(k), {"image": i}, targets={"truth": m}) for k, (i, m, _) in enumerate(balls(4))]
    target = TargetInfo("truth", "mask", (Label(7, "ball"),))
    return cases, target, plan("twostage", net="unet", whole=False, spacing_mm=3.0)


def crop(case):
    """A training case within the box of its mask."""
    reference, mask = load_reference(case), load_mask(case.targets["truth"])
    low, high = box_around(mask.array[0] != 0, reference, MARGIN_MM)
    return replace(crop_case(case, reference, low, high), targets={"truth": crop_image(mask, low, high)})


def second(coarse):
    """The second stage: its plan, what it takes of the first, and how its training cases are cut."""
    data = coarse.data.model_copy(update={"spacing_mm": (1.0, 1.0, 1.0)})
    takes = {"stage": 0, "as": "crop", "margin_mm": MARGIN_MM}
    return coarse.model_copy(update={"data": data}), takes, crop


def judge(answer, case, ask):
    image, found = case.images["image"], answer.parts["stage0"].image.array[0]
    assert answer.image.shape == image.shape and np.array_equal(answer.image.affine, AFFINE)
    assert set(np.unique(answer.image.array)) == {0, 7}, "the data's own label value"
    low, high = box_around(found != 0, image, MARGIN_MM)
    assert 0 < np.prod(np.subtract(high, low)) < image.array.size / 2, "the first stage narrows it down"
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    outside = answer.image.array[0].copy()
    outside[box] = 0
    assert not outside.any(), "nothing outside of where the first stage looked"
    truth = balls(int(case.id) + 1)[-1][1].array[0] == 7
    called = answer.image.array[0] == 7
    assert 2 * (truth & called).sum() / (truth.sum() + called.sum()) > 0.6, "and it lies where the ball does"


TASK = Outline()
