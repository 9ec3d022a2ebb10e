"""Integrated gradients: the slope at every step from nothing to the image; all values add up to the answer."""

from __future__ import annotations

import numpy as np
import torch

from vesalius.core.image import Array
from vesalius.explain.contract import Attribution, Method, Setting
from vesalius.explain.question import Question
from vesalius.explain.smoothed import Smoothed

NAMES = {
    "integrated-gradients": "Gradients along the way from nothing to the image; all values add up to the answer",
    "integrated-gradients-smooth": "The same, each voxel with its neighbours, so that what is noise cancels out",
}
SOURCE = "Sundararajan et al.: Axiomatic Attribution for Deep Networks, ICML 2017, arXiv:1703.01365"


class IntegratedGradients(Method):
    """The middle of each of `samples` steps on a straight line; `left_over` is what the values fail to add up to."""

    samples = 50

    def refuses(self, question: Question) -> str | None:
        """Return why no gradients can be followed; None where they can."""
        return question.slopeless

    def attribute(self, question: Question, setting: Setting) -> Attribution:
        """Return the mean gradient times what was added on the way."""
        steps = max(2, min(setting.samples, 300))
        shares = (torch.arange(steps, dtype=torch.float32, device=question.image.device) + 0.5) / steps
        added, beside = question.image - setting.away, question.covariates
        total = torch.zeros_like(question.image, dtype=torch.float64)
        sloped = None if beside is None else torch.zeros_like(beside, dtype=torch.float64)
        for some in torch.split(shares, question.sloped):
            images = setting.away + some.reshape(-1, 1, 1, 1, 1) * added
            slope, beyond = question.slopes(images, None if beside is None else some[:, None] * beside)
            total += slope.sum(dim=0, dtype=torch.float64)
            if sloped is not None and beyond is not None:
                sloped += beyond.sum(dim=0, dtype=torch.float64)
        values = (total / steps * added).sum(dim=0)  # over channels
        covariates = None if sloped is None or beside is None else (sloped / steps * beside).cpu().numpy()
        return Attribution(
            values.float().cpu().numpy(),
            None if covariates is None else covariates.astype(np.float32),
            {"left_over": self._left_over(question, setting, float(values.sum()), covariates)},
        )

    def _left_over(
        self, question: Question, setting: Setting, total: float, covariates: Array | None
    ) -> float:
        """Return by which share of the answer's change the values miss it."""
        beside = question.covariates
        nothing = None if beside is None else torch.zeros_like(beside)
        there, away = question.each([(question.image, beside), (setting.away, nothing)])
        found = total + (0.0 if covariates is None else float(covariates.sum()))
        change = float(there - away)
        return abs(found - change) / max(abs(change), 1e-6)


METHODS = {
    "integrated-gradients": IntegratedGradients(),
    "integrated-gradients-smooth": Smoothed(IntegratedGradients()),
}
