"""What lies under the covers? Masked-image pre-training, with no target at all (throw-away)."""

from __future__ import annotations

import numpy as np
import torch
from thirdparty._harness import AFFINE, Headed, balls, plan
from torch.nn import functional as F

from vesalius.core.answers.picture import Picture
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.image import Image
from vesalius.prepare.batch import Example
from vesalius.tasks.contract import Task

BLOCK, HIDDEN = 4, 0.5


class Paint(Task):
    """Half of the blocks are hidden, which ones the generator says; the loss looks at those alone."""

    name, answer, targets, roles, run, primary = "pretrain", Picture, (), ("dense",), "dense", "psnr"
    needs_target = False

    def check(self, cohort, target):
        return () if cohort.cases else ("images",)

    def state(self, cases, target, plan):
        assert target is None
        return State({"cases": len(cases)})

    def encode(self, case, prepared, reference, state):
        return Example(case.id, {"image": prepared.array})

    def build(self, plan, state, nets):
        net = nets.build(plan.net.name, dims=3, in_channels=1, scale=plan.net.scale, size=plan.data.size)
        return Headed(net, 1)

    def loss(self, model, batch, generator):
        image = batch.images["image"]
        blocks = [max(1, n // BLOCK) for n in image.shape[2:]]
        drawn = (torch.rand((len(image), 1, *blocks), generator=generator) < HIDDEN).float()
        hidden = F.interpolate(drawn.to(image), size=image.shape[2:])
        error = (model(image * (1 - hidden)) - image) ** 2 * hidden
        return {"painted": error.sum() / hidden.sum().clamp_min(1)}

    def infer(self, model, batch, generator):
        return model(batch.images["image"])

    def point(self, raw):
        return raw[0]

    def decode(self, raw, state, calibration, reference, *, undo=None):
        return Picture(image=Image(np.asarray(raw, dtype=np.float32)[None], affine=reference.affine))

    def scalar(self, raw, what):
        return raw.flatten(1).mean(dim=1)


def example():
    cases = [Case(str(k), {"image": image}) for k, (image, _, _) in enumerate(balls(4))]
    planned = plan("pretrain", net="unet", whole=False, spacing_mm=1.5)
    task = planned.task.model_copy(update={"target": None})
    return cases, None, planned.model_copy(update={"task": task})


def judge(answer, case, ask):
    image = answer.image
    assert image.shape == case.images["image"].shape and np.array_equal(image.affine, AFFINE)
    assert image.array.dtype == np.float32 and np.isfinite(image.array).all() and image.array.std() > 0


TASK = Paint()
