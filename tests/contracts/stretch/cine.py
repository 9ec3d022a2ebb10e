"""Which way does the ball move? Frame by frame through an encoder and a recurrent net (throw-away)."""

from __future__ import annotations

import numpy as np
from thirdparty.balls import patient
from torch import nn

from vesalius import formats
from vesalius.core.case import Case
from vesalius.core.image import Image
from vesalius.tasks.classify import Classify

WAYS = ("up", "down")


class Recurrent(nn.Module):
    """Features of each frame, remembered in turn."""

    def __init__(self, frames):
        super().__init__()
        self.frames, self.criterion = frames, frames.criterion
        self.memory = nn.GRU(len(WAYS), len(WAYS), batch_first=True)

    def forward(self, x):
        each = self.frames(x.flatten(0, 1)).unflatten(0, x.shape[:2])  # (B, T, K)
        return self.memory(each)[0][:, -1]


class Cine(Classify):
    """Classification of what has a time axis; cines may differ in length."""

    name, targets, takes_time = "cine", ("class",), True

    def encode(self, case, prepared, reference, state):
        example = super().encode(case, prepared, reference, state)
        assert len(prepared.frame_times_s) == len(prepared.array)
        return example

    def build(self, plan, state, nets):
        return Recurrent(super().build(plan, state, nets))


def given(made, folder):
    for k in range(8):
        image = patient(k).as_case().images["image"]
        frames = [np.roll(image.array, (1 if k % 2 else -1) * t, axis=2) for t in range(3 + k % 2)]
        times = tuple(0.1 * t for t in range(len(frames)))
        cine = Image(np.stack(frames), affine=image.affine, times_s=times)
        (folder / "cines" / WAYS[k % 2]).mkdir(parents=True, exist_ok=True)
        formats.write(cine, folder / "cines" / WAYS[k % 2] / f"cine-{k:03d}.nii.gz")
    return {"data": folder / "cines", "settings": {"data.size": [8, 16, 16]}}


def judge(trial):
    answer, image = trial.answers[0], trial.reference(trial.cases[0])
    assert np.isclose(answer.p.sum(), 1) and len(image.times_s) > 2
    still = Image(image.array[:1], affine=image.affine, times_s=image.times_s[:1])
    assert not np.array_equal(answer.p, trial.predictor(Case("s", {"image": still})).p), "time counts"


TASK = Cine()
