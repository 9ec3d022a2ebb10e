"""What lies under the covers? Masked-image pre-training, with no target at all (throw-away)."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from vesalius.core.answers.picture import Picture
from vesalius.core.bundle import State
from vesalius.core.image import Image
from vesalius.core.statistics import Statistics
from vesalius.core.tally import Tally
from vesalius.prepare.batch import Example
from vesalius.tasks.contract import Task, planned_net

BLOCK, HIDDEN = 4, 0.5


class Painter(nn.Module):
    """A dense net with a 1×1 head."""

    def __init__(self, net):
        super().__init__()
        self.net, self.head = net, nn.Conv3d(net.out_channels, 1, 1)

    def forward(self, x):
        return self.head(self.net(x).full)


class Paint(Task):
    """Half of the blocks are hidden, which ones the generator says; the loss looks at those alone."""

    name, answer, targets, roles, run, primary = "pretrain", Picture, (), ("dense",), "dense", "psnr"
    needs_target = False

    def check(self, cohort, target):
        return () if cohort.cases else ("images",)

    def summary(self, cases, target, plan):
        return Statistics({"images": Tally.of(c.reference for c in cases)})

    def state(self, summary, target, plan):
        assert target is None
        return State({"cases": summary.part("images", Tally).n})

    def encode(self, case, prepared, reference, state):
        return Example(case.id, {"image": prepared.array})

    def build(self, plan, state, nets):
        return Painter(planned_net(plan, nets))

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

    def scalar(self, raw, ask):
        return raw.flatten(1).mean(dim=1)


def given(made, folder):
    return {"data": made}


def judge(trial):
    image = trial.answers[0].image
    assert trial.plan.task.target is None and trial.run.scorecard.metrics == {}
    assert image.array.dtype == np.float32 and np.isfinite(image.array).all() and image.array.std() > 0


TASK = Paint()
